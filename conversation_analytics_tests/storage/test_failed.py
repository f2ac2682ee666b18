"""A day that was not written leaves a note that outlives whoever tried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.storage.days import FailedDay, KeptDay, commit_days
from conversation_analytics.storage.failed import FailedDays
from conversation_analytics.storage.layout import MESSAGES_UNIT, UNKNOWN_DAY, Day
from conversation_analytics.storage.store import LocalStore
from conversation_analytics_tests.storage.lake_days import (
    DAY,
    NEXT_DAY,
    commit_messages,
    make_lake,
    messages,
    prepared,
)


def test_the_last_failure_of_a_day_is_told_with_its_run_and_time(tmp_path: Path) -> None:
    failed = FailedDays(LocalStore(tmp_path))
    failed.note("messages", DAY, "the moon was full", "run-1")
    failed.note("messages", DAY, "the moon is new", "run-2")
    failed.note("raw", UNKNOWN_DAY, "no space", "run-3")

    first, second = failed.failures()

    assert (first.unit, first.day, first.error, first.run_id) == (
        "messages",
        DAY,
        "the moon is new",
        "run-2",
    )
    assert datetime.now(UTC) - first.at < timedelta(minutes=5)
    assert (second.unit, second.day) == ("raw", UNKNOWN_DAY)
    assert failed.days("messages") == {DAY}


def test_a_failed_day_is_noted_until_it_is_written(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    failed = FailedDays(lake.store)
    list(commit_days(lake, [FailedDay("messages", DAY, "no luck")], run_id="run-1"))
    assert [(one.day, one.error, one.run_id) for one in failed.failures()] == [
        (DAY, "no luck", "run-1")
    ]

    ready = prepared(lake, lake.claim_day(MESSAGES_UNIT, DAY), {"messages": messages(["x"])})
    list(commit_days(lake, [ready], run_id="run-2"))

    assert failed.failures() == []


def test_a_day_that_its_retry_keeps_is_no_failure(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    manifest = commit_messages(lake, ["x"])
    failed = FailedDays(lake.store)
    failed.note("messages", DAY, "died before it could say so", "run-1")

    list(commit_days(lake, [KeptDay("messages", DAY, manifest)]))

    assert failed.failures() == []


def test_a_writer_that_was_overtaken_leaves_the_telling_to_the_newer_one(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    zombie = prepared(lake, lake.claim_day(MESSAGES_UNIT, DAY), {"messages": messages(["old"])})
    commit_messages(lake, ["new"])

    [report] = commit_days(lake, [zombie])

    assert report.outcome == "failed"
    assert FailedDays(lake.store).failures() == []


def test_days_are_reported_even_where_no_note_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = make_lake(tmp_path)
    monkeypatch.setattr(lake.store, "put", _refuse)
    items = [FailedDay("messages", day, "no luck") for day in (DAY, NEXT_DAY)]

    reports = list(commit_days(lake, items))

    assert [(report.day, report.error) for report in reports] == [
        (DAY, "no luck"),
        (NEXT_DAY, "no luck"),
    ]


def _refuse(key: str, data: bytes) -> None:
    raise StoreUnavailable(f"{key}: the disk is full")


def test_a_note_of_a_day_with_a_date_or_without_one_is_read_back(tmp_path: Path) -> None:
    failed = FailedDays(LocalStore(tmp_path))
    days: list[Day] = [DAY, UNKNOWN_DAY]
    for day in days:
        failed.note("raw", day, "x", "")
        failed.forget("raw", day)
    assert failed.days("raw") == set()

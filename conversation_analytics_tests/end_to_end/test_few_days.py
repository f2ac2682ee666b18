"""A few days of a long history are asked for by range, and come out as in a whole pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.sources.nocodb.source import NocoDBSource
from conversation_analytics.storage.layout import RAW
from conversation_analytics_tests.end_to_end.nocodb_sources import (
    NocoDBTables,
    export,
    own_tables,
    read_rows,
)
from conversation_analytics_tests.end_to_end.pipeline import (
    Pipeline,
    days,
    differing,
    local_lake,
    pipeline,
)
from conversation_analytics_tests.services.nocodb_server import NocoDB

pytestmark = pytest.mark.services

LENGTH = 40  # days of history, of which two are few
DAYS = days(LENGTH + 1)  # the last conversations may go on after midnight
ASKED = (
    "scan",
    "conversations_between",
    "messages_between",
    "conversations_by_id",
    "messages_of",
)


@pytest.fixture
def history(nocodb: NocoDB, tmp_path: Path) -> NocoDBTables:
    """Many days in NocoDB's own tables."""
    folder = export(tmp_path / "export", "plain", messages=10 * LENGTH, days=LENGTH)
    return own_tables(nocodb, folder)


@pytest.fixture
def known(history: NocoDBTables, tmp_path: Path) -> Pipeline:
    """A lake that holds them all."""
    made = pipeline(**history.settings, **local_lake(tmp_path / "lake"))
    made.refresh(DAYS)
    return made


@contextmanager
def counting(patch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counts what a NocoDB source is asked for."""
    asked: Counter[str] = Counter()

    def watched(name: str) -> Any:
        whole = getattr(NocoDBSource, name)

        def ask(self: NocoDBSource, *arguments: Any) -> Any:
            asked[name] += 1
            return whole(self, *arguments)

        return ask

    with patch.context() as inner:
        for name in ASKED:
            inner.setattr(NocoDBSource, name, watched(name))
        yield asked


def assert_as_in_a_whole_pass(history: NocoDBTables, known: Pipeline, folder: Path) -> None:
    """Compare with a new lake that reads everything."""
    whole = pipeline(**history.settings, **local_lake(folder))
    whole.refresh(known.lake.days(RAW))
    assert differing(known.hashes(), whole.hashes()) == set()


def started_on(history_folder: Path, day: date) -> list[str]:
    rows = read_rows(history_folder, "conversations")
    return [one["conversation_id"] for one in rows if one["created_at"].startswith(str(day))]


def busy_day(folder: Path) -> date:
    """A day on which at least two conversations start."""
    return next(day for day in DAYS[25:] if len(started_on(folder, day)) >= 2)


def test_one_day_is_asked_for_by_range_and_has_the_hashes_of_a_whole_pass(
    history: NocoDBTables, known: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = busy_day(tmp_path / "export")
    message = next(
        one
        for one in read_rows(tmp_path / "export", "messages")
        if one["conversation_id"] in started_on(tmp_path / "export", day)
    )
    history.change("messages", "Number", message["message_id"], ข้อความ="edited")
    before = known.hashes()

    with counting(monkeypatch) as asked:
        reports = known.refresh([day])

    assert asked["scan"] == 0
    assert asked["conversations_between"] == asked["messages_between"] == 1
    assert asked["messages_of"] >= 1
    assert {report.day for report in reports} == {day}
    assert differing(known.hashes(), before) == {("messages", day), ("categories", day)}
    assert_as_in_a_whole_pass(history, known, tmp_path / "new")


def test_many_days_are_read_in_one_pass(known: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    with counting(monkeypatch) as asked:
        known.refresh(DAYS[:20])

    assert asked == {"scan": 2}


def test_a_conversation_that_moved_is_found_from_either_day(
    history: NocoDBTables, known: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = busy_day(tmp_path / "export"), DAYS[20]
    moved, back = started_on(tmp_path / "export", old)[:2]
    for conversation in (moved, back):
        history.change(
            "conversations", "Ticket", conversation, **{"Opened at": f"{new} 00:00:30+00:00"}
        )

    with counting(monkeypatch) as asked:
        reports = known.refresh([old])  # asked for the day it left, the new one comes along
    assert asked["scan"] == 0
    order = [report.day for report in reports if report.unit == "raw"]
    assert order == [new, old]
    assert_as_in_a_whole_pass(history, known, tmp_path / "new")

    history.change("conversations", "Ticket", back, **{"Opened at": f"{old} 23:00:00+00:00"})
    known.refresh([old])  # asked for the day it came to
    assert_as_in_a_whole_pass(history, known, tmp_path / "again")


def test_a_deleted_conversation_leaves_its_day(
    history: NocoDBTables, known: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "export"
    day = busy_day(folder)
    gone = started_on(folder, day)[0]
    history.server.delete(
        history.tables["conversations"], [history.row_id("conversations", "Ticket", gone)]
    )
    for message in read_rows(folder, "messages"):
        if message["conversation_id"] == gone:
            found = history.row_id("messages", "Number", message["message_id"])
            history.server.delete(history.tables["messages"], [found])

    with counting(monkeypatch) as asked:
        known.refresh([day])

    assert asked["scan"] == 0
    assert gone not in known.rows()["conversations"]
    assert_as_in_a_whole_pass(history, known, tmp_path / "new")


def test_an_orphan_is_quarantined_and_carried_over_until_its_conversation_appears(
    history: NocoDBTables, known: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = busy_day(tmp_path / "export")
    orphan = {
        "Number": "m-orphan",
        "Of ticket": "c-late",
        "Who": "user",
        "ข้อความ": "anyone?",
        "Said at": f"{day} 12:00:00+00:00",
    }
    history.server.insert(history.tables["messages"], [orphan])
    with counting(monkeypatch) as asked:
        known.refresh([day])
        assert quarantined(known, day) == [("m-orphan", "orphan_message")]

        conversation = {"Ticket": "c-late", "Opened at": f"{day} 11:59:59+00:00"}
        history.server.insert(history.tables["conversations"], [conversation])
        known.refresh([day])

    assert asked["scan"] == 0
    assert quarantined(known, day) == []
    assert {"m-orphan"} <= known.rows()["messages"].keys()
    assert_as_in_a_whole_pass(history, known, tmp_path / "new")


def quarantined(made: Pipeline, day: date) -> list[tuple[str, str]]:
    """(source id, reason) of the rows of a day that could not be used."""
    found = made.lake.read_day(RAW, day)
    assert found is not None
    return [(row["source_id"], row["reason"]) for row in found[1]["quarantine"].to_pylist()]

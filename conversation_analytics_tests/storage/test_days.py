"""Days prepared, checked, committed and reported one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.schemas.validation import CheckResult
from conversation_analytics.storage.days import (
    DayItem,
    FailedDay,
    KeptDay,
    PreparedDay,
    commit_days,
    failures,
)
from conversation_analytics.storage.encoding import content_hash
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import MESSAGES_UNIT, RAW, Day
from conversation_analytics_tests.storage.lake_days import (
    DAY,
    NEXT_DAY,
    commit_messages,
    make_lake,
    messages,
    prepared,
    raw_tables,
    read_messages,
    with_hashes,
)

THIRD_DAY = date(2024, 2, 2)
PASSED = CheckResult("messages", "accounted", passed=True)
REFUSED = CheckResult("messages", "accounted", passed=False, problems=("one row is lost",))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return make_lake(tmp_path)


def day_of(
    lake: Lake, day: Day, table: pa.Table, checks: tuple[CheckResult, ...] = ()
) -> PreparedDay:
    claim = lake.claim_day(MESSAGES_UNIT, day)
    return prepared(lake, claim, {"messages": table}, checks=checks)


def test_a_prepared_day_is_not_visible_yet(lake: Lake) -> None:
    ready = day_of(lake, DAY, messages(["x"]))
    assert (ready.unit, ready.day) == ("messages", DAY)
    assert lake.read_day(MESSAGES_UNIT, DAY) is None
    assert [key for key in lake.store.list("") if not key.startswith("_claims/")] == []


def test_a_committed_day_is_reported_with_manifest_checks_and_preview(lake: Lake) -> None:
    items = [day_of(lake, DAY, messages(["x" * 100, "short"]), (PASSED,))]
    [report] = commit_days(lake, items)
    assert (report.unit, report.day, report.outcome) == ("messages", DAY, "committed")
    assert report.manifest == lake.manifest(MESSAGES_UNIT, DAY)
    assert [(check.name, check.passed) for check in report.checks] == [
        ("accounted", True),
        ("schema", True),
        ("schema", True),  # of message_activity
    ]
    shown = [row["content"] for row in report.preview["messages"]]
    assert shown == ["x" * 59 + "…", "short"]
    assert report.seconds > 0


def test_a_failed_check_writes_nothing_and_the_next_day_goes_on(lake: Lake) -> None:
    commit_messages(lake, {"m1": "old"})
    items = [
        day_of(lake, DAY, messages(["new"]), (REFUSED,)),
        day_of(lake, NEXT_DAY, messages(["next"])),
    ]
    refused, committed = commit_days(lake, items)
    assert (refused.outcome, committed.outcome) == ("failed", "committed")
    assert refused.manifest is None
    assert "messages of 2024-01-31: messages.accounted: one row is lost" in refused.error
    assert REFUSED in refused.checks
    assert read_messages(lake) == {"m1": "old"}
    assert failures([refused, committed]) == {DAY: refused.error}


def test_rows_that_break_their_schema_are_never_written(lake: Lake) -> None:
    bad = messages({"m1": "x"}, feedback_score=3.0)
    [report] = commit_days(lake, [day_of(lake, DAY, bad)])
    assert "messages.schema: feedback_score: above 1" in report.error
    assert lake.read_day(MESSAGES_UNIT, DAY) is None


def test_every_table_of_a_unit_is_checked(lake: Lake) -> None:
    tables = raw_tables(["c1"])
    tables["raw_conversations"] = pa.concat_tables([tables["raw_conversations"]] * 2)
    ready = prepared(lake, lake.claim_day(RAW, DAY), tables)
    assert [(check.table, check.passed) for check in ready.checks] == [
        ("raw_conversations", False),
        ("raw_messages", True),
        ("quarantine", True),
    ]
    [report] = commit_days(lake, [ready])
    assert "key conversation_id: 1 repeated" in report.error
    assert lake.days(RAW) == []


def test_a_zombies_day_fails_and_the_next_goes_on(lake: Lake) -> None:
    zombie = day_of(lake, DAY, messages(["zombie"]))
    commit_messages(lake, {"m1": "new"})
    reports = list(commit_days(lake, [zombie, day_of(lake, NEXT_DAY, messages(["next"]))]))
    assert [report.outcome for report in reports] == ["failed", "committed"]
    assert "overtaken" in reports[0].error
    assert read_messages(lake) == {"m1": "new"}


def test_a_store_that_fails_fails_the_day_alone(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lake.store.put_all

    def put_all(objects: Sequence[tuple[str, bytes]]) -> None:
        if any("day=31" in key for key, _ in objects):
            raise StoreUnavailable("the disk is full")
        whole(objects)

    items = [day_of(lake, day, messages(["x"])) for day in (DAY, NEXT_DAY)]
    monkeypatch.setattr(lake.store, "put_all", put_all)
    first, second = commit_days(lake, items)
    assert (first.error, second.outcome) == ("the disk is full", "committed")


def test_a_day_is_committed_before_the_next_one_is_prepared(lake: Lake) -> None:
    def days() -> Iterator[DayItem]:
        for day in (DAY, NEXT_DAY, THIRD_DAY):
            assert lake.days(MESSAGES_UNIT) == [d for d in (DAY, NEXT_DAY) if d < day]
            yield day_of(lake, day, messages(["x"]))

    assert [report.day for report in commit_days(lake, days())] == [DAY, NEXT_DAY, THIRD_DAY]


def test_days_kept_or_failed_before_are_reported_as_such(lake: Lake) -> None:
    manifest = commit_messages(lake, {"m1": "x"})
    kept, failed = commit_days(
        lake,
        [
            KeptDay("messages", DAY, manifest),
            FailedDay("messages", NEXT_DAY, "no luck", (REFUSED,)),
        ],
    )
    assert (kept.outcome, kept.manifest) == ("kept", manifest)
    assert (failed.outcome, failed.error, failed.checks) == ("failed", "no luck", (REFUSED,))
    assert lake.days(MESSAGES_UNIT) == [DAY]


def test_the_days_hash_is_that_of_its_rows(lake: Lake) -> None:
    table = with_hashes(messages(["b", "a"]))
    [report] = commit_days(lake, [day_of(lake, DAY, table)])
    assert report.manifest is not None
    expected = content_hash(table["content_hash"].to_pylist())
    assert report.manifest.tables["messages"].content_hash == expected

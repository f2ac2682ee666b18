"""What must be so of a lake that follows a source."""

from __future__ import annotations

from typing import Any

from conversation_analytics.errors import TornDay
from conversation_analytics.partitions import days_between
from conversation_analytics.storage.layout import RAW, UNKNOWN_DAY, Day
from conversation_analytics_tests import oracle
from conversation_analytics_tests.builders import Row
from conversation_analytics_tests.sync.follower import Follower
from conversation_analytics_tests.transforms.test_against_oracle import in_order, rows_of

_TERMS = ("represented", "quarantined", "soft_deleted", "identical_duplicates")


def assert_is_the_source(follower: Follower) -> None:
    """Every day of the lake holds what the rules make of the source's rows."""
    expected = follower.expected()
    days: list[Day] = [*days_between(follower.loaded.partitions_start_date, follower.today)]
    for day in [*days, UNKNOWN_DAY]:
        wanted = expected.get(day, oracle.Day())
        unit = "unplaced" if day == UNKNOWN_DAY else "raw"
        quarantine = follower.table(unit, "quarantine", day)
        found = [(row["source_table"], row["source_id"], row["reason"]) for row in quarantine]
        _assert_equal(f"quarantine of {day}", sorted(found, key=str), wanted.quarantine)
        if day == UNKNOWN_DAY:
            continue
        for table in ("conversations", "messages"):
            rows = in_order(getattr(wanted, table))
            _assert_equal(f"{table} of {day}", rows_of(follower.table(table, table, day)), rows)


def assert_holds_together(follower: Follower) -> None:
    """At any moment: no row is lost or doubled, and no conversation is on two days."""
    lake = follower.lake
    for day, manifest in lake.manifests(RAW, lake.days(RAW)).items():
        counts = manifest.counts
        assert counts["read"] == sum(counts[term] for term in _TERMS), day
    owners = lake.index.snapshot().owners()
    lives = dict(zip(owners["conversation_id"].to_pylist(), owners["day"].to_pylist(), strict=True))
    seen: set[str] = set()
    for day in lake.days(RAW):
        for row in _readable(follower, day):
            if lives.get(row["conversation_id"]) == day:
                assert row["conversation_id"] not in seen, row["conversation_id"]
                seen.add(row["conversation_id"])


def _readable(follower: Follower, day: Day) -> list[Row]:
    """The conversations of a day; none while its write is cut off half-way."""
    try:
        return follower.table("conversations", "conversations", day)
    except TornDay:
        return []


def _assert_equal(what: str, found: list[Any], wanted: list[Any]) -> None:
    surplus = [_short(one) for one in found if one not in wanted]
    missing = [_short(one) for one in wanted if one not in found]
    assert found == wanted, f"{what}: {surplus or 'nothing'} instead of {missing or 'nothing'}"


def _short(one: Any) -> Any:
    """A row as far as it is likely to be wrong."""
    names = ("message_id", "conversation_id", "title", "content", "turn_index", "message_count")
    return {name: one[name] for name in names if name in one} if isinstance(one, dict) else one

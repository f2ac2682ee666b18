"""The source against the lake, day by day."""

from __future__ import annotations

from datetime import date

import pytest

from conversation_analytics.compute.runner import InProcessRunner
from conversation_analytics.sync.comparison import DayComparison, compare_days, placed_source
from conversation_analytics_tests.builders import conversation, message
from conversation_analytics_tests.sync.conftest import NewFollower
from conversation_analytics_tests.sync.follower import Follower

DAY, OTHER = date(2024, 4, 2), date(2024, 4, 4)


def compared(follower: Follower) -> dict[object, DayComparison]:
    """Every day, compared."""
    with placed_source(
        follower.loaded, follower.lake, follower.opened, InProcessRunner()
    ) as placed:
        return {one.day: one for one in compare_days(follower.lake, placed.placement)}


@pytest.fixture
def filled(follow: NewFollower) -> Follower:
    follower = follow()
    for n, day in enumerate((DAY, OTHER)):
        follower.source.insert("conversations", conversation(f"c{n}", f"{day}T10:00:00+00:00"))
        follower.source.insert("messages", message(f"m{n}", f"c{n}", f"{day}T10:00:00+00:00"))
    follower.sync()
    return follower


def test_a_lake_that_follows_agrees_on_every_day(filled: Follower) -> None:
    days = compared(filled)

    assert list(days) == [DAY, OTHER, "unknown"]
    assert all(day.equal for day in days.values())


def test_rows_are_new_changed_or_vanished(filled: Follower) -> None:
    first, second = filled.source.keys("messages")
    filled.source.edit("messages", first, tells=False, content="edited")
    filled.source.delete("messages", second)
    filled.source.insert("messages", message("m9", "c1", f"{OTHER}T10:00:00+00:00"))

    days = compared(filled)

    assert days[DAY].reasons() == {"changed": 1}
    assert days[OTHER].reasons() == {"new": 1, "vanished": 1}
    table = {one.table: one for one in days[OTHER].tables}["raw_messages"]
    assert (table.new, table.vanished) == (frozenset({"m9"}), frozenset({"m1"}))


def test_a_day_that_lost_its_rows_differs(filled: Follower) -> None:
    for table in ("conversations", "messages"):
        filled.source.delete(table, filled.source.keys(table)[1])  # type: ignore[arg-type]

    assert not compared(filled)[OTHER].equal


def test_a_source_day_that_the_lake_never_had_differs(filled: Follower) -> None:
    later = date(2024, 4, 6)
    filled.source.insert("conversations", conversation("c9", f"{later}T10:00:00+00:00"))

    assert compared(filled)[later].reasons() == {"new": 1}


def test_rows_without_a_day_are_compared_last(filled: Follower) -> None:
    filled.source.insert("messages", message("m9", "gone", "yesterday"))

    days = compared(filled)

    assert list(days)[-1] == "unknown"
    assert days["unknown"].reasons() == {"new": 1}

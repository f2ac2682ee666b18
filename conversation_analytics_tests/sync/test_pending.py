"""Which days are pending, and the ranges they are refreshed in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from conversation_analytics.storage.days import commit_days
from conversation_analytics.storage.layout import RAW
from conversation_analytics.storage.pending import Token
from conversation_analytics.sync.pending import PendingDay, pending_ranges
from conversation_analytics.transforms.raw import RawDays
from conversation_analytics_tests.builders import conversation, message
from conversation_analytics_tests.sync.conftest import NewFollower
from conversation_analytics_tests.sync.follower import Follower

MARK = datetime(2024, 4, 8, 12, tzinfo=UTC)
STEP = timedelta(microseconds=1)
DAY = date(2024, 4, 2)


def day(number: int, **reasons: int) -> PendingDay:
    return PendingDay(date(2024, 4, number), MARK + number * STEP, reasons)


def test_contiguous_days_are_one_range() -> None:
    ranges = pending_ranges([day(2, new=1), day(3, new=2), day(5, changed=1)], anchor=DAY)

    assert [(one.first.day, one.last.day, one.reasons) for one in ranges] == [
        (2, 3, {"new": 3}),
        (5, 5, {"changed": 1}),
    ]
    assert [one.mark for one in ranges] == [MARK + 3 * STEP, MARK + 5 * STEP]
    assert not any(one.whole for one in ranges)


def test_rows_without_a_day_have_the_first_range_read_everything() -> None:
    unknown = PendingDay("unknown", MARK + 9 * STEP, {"new": 4})

    first, second = pending_ranges([day(2, new=1), day(5), unknown], anchor=DAY)

    assert (first.whole, first.mark, first.reasons) == (True, MARK + 9 * STEP, {"new": 5})
    assert not second.whole


def test_rows_without_a_day_alone_are_refreshed_with_the_anchor() -> None:
    (only,) = pending_ranges([PendingDay("unknown", MARK, {"new": 1})], anchor=DAY)

    assert (only.first, only.last, only.whole) == (DAY, DAY, True)


def test_nothing_pending_is_no_range() -> None:
    assert pending_ranges([], anchor=DAY) == []


@pytest.fixture
def filled(follow: NewFollower) -> Follower:
    follower = follow()
    follower.source.insert("conversations", conversation("c0", f"{DAY}T10:00:00+00:00"))
    follower.source.insert("messages", message("m0", "c0", f"{DAY}T10:00:00+00:00"))
    follower.sync()
    return follower


def test_a_token_that_is_not_ahead_of_the_day_is_removed(filled: Follower) -> None:
    manifest = filled.lake.manifests(RAW, [DAY])[DAY]
    assert manifest.change_mark is not None
    filled.lake.pending.add([Token(DAY, manifest.change_mark, {"new": 1})])

    assert filled.pending() == []
    assert filled.lake.pending.names() == {}


def test_a_token_ahead_of_the_day_stays_until_the_day_is_read(filled: Follower) -> None:
    manifest = filled.lake.manifests(RAW, [DAY])[DAY]
    assert manifest.change_mark is not None
    filled.lake.pending.add([Token(DAY, manifest.change_mark + STEP, {"new": 1})])

    assert [(one.day, one.reasons) for one in filled.pending()] == [(DAY, {"new": 1})]
    assert filled.refresh() == [DAY]
    assert filled.pending() == []


def test_what_is_derived_must_follow_too(filled: Follower) -> None:
    key = filled.source.keys("messages")[0]
    filled.source.edit("messages", key, content="edited")
    filled.look()
    (before,) = filled.pending()
    _commit_raw_only(filled)

    (pending,) = filled.pending()

    assert before.problems == ()
    assert any("messages were made of other raw" in problem for problem in pending.problems)
    filled.refresh()
    assert filled.pending() == []


def _commit_raw_only(follower: Follower) -> None:
    """As a run that dies when the raw day is done."""
    request = follower.request()
    opened = follower.opened
    raw = RawDays(follower.loaded, follower.lake, opened, [DAY], request, follower.runner)
    list(commit_days(follower.lake, raw))

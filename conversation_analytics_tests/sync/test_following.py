"""Changes that are easily lost on the way from a source to its lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date

import pytest

from conversation_analytics.errors import TornDay
from conversation_analytics.sources.base import Page, SourceTable
from conversation_analytics.storage.failpoints import MANIFEST, handling
from conversation_analytics_tests.builders import conversation, message
from conversation_analytics_tests.sync.conftest import NewFollower
from conversation_analytics_tests.sync.follower import Follower
from conversation_analytics_tests.sync.memory_source import Key
from conversation_analytics_tests.sync.promises import assert_is_the_source

FIRST, SECOND, LAST = date(2024, 4, 2), date(2024, 4, 3), date(2024, 4, 7)


def at(day: date, hour: int = 10) -> str:
    return f"{day}T{hour:02d}:00:00+00:00"


def filled(follower: Follower) -> tuple[Key, Key]:
    """A conversation with a message, in source and lake; their keys."""
    owner = follower.source.insert("conversations", conversation("c0", at(FIRST)))
    own = follower.source.insert("messages", message("m0", "c0", at(FIRST)))
    synced(follower)
    return owner, own


def synced(follower: Follower) -> None:
    """Sync; the lake is the source then, and nothing is left to do."""
    follower.source.advance(10)
    follower.sync()
    assert follower.pending() == []
    assert_is_the_source(follower)


@pytest.mark.parametrize("keys", ["integer", "uuid", "own"])
@pytest.mark.parametrize("merge", [False, True])
def test_an_edited_message_refreshes_the_day_of_its_conversation(
    follow: NewFollower, keys: str, merge: bool
) -> None:
    follower = follow(keys, merge=merge)
    _, own = filled(follower)
    before = follower.epochs()

    follower.source.edit("messages", own, content="edited")
    synced(follower)

    days = {day for (unit, day), epoch in follower.epochs().items() if epoch != before[unit, day]}
    assert days == {FIRST}


def test_a_conversation_that_gets_another_id_and_day_at_once_leaves_its_old_day(
    follow: NewFollower,
) -> None:
    follower = follow()
    owner, _ = filled(follower)

    follower.source.edit("conversations", owner, conversation_id="c1", created_at=at(SECOND))
    synced(follower)


def test_a_message_given_to_another_conversation_leaves_its_old_day(follow: NewFollower) -> None:
    follower = follow()
    _, own = filled(follower)
    follower.source.insert("conversations", conversation("c1", at(SECOND)))
    synced(follower)

    follower.source.edit("messages", own, conversation_id="c1")
    synced(follower)


def test_a_row_that_has_no_day_any_more_leaves_the_one_it_had(follow: NewFollower) -> None:
    follower = follow("own")
    own = follower.source.insert("messages", message("m0", "gone", at(FIRST)))
    synced(follower)

    follower.source.edit("messages", own, created_at="1999-12-31T00:00:00+00:00")
    synced(follower)


@pytest.mark.parametrize("keys", ["integer", "uuid", "own"])
@pytest.mark.parametrize("start", [None, "yesterday", at(SECOND)])
def test_a_row_in_quarantine_leaves_its_day_when_its_start_is_edited(
    follow: NewFollower, keys: str, start: str | None
) -> None:
    follower = follow(keys)
    owner, _ = filled(follower)
    follower.source.edit("conversations", owner, title={"no": "text"})
    synced(follower)

    follower.source.edit("conversations", owner, created_at=start)
    synced(follower)


def test_orphans_are_adopted_where_the_lake_knows_nothing_but_orphans(follow: NewFollower) -> None:
    follower = follow()
    follower.source.insert("messages", message("m0", "c0", at(FIRST)))
    synced(follower)

    follower.source.insert("conversations", conversation("c0", at(SECOND)))
    synced(follower)


def test_a_late_message_of_a_conversation_that_is_spoilt_is_an_orphan_on_its_own_day(
    follow: NewFollower,
) -> None:
    follower = follow("own")
    owner, _ = filled(follower)

    follower.source.insert("messages", message("m1", "c0", at(SECOND)))
    follower.source.edit("conversations", owner, created_at="yesterday")
    synced(follower)


def test_a_merge_takes_the_version_that_the_source_has_now(follow: NewFollower) -> None:
    follower = follow(merge=True)
    owner, _ = filled(follower)

    follower.source.edit("conversations", owner, created_at=at(FIRST, 9))
    follower.look()
    follower.source.edit("conversations", owner, title="edited", created_at=at(FIRST, 8))
    synced(follower)


def test_a_merge_asks_for_no_row_that_the_look_saw(
    follow: NewFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = follow(merge=True)
    owner, own = filled(follower)
    asked = keys_asked_for(follower, monkeypatch)

    follower.source.edit("conversations", owner, title="edited")
    follower.source.edit("messages", own, content="edited")
    follower.source.insert("messages", message("m1", "c0", at(SECOND)))
    synced(follower)

    assert asked == []


def test_a_merge_asks_for_rows_that_looks_saw_differently_or_that_are_large(
    follow: NewFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = follow(merge=True)
    _, own = filled(follower)
    large = follower.source.insert("messages", message("m1", "c0", at(SECOND)))
    synced(follower)
    asked = keys_asked_for(follower, monkeypatch)

    follower.source.edit("messages", large, content="x" * 100_000)
    for content in ("one", "two"):
        follower.source.edit("messages", own, content=content)
        follower.look()
    synced(follower)

    assert asked == [str(own), str(large)]


@pytest.mark.parametrize("compare", [Follower.sweep, Follower.verify])
def test_a_row_that_was_seen_and_is_gone_when_all_is_compared_stays_gone(
    follow: NewFollower, compare: Callable[[Follower], object]
) -> None:
    follower = follow(merge=True)
    filled(follower)

    seen = follower.source.insert("messages", message("m1", "c0", at(SECOND)))
    follower.look()
    follower.source.delete("messages", seen)
    compare(follower)
    follower.refresh()

    assert_is_the_source(follower)


def keys_asked_for(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The primary keys that rows are asked for by from now on."""
    asked: list[str] = []
    rows_by_key = follower.source.rows_by_key

    def noting(table: SourceTable, keys: Sequence[str]) -> Iterator[Page]:
        asked.extend(keys)
        return rows_by_key(table, keys)

    monkeypatch.setattr(follower.source, "rows_by_key", noting)
    return asked


def test_merges_one_after_the_other_settle_their_tokens(follow: NewFollower) -> None:
    follower = follow(merge=True)
    _, own = filled(follower)

    for content in ("one", "two", "one"):
        follower.source.edit("messages", own, content=content)
        follower.sync()
        assert follower.pending() == []
        assert_is_the_source(follower)


@pytest.mark.parametrize("start", [FIRST, None])
@pytest.mark.parametrize("merge", [False, True])
def test_of_two_new_rows_with_one_id_both_are_found_and_only_once(
    follow: NewFollower, merge: bool, start: date | None
) -> None:
    follower = follow("uuid", merge=merge)
    filled(follower)

    follower.source.insert("conversations", conversation("c1", start and at(start)))
    follower.source.insert("conversations", conversation("c1", at(SECOND)))
    follower.sync()
    assert_is_the_source(follower)
    assert follower.look().rows["changes"] == 2
    assert follower.pending() == []

    follower.source.edit("conversations", follower.source.keys("conversations")[-1], title="edited")
    synced(follower)


@pytest.mark.parametrize("start", [FIRST, None])
@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize("merge", [False, True])
def test_a_bad_row_is_where_the_good_one_with_its_id_is(
    follow: NewFollower, merge: bool, between: bool, start: date | None
) -> None:
    follower = follow("uuid", merge=merge)
    filled(follower)
    follower.source.insert("conversations", conversation("c2", at(LAST)))
    synced(follower)

    bad = {**conversation("c1", start and at(start)), "title": {"no": "text"}}
    follower.source.insert("conversations", bad)
    if between:
        synced(follower)
    follower.source.insert("conversations", conversation("c1", at(LAST)))
    follower.sync()
    assert_is_the_source(follower)
    assert follower.look().rows["changes"] >= 1
    assert follower.pending() == []


@pytest.mark.parametrize("day", [SECOND, None])
@pytest.mark.parametrize("merge", [False, True])
def test_identical_duplicates_are_found_once(
    follow: NewFollower, merge: bool, day: date | None
) -> None:
    follower = follow("uuid", merge=merge)
    filled(follower)

    for _ in range(3):
        follower.source.insert("conversations", conversation("c1", day and at(day)))
        follower.source.insert("messages", message("m1", "c1", None if day is None else at(day)))
    follower.sync()
    assert follower.look().rows["changes"] == 6
    assert follower.pending() == []

    follower.source.edit("messages", follower.source.keys("messages")[-1], content="edited")
    synced(follower)


@pytest.mark.parametrize("merge", [False, True])
def test_a_day_whose_write_was_cut_off_is_written_again(follow: NewFollower, merge: bool) -> None:
    follower = follow(merge=merge)
    _, own = filled(follower)
    follower.source.edit("messages", own, content="edited")

    def die(name: str) -> None:
        if name == MANIFEST:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), handling(die):
        follower.sync()
    with pytest.raises(TornDay):
        follower.table("raw", "raw_messages", FIRST)

    follower.source.edit("messages", own, content="edited again")
    synced(follower)


def test_a_day_whose_write_was_cut_off_is_behind_for_a_sweep(follow: NewFollower) -> None:
    follower = follow()
    _, own = filled(follower)
    follower.source.edit("messages", own, tells=False, content="edited")

    def die(name: str) -> None:
        if name == MANIFEST:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), handling(die):
        follower.backfill([FIRST])

    assert set(follower.sweep().reasons) == {FIRST}
    follower.refresh()
    assert_is_the_source(follower)

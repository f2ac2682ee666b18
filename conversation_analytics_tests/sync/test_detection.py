"""Which days a look at the changes finds behind, and why."""

from __future__ import annotations

from datetime import date

import pytest

from conversation_analytics_tests.builders import conversation, message
from conversation_analytics_tests.sync.conftest import NewFollower
from conversation_analytics_tests.sync.follower import Follower
from conversation_analytics_tests.sync.memory_source import Key

DAY, OTHER = date(2024, 4, 2), date(2024, 4, 4)


@pytest.fixture
def filled(follow: NewFollower) -> Follower:
    follower = follow()
    follower.source.insert("conversations", conversation("c0", f"{DAY}T10:00:00+00:00"))
    follower.source.insert("messages", message("m0", "c0", f"{DAY}T10:00:00+00:00"))
    follower.sync()
    follower.source.advance(10)
    follower.look()
    return follower


def reasons(follower: Follower) -> dict[object, dict[str, int]]:
    return {day: dict(why) for day, why in follower.look().reasons.items()}


def only(follower: Follower, table: str) -> Key:
    (key,) = follower.source.keys(table)  # type: ignore[arg-type]
    return key


def test_a_message_belongs_to_the_day_of_its_conversation(filled: Follower) -> None:
    filled.source.insert("messages", message("m1", "c0", f"{OTHER}T10:00:00+00:00"))

    assert reasons(filled) == {DAY: {"new": 1}}


def test_a_message_of_a_conversation_nobody_knows_belongs_to_its_own_day(
    filled: Follower,
) -> None:
    filled.source.insert("messages", message("m1", "gone", f"{OTHER}T10:00:00+00:00"))

    assert reasons(filled) == {OTHER: {"new": 1}}


def test_a_row_without_a_usable_time_belongs_to_no_day(filled: Follower) -> None:
    filled.source.insert("messages", message("m1", "gone", "yesterday"))

    assert reasons(filled) == {"unknown": {"new": 1}}


def test_an_edit_that_changes_nothing_of_ours_is_none(filled: Follower) -> None:
    filled.source.edit("messages", only(filled, "messages"), content="hello")

    look = filled.look()

    assert (look.rows["changes"], look.reasons) == (1, {})


def test_a_conversation_that_moves_names_both_days(filled: Follower) -> None:
    key = only(filled, "conversations")
    filled.source.edit("conversations", key, created_at=f"{OTHER}T10:00:00+00:00")

    assert reasons(filled) == {OTHER: {"new": 1}, DAY: {"moved away": 1}}


def test_a_conversation_without_a_start_belongs_where_its_first_message_is(
    filled: Follower,
) -> None:
    filled.source.insert("conversations", conversation("c1", None))
    filled.source.insert("messages", message("m1", "c1", f"{OTHER}T10:00:00+00:00"))

    look = filled.look()

    assert {day: dict(why) for day, why in look.reasons.items()} == {OTHER: {"new": 2}}
    assert look.rows["look-ups"] == 1


def test_only_edited_rows_are_looked_for_on_other_days(
    filled: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.source.insert("messages", message("m1", "c0", f"{OTHER}T10:00:00+00:00"))
    with monkeypatch.context() as patch:
        patch.setattr(type(filled.lake), "days", None)
        assert reasons(filled) == {DAY: {"new": 1}}


def test_all_versions_between_two_looks_are_one_change(filled: Follower) -> None:
    for content in ("one", "two"):
        filled.source.edit("messages", only(filled, "messages"), content=content)

    assert reasons(filled) == {DAY: {"changed": 1}}

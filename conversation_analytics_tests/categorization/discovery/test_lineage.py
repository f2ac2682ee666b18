"""Topics keep their ids from run to run, and each is told what became of it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.discovery.lineage import (
    Found,
    Lineage,
    State,
    follow,
)
from conversation_analytics.errors import CategorizationError

PEOPLE = range(1, 400)


def hashes(members: Any) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Spread as hashes are, so that a sample of the lowest is one of all."""
    return np.array([(int(n) * 0x9E3779B97F4A7C15) % 2**64 for n in members], dtype=np.uint64)


def shuffled(some: Any, random: Any) -> Any:
    return np.array(random.sample(some.tolist(), len(some)), dtype=np.uint64)


def run(before: State, *topics: Any, everyone: Any = PEOPLE, words: Any = None) -> Lineage:
    features = words or [{}] * len(topics)
    found = [Found(hashes(one), own) for one, own in zip(topics, features, strict=True)]
    return follow(before, found, hashes(everyone))


@st.composite
def clusterings(draw: st.DrawFn) -> tuple[list[Found], Any]:
    """Conversations, some of them in topics, with features of a few buckets."""
    people = draw(st.lists(st.integers(1, 60), unique=True, max_size=40))
    of = [draw(st.integers(-1, 4)) for _ in people]
    members = [[p for p, n in zip(people, of, strict=True) if n == topic] for topic in range(5)]
    found = []
    for some in members:
        if some:
            bucket = draw(st.integers(0, 5))
            found.append(Found(hashes(some), {bucket: 0.8, bucket + 1: 0.6}))
    return found, hashes(people)


@given(clusterings())
def test_the_same_again_is_only_continued(run_: tuple[list[Found], Any]) -> None:
    first = follow(State(), *run_)
    again = follow(first.state, *run_)
    assert again.ids == first.ids
    assert {one.fate for one in again.ended} <= {"continued"}
    assert {one.origin for one in again.began} <= {"continued"}
    assert again.state == first.state


@given(st.lists(clusterings(), max_size=5))
def test_ids_are_never_used_again_and_everything_is_told_once(
    runs: list[tuple[list[Found], Any]],
) -> None:
    state, ever = State(), set[int]()
    for found, everyone in runs:
        now = follow(state, found, everyone)
        assert [one.topic for one in now.ended] == sorted(state.topics)
        assert tuple(one.topic for one in now.began) == now.ids
        assert len(set(now.ids)) == len(found)
        continued = {one.topic for one in now.began if one.origin == "continued"}
        assert continued == {one.topic for one in now.ended if one.fate == "continued"}
        assert continued <= set(state.topics)
        assert not (set(now.ids) - continued) & ever
        for one in now.ended:
            assert set(one.into) <= set(now.ids)
            assert (one.fate == "died") == (not one.into)
        for began in now.began:
            assert set(began.of) <= set(state.topics)
            assert (began.origin == "born") == (not began.of)
        ever |= set(now.ids)
        assert set(now.state.topics) == set(now.ids)
        state = now.state


@given(clusterings(), clusterings(), st.randoms(use_true_random=False))
def test_the_order_changes_nothing(
    first: tuple[list[Found], Any], second: tuple[list[Found], Any], random: Any
) -> None:
    before = follow(State(), *first).state
    found, everyone = second
    told = follow(before, found, everyone)
    mixed = [Found(shuffled(one.members, random), one.features) for one in found]
    assert follow(before, mixed, shuffled(everyone, random)) == told


@given(clusterings())
def test_a_state_is_read_back_from_json(run_: tuple[list[Found], Any]) -> None:
    state = follow(State(), *run_).state
    assert State.from_dict(json.loads(json.dumps(state.as_dict()))) == state


def test_a_topic_that_grows_and_moves_on_is_the_same() -> None:
    before = run(State(), range(1, 40), range(40, 80)).state
    now = run(before, range(55, 140), range(10, 45))
    assert now.ids == (2, 1)


def test_one_that_falls_into_equal_parts_is_split_into_new_ones() -> None:
    before = run(State(), range(1, 81)).state
    now = run(before, range(1, 41), range(41, 81))
    assert [(one.topic, one.fate, one.into) for one in now.ended] == [(1, "split", (2, 3))]
    assert [(one.topic, one.origin, one.of) for one in now.began] == [
        (2, "split", (1,)),
        (3, "split", (1,)),
    ]


def test_equal_ones_that_become_one_are_merged_into_a_new_one() -> None:
    before = run(State(), range(1, 41), range(41, 81)).state
    now = run(before, range(1, 81))
    assert [(one.topic, one.fate, one.into) for one in now.ended] == [
        (1, "merged", (3,)),
        (2, "merged", (3,)),
    ]
    assert [(one.topic, one.origin, one.of) for one in now.began] == [(3, "merged", (1, 2))]


def test_what_became_of_a_topic_is_told_in_words_with_the_others() -> None:
    before = run(State(), range(1, 41), range(41, 81), range(200, 240)).state
    now = run(before, range(1, 81), range(300, 340))
    assert [one.words for one in now.ended] == ["merged (4)", "merged (4)", "died"]
    assert [one.words for one in now.began] == ["merged (1, 2)", "born"]
    assert {one.words for one in run(before, range(1, 41)).began} == {"continued"}


def test_a_large_one_that_takes_a_small_one_in_or_loses_it_is_still_itself() -> None:
    before = run(State(), range(1, 81), range(81, 95)).state
    together = run(before, range(1, 95))
    assert together.ids == (1,)
    assert [(one.fate, one.into) for one in together.ended] == [
        ("continued", (1,)),
        ("merged", (1,)),
    ]
    apart = run(together.state, range(1, 81), range(81, 95))
    assert [(one.topic, one.origin, one.of) for one in apart.began] == [
        (1, "continued", (1,)),
        (3, "split", (1,)),
    ]


def test_what_is_left_of_a_topic_is_still_that_topic() -> None:
    before = run(State(), range(1, 81)).state
    assert run(before, range(1, 16)).ids == (1,)


def test_a_new_topic_with_one_conversation_of_an_old_one_is_not_part_of_that() -> None:
    before = run(State(), range(1, 81)).state
    now = run(before, range(1, 80), [80, *range(200, 240)])
    assert [(one.topic, one.origin) for one in now.began] == [(1, "continued"), (2, "born")]


def test_one_that_is_in_none_has_died_and_its_id_with_it() -> None:
    before = run(State(), range(1, 41), range(41, 81)).state
    now = run(before, range(41, 81))
    assert [(one.topic, one.fate) for one in now.ended] == [(1, "died"), (2, "continued")]
    assert run(now.state, range(1, 41)).ids == (3,)


def test_without_a_conversation_in_both_runs_the_features_tell() -> None:
    words = [{1: 0.8, 2: 0.6}, {3: 1.0}]
    before = run(State(), range(1, 41), range(41, 81), everyone=range(1, 81), words=words).state
    now = run(
        before,
        range(100, 140),
        range(140, 180),
        everyone=range(100, 200),
        words=[{3: 0.8, 5: 0.6}, {7: 1.0}],
    )
    assert now.ids == (2, 3)
    assert Counter(one.fate for one in now.ended) == {"died": 1, "continued": 1}


def test_features_of_another_version_tell_nothing() -> None:
    before = run(State(), range(1, 41), everyone=range(1, 81), words=[{1: 1.0}]).state
    other = State(before.topics, before.next_id, before.conversations, before.sample, "0")
    now = run(other, range(100, 140), everyone=range(100, 140), words=[{1: 1.0}])
    assert now.ids == (2,)


def test_a_state_is_small_and_holds_no_text() -> None:
    state = run(State(), range(1, 5000), everyone=range(1, 5000)).state
    assert len(json.dumps(state.as_dict())) < 20_000


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "has the version 2 and must have 1"),
        ({"topics": None}, "is damaged"),
        ({"topics": {"a": {}}}, "is damaged"),
        ({"topics": {"1": {"size": 1, "members": ["xyz"], "features": {}}}}, "is damaged"),
        ({"next_id": 1}, "next_id is 1 and must be above all ids"),
        ({"next_id": None}, "is damaged"),
    ],
)
def test_what_is_no_state_is_refused(change: dict[str, Any], told: str) -> None:
    data = run(State(), range(1, 41)).state.as_dict() | change
    with pytest.raises(CategorizationError, match=told):
        State.from_dict(data)


@pytest.mark.parametrize("data", [None, [], "x", {}])
def test_what_is_nothing_like_a_state_is_refused(data: Any) -> None:
    with pytest.raises(CategorizationError, match="has the version None"):
        State.from_dict(data)

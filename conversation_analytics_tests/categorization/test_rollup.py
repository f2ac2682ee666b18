"""What messages come to in their conversation."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conversation_analytics.categorization.decisions import UNKNOWN, Decision, Decisions, objects
from conversation_analytics.categorization.rollup import (
    MOST_INTENTS,
    conversation_intents,
    conversation_languages,
    conversation_sentiments,
)

NEGATIVE, NEUTRAL, POSITIVE = ([0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8])
NOTHING = [np.nan] * 3


def says(label: str, confidence: float = 0.9) -> Decision:
    return Decision(label, confidence, "model")


def columns(*decisions: Decision) -> Decisions:
    return Decisions.of((number, 0, one) for number, one in enumerate(decisions))


def language(*said: tuple[Decision, int, bool]) -> Decision:
    """The language of one conversation, by the language, the size and the writer of messages."""
    decisions = columns(*(one for one, _, _ in said))
    sizes = np.array([size for _, size, _ in said], dtype=np.int64)
    by_user = np.array([user for _, _, user in said], dtype=bool)
    owners = np.zeros(len(said), dtype=np.int64)
    return conversation_languages(decisions, owners, sizes, by_user, 1).of_each(1)[0][0]


def sentiments(*conversations: list[list[float]], reasons: list[str | None]) -> list[Decision]:
    """The sentiments of conversations by those of their messages."""
    rows = [row for conversation in conversations for row in conversation]
    found = np.array(rows, dtype=np.float32).reshape(-1, 3)
    owners = np.repeat(np.arange(len(conversations)), [len(one) for one in conversations])
    decided = conversation_sentiments(found, objects(reasons), owners, len(conversations))
    return [one for (one,) in decided.of_each(len(conversations))]


def sentiment(*messages: list[float]) -> Decision:
    return sentiments(list(messages), reasons=[None] * len(messages))[0]


def intents(
    *conversations: list[Decision], courtesies: Collection[str] = ()
) -> list[list[Decision]]:
    count = len(conversations)
    said = columns(*(one for conversation in conversations for one in conversation))
    owners = np.repeat(np.arange(count), [len(one) for one in conversations])
    return conversation_intents(said, owners, count, courtesies).of_each(count)


THAI, ENGLISH = says("th", 1.0), says("en")
SHORT = Decision("und", 0.0, "model", "too_short")


def test_a_conversation_is_in_the_language_that_its_user_writes_most() -> None:
    decision = language((THAI, 30, True), (ENGLISH, 10, True), (ENGLISH, 500, False))

    assert decision.label == "th"
    assert decision.details == {"shares": {"en": 0.25, "th": 0.75}}


def test_where_the_user_writes_too_little_the_others_tell_the_language() -> None:
    assert language((SHORT, 2, True), (ENGLISH, 50, False)).label == "en"
    assert language((SHORT, 2, True)).reason == "too_short"
    assert language().reason == "no_message"


def test_a_language_that_people_tell_of_an_empty_message_is_its_conversations() -> None:
    decision = language((Decision("th", 1.0, "human"), 0, True))

    assert (decision.label, decision.confidence) == ("th", 1)


def test_the_trajectory_of_a_user_who_calms_down() -> None:
    decision = sentiment(NEGATIVE, NEGATIVE, NEUTRAL, NEUTRAL, POSITIVE, POSITIVE)

    assert decision.details == {
        "score": 0.0,
        "start": pytest.approx(-0.7, abs=1e-4),
        "end": pytest.approx(0.7, abs=1e-4),
        "change": pytest.approx(1.4, abs=1e-4),
        "negative_share": pytest.approx(2 / 6, abs=1e-4),
        "messages": 6,
    }


def test_a_single_message_is_start_and_end() -> None:
    details = sentiment(NEGATIVE).details

    assert details is not None
    assert details["start"] == details["end"] == pytest.approx(-0.7, abs=1e-4)
    assert details["change"] == 0


def test_without_a_sentiment_the_most_frequent_reason_is_told() -> None:
    first, silent, last = sentiments(
        [NOTHING] * 3,
        [],
        [NOTHING, POSITIVE],
        reasons=["empty_text", "unmeasured_language", "unmeasured_language", "empty_text", None],
    )

    assert (first.label, first.reason) == (UNKNOWN, "unmeasured_language")
    assert (silent.label, silent.reason, silent.details) == (UNKNOWN, "no_message", None)
    assert (last.label, last.reason) == ("positive", None)


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 30), st.just(3)),
        elements=st.floats(0.0078125, 1, width=32),
    )
)
def test_whatever_users_feel_scores_stay_within_their_limits(numbers: np.ndarray) -> None:
    decision = sentiment(*(numbers / numbers.sum(axis=1, keepdims=True)).tolist())

    details = decision.details
    assert details is not None
    assert 1 / 3 - 1e-3 <= decision.confidence <= 1 + 1e-6
    assert all(-1.0001 <= details[name] <= 1.0001 for name in ("score", "start", "end"))
    assert details["change"] == pytest.approx(details["end"] - details["start"], abs=2e-4)
    assert 0 <= details["negative_share"] <= 1


def test_what_a_user_says_most_and_most_surely_comes_first() -> None:
    (found,) = intents(
        [says("refund", 0.6), says("thanks", 0.9), says("refund", 0.7), says("greeting", 0.5)]
    )

    assert [(one.label, one.confidence) for one in found] == [
        ("refund", 0.7),
        ("thanks", 0.9),
        ("greeting", 0.5),
    ]
    assert found[0].details == {"messages": 2}


def test_a_courtesy_leads_only_a_conversation_without_another_intent() -> None:
    unsure = Decision(UNKNOWN, 0.4, "model", "below_threshold")

    busy, polite = intents(
        [says("thanks"), says("greeting"), says("thanks"), says("refund", 0.5)],
        [unsure, says("thanks")],
        courtesies={"greeting", "thanks"},
    )

    assert [one.label for one in busy] == ["refund", "thanks", "greeting"]
    assert [one.label for one in polite] == ["thanks"]


def test_no_more_intents_than_a_reader_wants() -> None:
    (found,) = intents([says(f"i{n}") for n in range(9)])
    assert len(found) == MOST_INTENTS


def test_without_an_intent_the_likeliest_message_tells_why() -> None:
    unsure = [Decision(UNKNOWN, c, "model", "below_threshold") for c in (0.1, 0.4, 0.2)]
    silent = Decision(UNKNOWN, 0.0, "model", "no_message")

    assert intents(unsure, [], [says("thanks"), unsure[2]]) == [
        [unsure[1]],
        [silent],
        [Decision("thanks", 0.9, "model", details={"messages": 1})],
    ]


_SAID = st.lists(
    st.lists(
        st.builds(
            Decision,
            st.sampled_from(["refund", "thanks", "greeting"]),
            st.floats(0, 1),
            st.just("model"),
            st.sampled_from([None, "below_threshold"]),
        ),
        max_size=6,
    ),
    max_size=5,
)


@given(_SAID)
def test_a_conversation_wants_the_same_whatever_is_around_it(said: list[list[Decision]]) -> None:
    assert intents(*said) == [intents(one)[0] for one in said]

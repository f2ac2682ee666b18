"""What messages come to in their conversation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conversation_analytics.categorization.decisions import UNKNOWN, Decision
from conversation_analytics.categorization.language import Language
from conversation_analytics.categorization.rollup import (
    MOST_INTENTS,
    conversation_intents,
    conversation_language,
    conversation_sentiment,
)

NEGATIVE, NEUTRAL, POSITIVE = ([0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8])


def felt(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, 3)


def wants(label: str, confidence: float = 0.9) -> Decision:
    return Decision(label, confidence, "model")


def test_a_conversation_is_in_the_language_that_its_user_writes_most() -> None:
    thai, english = Language("th", 1.0), Language("en", 0.9)

    decision = conversation_language([(thai, 30, True), (english, 10, True), (english, 500, False)])

    assert decision.label == "th"
    assert decision.details == {"shares": {"en": 0.25, "th": 0.75}}


def test_where_the_user_writes_too_little_the_others_tell_the_language() -> None:
    short, english = Language("und", 0.0), Language("en", 0.9)

    assert conversation_language([(short, 2, True), (english, 50, False)]).label == "en"
    assert conversation_language([(short, 2, True)]).reason == "too_short"
    assert conversation_language([]).reason == "no_message"


def test_the_trajectory_of_a_user_who_calms_down() -> None:
    decision = conversation_sentiment(
        felt(NEGATIVE, NEGATIVE, NEUTRAL, NEUTRAL, POSITIVE, POSITIVE), []
    )

    assert decision.details == {
        "score": 0.0,
        "start": pytest.approx(-0.7, abs=1e-4),
        "end": pytest.approx(0.7, abs=1e-4),
        "change": pytest.approx(1.4, abs=1e-4),
        "negative_share": pytest.approx(2 / 6, abs=1e-4),
        "messages": 6,
    }


def test_a_single_message_is_start_and_end() -> None:
    details = conversation_sentiment(felt(NEGATIVE), []).details

    assert details is not None
    assert details["start"] == details["end"] == pytest.approx(-0.7, abs=1e-4)
    assert details["change"] == 0


def test_without_a_sentiment_the_most_frequent_reason_is_told() -> None:
    decision = conversation_sentiment(
        felt(), ["empty_text", "unmeasured_language", "unmeasured_language"]
    )

    assert (decision.label, decision.reason) == (UNKNOWN, "unmeasured_language")
    assert conversation_sentiment(felt(), []).reason == "no_message"


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 30), st.just(3)),
        elements=st.floats(0.0078125, 1, width=32),
    )
)
def test_whatever_users_feel_scores_stay_within_their_limits(numbers: np.ndarray) -> None:
    decision = conversation_sentiment(numbers / numbers.sum(axis=1, keepdims=True), [])

    details = decision.details
    assert details is not None
    assert 1 / 3 - 1e-3 <= decision.confidence <= 1 + 1e-6
    assert all(-1.0001 <= details[name] <= 1.0001 for name in ("score", "start", "end"))
    assert details["change"] == pytest.approx(details["end"] - details["start"], abs=2e-4)
    assert 0 <= details["negative_share"] <= 1


def test_what_a_user_says_most_and_most_surely_comes_first() -> None:
    found = conversation_intents(
        [wants("refund", 0.6), wants("thanks", 0.9), wants("refund", 0.7), wants("greeting", 0.5)]
    )

    assert [(one.label, one.confidence) for one in found] == [
        ("refund", 0.7),
        ("thanks", 0.9),
        ("greeting", 0.5),
    ]
    assert found[0].details == {"messages": 2}


def test_no_more_intents_than_a_reader_wants() -> None:
    assert len(conversation_intents([wants(f"i{n}") for n in range(9)])) == MOST_INTENTS


def test_without_an_intent_the_likeliest_message_tells_why() -> None:
    unsure = [Decision(UNKNOWN, c, "model", "below_threshold") for c in (0.1, 0.4, 0.2)]

    assert conversation_intents(unsure) == [unsure[1]]
    assert conversation_intents([])[0].reason == "no_message"

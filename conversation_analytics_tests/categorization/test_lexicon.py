"""Feeling words, and what turns and strengthens them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.lexicon import FEELINGS, Floats, Lexicon, Lexicons
from conversation_analytics.categorization.training.lexicons import NEGATIONS, build_lexicon

LEXICON = build_lexicon(
    {"good": 2, "great": 3, "bad": -2.5, "no problem": 1, "😀": 2, ":-(": -2, "ดี": 2, "好": 2},
    negations=["not", "don't", "ไม่"],
    intensifiers={"very": 0.3, "slightly": -0.3},
)
words = st.sampled_from(["good", "bad", "not", "very", "so", "ไม่ดี", "😀", "", "no problem"])
texts = st.lists(words, max_size=8).map(" ".join)


def feelings(texts: Sequence[str], lexicon: Lexicon = LEXICON) -> Floats:
    alone = np.zeros(len(texts), dtype=np.int64)
    return Lexicons([lexicon]).feelings(extract(texts), [alone])


def feeling(text: str, name: str = "last", lexicon: Lexicon = LEXICON) -> float:
    return float(feelings([text], lexicon)[0, FEELINGS.index(name)])


@pytest.mark.parametrize(
    ("text", "valence"),
    [
        ("a good day", 2),
        ("a GOOD day", 2),
        ("a day", 0),
        ("", 0),
        ("goods", 0),
        ("not good", -1.48),
        ("I don’t think so", 0),
        ("don't you think good", 2 * -0.74),
        ("not a day so good", 2),
        ("good, not", 2),
        ("very good", 2.6),
        ("slightly bad", -1.75),
        ("very, good", 2),
        ("no problem", 1),
        ("😀", 2),
        ("oh :-(", -2),
        ("ดีครับ", 2),
        ("ไม่ดี", -1.48),
        ("很好", 2),
    ],
)
def test_a_word_counts_by_what_precedes_it(text: str, valence: float) -> None:
    assert feeling(text) == pytest.approx(valence)


def test_feelings_add_up() -> None:
    found = dict(zip(FEELINGS, feelings(["good great bad so so"])[0], strict=True))
    assert found == pytest.approx(
        {
            "positive": 5 / 6**0.5,
            "negative": 2.5 / 6**0.5,
            "balance": 2.5 / 6**0.5,
            "highest": 3,
            "lowest": -2.5,
            "last": -2.5,
            "positive words": 2,
            "negative words": 1,
            "bounded balance": np.tanh(2.5 / 4),
        }
    )


@given(st.lists(texts, max_size=5))
def test_a_text_feels_the_same_whatever_is_around_it(some: list[str]) -> None:
    alone = [feelings([text])[0] for text in some]
    assert feelings(some) == pytest.approx(np.reshape(alone, (len(some), len(FEELINGS))))


@given(st.lists(st.tuples(texts, st.integers(-1, 1)), max_size=5))
def test_each_text_feels_by_the_lexicon_chosen_for_it(some: list[tuple[str, int]]) -> None:
    lexicons = [LEXICON, build_lexicon({"good": -1, "so": 2}, negations=["bad"])]
    chosen = np.array([number for _, number in some], dtype=np.int64)

    found = Lexicons(lexicons).feelings(extract([text for text, _ in some]), [chosen, 0 * chosen])

    for row, (text, number) in zip(found, some, strict=True):
        own = feelings([text], lexicons[number])[0] if number >= 0 else [0.0] * len(FEELINGS)
        assert row == pytest.approx(np.concatenate([own, feelings([text])[0]]))


def test_every_negation_can_be_found_in_a_text() -> None:
    for language, listed in NEGATIONS.items():
        for word in listed.split():
            lexicon = build_lexicon({"👍": 2}, negations=[word])
            turned = feeling(f"{word} 👍", lexicon=lexicon)
            assert turned == pytest.approx(-1.48), (language, word)

"""Keywords and patterns of a taxonomy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.rules import Rules
from conversation_analytics.categorization.taxonomy import Label, Section

SECTION = Section(
    "topic",
    (
        Label("cancel", keywords=("cancel", "call it off", "ยกเลิก", "取消")),
        Label("order", keywords=("order", "my order", "orders"), patterns=(r"#\d{4,}", r"^ord\b")),
        Label("nothing"),
        Label("love", keywords=("❤️", "i love it so much")),
    ),
)
RULES = Rules(SECTION)
pieces = st.sampled_from(
    [
        "cancel",
        "call",
        "it",
        "off",
        "my",
        "order",
        "orders",
        "i love",
        "so much",
        "❤",
        "取消",
        ",",
        " ",
    ]
)
texts = st.lists(pieces, max_size=8).map(" ".join)


def matched(text: str) -> dict[str, float]:
    (counts,) = RULES.matched([text], extract([text]))
    return {name: float(n) for name, n in zip(SECTION.names, counts, strict=True) if n}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("please CANCEL", {"cancel": 1}),
        ("cancelled", {}),
        ("cancel cancel", {"cancel": 1}),
        ("let us call it off, now", {"cancel": 3}),
        ("call it, off", {}),
        ("call it", {}),
        ("ขอยกเลิกครับ", {"cancel": 6}),
        ("我想取消订单", {"cancel": 2}),
        ("cancel my order", {"cancel": 1, "order": 3}),
        ("where is #12345?", {"order": 2}),
        ("Ord 1", {"order": 2}),
        ("a word", {}),
        ("❤", {"love": 1}),
        ("I love it so much!", {"love": 5}),
        ("i love it so", {}),
        ("", {}),
    ],
)
def test_a_keyword_is_found_where_its_words_follow_each_other(
    text: str, found: dict[str, float]
) -> None:
    assert matched(text) == found


@given(st.lists(texts, max_size=5))
def test_a_text_has_its_keywords_whatever_is_around_it(some: list[str]) -> None:
    together = RULES.matched(some, extract(some))
    assert together.shape == (len(some), len(SECTION.labels))
    for text, counts in zip(some, together, strict=True):
        assert counts.tolist() == RULES.matched([text], extract([text]))[0].tolist()


def test_an_explanation_names_what_was_found() -> None:
    assert RULES.explain("Cancel my order #12345") == {
        "cancel": ["cancel"],
        "order": ["order", "my order", r"#\d{4,}"],
    }


def test_of_five_thousand_labels_each_is_found() -> None:
    labels = tuple(Label(f"t{n}", keywords=(f"word{n}", f"long phrase {n}")) for n in range(5000))
    rules = Rules(Section("topic", labels))
    some = ["word17", "a long phrase 4999 here", "word5000", "long phrase"]
    counts = rules.matched(some, extract(some))
    assert [(row.argmax(), row.max()) for row in counts] == [(17, 1), (4999, 3), (0, 0), (0, 0)]

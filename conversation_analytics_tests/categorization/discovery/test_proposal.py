"""Found topics become a piece of a taxonomy that a person can review and put into the file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.discovery.discover import Topic, discover
from conversation_analytics.categorization.discovery.naming import (
    Representative,
    masked,
    name_of,
    unique_name,
)
from conversation_analytics.categorization.discovery.proposal import apply_patch, propose
from conversation_analytics.categorization.discovery.terms import Term
from conversation_analytics.categorization.taxonomy import (
    DEFAULT_FILE,
    Label,
    Section,
    Taxonomy,
    is_name,
    load_taxonomy,
    read_taxonomy,
)
from conversation_analytics.errors import TaxonomyInvalid
from conversation_analytics_tests.categorization.discovery.corpus import (
    THAI,
    conversations,
    rows,
)

FILE = Path("taxonomy.yaml")
DAY = datetime(2026, 1, 2, tzinfo=UTC)
EMPTY = Taxonomy(FILE)


def topic(
    name: str, *terms: str, id_: int = 7, precision: float = 0.9, examples: tuple[str, ...] = ()
) -> Topic:
    return Topic(
        id_,
        name,
        tuple(Term(text, 9, 0.5, precision) for text in terms),
        tuple(Representative(str(n), text) for n, text in enumerate(examples or ("an example",))),
        12,
        9,
        0.1,
        "en",
        DAY,
        DAY,
    )


def labels(text: str) -> tuple[Label, ...]:
    return read_taxonomy(text, FILE).sections["topic"].labels


def test_a_patch_is_a_taxonomy_of_the_found_topics() -> None:
    patch = propose(
        [topic("battery / hot", "battery", "hot"), topic("a", examples=("x", "y"))], EMPTY
    )
    first, second = labels(patch)
    assert first.name == "battery / hot"
    assert first.description == "12 conversations of 9 users, 2026-01-02: battery, hot"
    assert first.keywords == ("battery", "hot")
    assert first.examples == ("an example",)
    assert (second.keywords, second.examples) == ((), ("x", "y"))


def test_a_keyword_tells_its_topic_from_those_that_are_there() -> None:
    known = (
        Label("orders", keywords=("my order",), examples=("Where is the parcel?",)),
        Label("power", keywords=("battery life",)),
    )
    taxonomy = Taxonomy(FILE, sections={"topic": Section("topic", known)})
    found = topic("found", "order", "parcel", "battery life", "life", "hot", "late parcel")
    (label,) = labels(propose([found], taxonomy))
    assert label.keywords == ("hot", "late parcel")
    (vague,) = labels(propose([topic("found", "hot", precision=0.4)], EMPTY))
    assert vague.keywords == ()


def test_names_are_not_those_that_are_there() -> None:
    taxonomy = Taxonomy(
        FILE, sections={"topic": Section("topic", (Label("Battery"), Label("hot 8")))}
    )
    patch = propose([topic("battery"), topic("hot"), topic("Hot", id_=8)], taxonomy)
    assert [label.name for label in labels(patch)] == ["battery 7", "hot", "Hot 8_"]


@pytest.mark.parametrize(
    ("terms", "name"),
    [
        (("parcel", "late", "courier", "lost"), "parcel / late / courier"),
        (("don't", "parcel"), "parcel"),
        (("ตั๋วเครื่องบิน", "เที่ยวบิน"), "ตั๋วเครื่องบิน / เที่ยวบิน"),
        (("unknown",), "topic 7"),
        ((), "topic 7"),
    ],
)
def test_a_name_is_one_that_a_taxonomy_accepts(terms: tuple[str, ...], name: str) -> None:
    found = name_of([Term(text, 9, 0.5, 0.9) for text in terms], 7)
    assert found == name
    assert is_name(found)


@given(st.text(max_size=8), st.lists(st.text(max_size=8)))
def test_a_name_is_made_unique(name: str, taken: list[str]) -> None:
    found = unique_name(name, 3, taken)
    assert found.casefold() not in {one.casefold() for one in taken}
    assert found.startswith(name)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail anna.b+c@mail.example.com now", "mail [email] now"),
        ("see https://example.com/a?b=1 and\nWWW.example.org", "see [link] and [link]"),
        ("call +49 (170) 123-4567 or 0812345678", "call [number] or [number]"),
        ("card 4111 1111 1111 1111.", "card [number]."),
        ("โทร ๐๘๑๒๓๔๕๖๗๘", "โทร [number]"),
        ("thanks @anna", "thanks [user]"),
        ("order 12345 of 2 items", "order 12345 of 2 items"),
    ],
)
def test_what_leads_to_a_person_is_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


FILES = {
    "topics last": """
        # mine
        intents:
          - name: cancel
            keywords: [cancel]  # ยกเลิก
        topics:  # what about
          # the first
          - name: orders
            keywords: [order]   # one
            examples:
            - where is it
            # of last year
        # the end
        """,
    "topics first": """
        topics:
        - name: orders
          description: >
            Folded
            text.
          examples:
            - |
              two
              lines

        # about intents
        intents:
        - {name: cancel, keywords: [cancel]}
        """,
    "in brackets": """
        topics: [
          {name: orders, keywords: [order]},  # one
          {name: ตั๋ว, keywords: [ตั๋ว]},  # two
        ]
        intents: []  # none yet
        """,
    "empty brackets": """
        topics: []  # none yet
        """,
    "none": """
        intents:  # only
          - name: cancel
            keywords: [cancel]""",
    "all in brackets": "{topics: [], intents: []}",
    "quoted over lines": """
        topics:
          - name: orders
            keywords: ["one
              two"]  # said
        """,
    "default": DEFAULT_FILE.read_text("utf-8"),
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_patch_goes_behind_the_topics_and_nothing_else_changes(text: str) -> None:
    text = dedent(text)
    found = [
        topic("battery / hot", "battery", "ร้อน"),
        topic("no", "null", examples=("a: b # c", "- d")),
    ]
    patch = propose(found, EMPTY)
    merged = apply_patch(text, patch, FILE)
    before, after = read_taxonomy(text, FILE), read_taxonomy(merged, FILE)
    own = before.sections["topic"].labels if "topic" in before.sections else ()
    told = [
        (one.name, one.description, one.keywords, one.examples)
        for one in after.sections["topic"].labels
    ]
    assert told == [
        (one.name, one.description, one.keywords, one.examples) for one in (*own, *labels(patch))
    ]
    if "intent" in before.sections:
        assert after.sections["intent"].version == before.sections["intent"].version
    kept = iter(merged)
    assert all(character in kept for character in text), "characters of the file are gone"


def test_comments_stay_with_what_they_are_about() -> None:
    merged = apply_patch(dedent(FILES["topics last"]), propose([topic("battery")], EMPTY), FILE)
    lines = [line.strip() for line in merged.splitlines()]
    assert lines.index("# of last year") < lines.index("- name: battery")
    assert lines.index("- name: battery") < lines.index("# the end")


def test_a_reviewed_patch_may_name_a_parent_of_the_file() -> None:
    patch = "topics:\n- name: battery\n  parent: orders\n  keywords: [battery]\n"
    merged = apply_patch(dedent(FILES["topics last"]), patch, FILE)
    assert labels(merged)[1].parent == "orders"


def test_a_patch_of_nothing_changes_nothing() -> None:
    assert apply_patch("intents: []\n", propose([], EMPTY), FILE) == "intents: []\n"


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ("topics: [", "the patch is not YAML"),
        ("intents: []", "the patch must be a mapping with a list of topics alone"),
        ("topics: []\nintents: []", "a list of topics alone"),
        ("topics: {}", "a list of topics alone"),
        ("[]", "a list of topics alone"),
        ("", "a list of topics alone"),
        ("topics:\n- name: orders\n  keywords: [a]", "taxonomy.yaml has orders already: take"),
        ("topics:\n- {name: a, keywords: [b]}\n- {name: a, keywords: [c]}", "'a' is there 2 times"),
        ("topics:\n- name: a", "with the patch: line .*'a' has neither"),
        ("topics:\n- a", "with the patch: line .* must be a mapping with a name"),
    ],
)
def test_a_patch_that_cannot_be_put_there_is_refused(patch: str, told: str) -> None:
    with pytest.raises(TaxonomyInvalid, match=told):
        apply_patch(dedent(FILES["topics last"]), patch, FILE)


def test_a_file_that_is_no_taxonomy_is_refused() -> None:
    patch = propose([topic("battery")], EMPTY)
    with pytest.raises(TaxonomyInvalid, match=r"taxonomy\.yaml: line 1"):
        apply_patch("topics: {}", patch, FILE)
    with pytest.raises(TaxonomyInvalid, match="has no topics: write"):
        apply_patch("{}", patch, FILE)


def test_what_was_found_can_be_put_into_the_default_taxonomy() -> None:
    some = rows() + rows(THAI, language="th")
    some[0]["text"] += " mail me: anna@example.com"
    found = discover(conversations(some), min_users=5).topics
    patch = propose(found, load_taxonomy())
    merged = labels(apply_patch(DEFAULT_FILE.read_text("utf-8"), patch, DEFAULT_FILE))
    assert len(merged) == len(labels(DEFAULT_FILE.read_text("utf-8"))) + 8
    assert "anna@" not in patch
    assert all(label.examples for label in merged)

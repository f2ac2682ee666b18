"""Which texts are translated, and into what."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from conversation_analytics.schemas import CATEGORIES, CONVERSATIONS, MESSAGES, TableSchema
from conversation_analytics.translation.selection import Plan, Selected, select
from conversation_analytics_tests.builders import Row

THAI = "ราคาเท่าไหร่ครับ"
TITLE = "คำถามเรื่องราคา"


def table(schema: TableSchema, rows: list[Row]) -> pa.Table:
    """Rows with null in every column they do not name."""
    columns = [pa.field(field.name, field.type) for field in schema.arrow]
    return pa.Table.from_pylist(rows, schema=pa.schema(columns))


def label(about: str, task: str, label: str = "unknown", **changes: Any) -> Row:
    """A label of a message such as ``c1/m1``, or of a conversation such as ``c1``."""
    conversation, _, message = about.partition("/")
    row: Row = {
        "conversation_id": conversation,
        "message_id": message or None,
        "task": task,
        "label": label,
        "rank": 0,
        "confidence": 1.0,
        "abstained": False,
    }
    return row | changes


def language(about: str, code: str, confidence: float = 1.0) -> Row:
    return label(about, "language", code, confidence=confidence)


def said(about: str, content: str = THAI, role: str = "user") -> Row:
    conversation, _, message = about.partition("/")
    return {
        "conversation_id": conversation,
        "message_id": message,
        "role": role,
        "content": content,
    }


def selected(
    messages: list[Row],
    labels: list[Row],
    *targets: str,
    policy: Any = "all",
    title: str | None = None,
) -> list[Selected]:
    conversations = table(CONVERSATIONS, [{"conversation_id": "c1", "title": title}])
    plan = Plan(targets or ("en",), policy)
    return select(plan, conversations, table(MESSAGES, messages), table(CATEGORIES, labels))


def names(found: list[Selected]) -> list[str]:
    """Message and target of each."""
    return [f"{one.message_id}>{one.target}" for one in found]


def test_messages_in_another_language_are_translated() -> None:
    labels = [language("c1", "th"), language("c1/m1", "th"), language("c1/m2", "en")]

    found = selected([said("c1/m1"), said("c1/m2", "How much?")], labels)

    assert found == [Selected("c1", "m1", "th", "en", THAI)]


@pytest.mark.parametrize(
    ("own", "confidence", "of_conversation", "told"),
    [
        ("en", 0.9, "th", None),
        ("en", 0.4, "th", "th"),
        ("und", 0.0, "th", "th"),
        ("th", 0.4, "en", None),
        ("und", 0.0, "und", None),
        ("th", 0.9, "und", "th"),
    ],
)
def test_a_message_whose_language_is_hard_to_tell_is_in_that_of_its_conversation(
    own: str, confidence: float, of_conversation: str, told: str | None
) -> None:
    labels = [language("c1", of_conversation), language("c1/m1", own, confidence)]

    found = selected([said("c1/m1", "ok na")], labels)

    assert [one.language for one in found] == ([told] if told else [])


def test_each_of_several_languages_that_is_not_its_own() -> None:
    labels = [language("c1", "th"), language("c1/m1", "th"), language("c1/m2", "en")]

    found = selected([said("c1/m1"), said("c1/m2", "How much?")], labels, "en", "th", "de")

    assert names(found) == ["m1>en", "m1>de", "m2>th", "m2>de"]


@pytest.mark.parametrize("target", ["th", "TH", "th-TH"])
def test_a_language_is_its_own_in_every_country(target: str) -> None:
    labels = [language("c1", "th"), language("c1/m1", "th")]

    assert selected([said("c1/m1")], labels, target) == []


@pytest.mark.parametrize(
    "nothing",
    [
        "",
        " \n",
        "```python\nprint('สวัสดี')\n```",
        "https://example.org/สวัสดี www.example.org",
        "😀👍🏽 !!!",
        "12,345.00",
        "\u200b",
    ],
)
def test_what_has_no_words_is_not_translated(nothing: str) -> None:
    labels = [language("c1", "th"), language("c1/m1", "th")]

    assert selected([said("c1/m1", nothing)], labels, title=nothing) == []


def test_words_beside_code_and_links_are_translated_with_them() -> None:
    text = f"{THAI} https://example.org ```x = 1```"

    found = selected([said("c1/m1", text)], [language("c1", "th"), language("c1/m1", "th")])

    assert [one.text for one in found] == [text]


def test_titles_tell_their_own_language() -> None:
    english = [language("c1", "en")]
    thai = [language("c1", "th")]

    assert selected([], english, title=TITLE) == [Selected("c1", None, "th", "en", TITLE)]
    assert selected([], thai, title="A question about the price of shipping") == []
    assert [one.language for one in selected([], thai, title="ok")] == ["th"]
    assert selected([], thai, title=None) == []


def test_nobody_speaks_in_what_systems_and_tools_write() -> None:
    labels = [language("c1", "th"), language("c1/m1", "th")]
    roles = ("user", "assistant", "agent", "system", "tool")

    translated = [role for role in roles if selected([said("c1/m1", role=role)], labels)]

    assert translated == ["user", "assistant", "agent"]


@pytest.mark.parametrize("task", ["sentiment", "intent"])
@pytest.mark.parametrize(
    ("reason", "translated"),
    [
        ("below_threshold", True),
        ("unmeasured_language", True),
        ("too_short", False),
        ("empty_text", False),
        (None, False),
    ],
)
def test_low_confidence_is_what_a_local_model_gave_up_on(
    task: str, reason: str | None, translated: bool
) -> None:
    labels = [
        language("c1", "th"),
        language("c1/m1", "th"),
        label("c1/m1", task, reason=reason, abstained=reason is not None),
        label("c1", "topic", "billing"),
    ]

    found = selected([said("c1/m1")], labels, policy="low_confidence", title=TITLE)

    assert names(found) == (["m1>en"] if translated else [])


@pytest.mark.parametrize(
    ("task", "translated"), [("topic", True), ("intent", True), ("sentiment", False)]
)
def test_of_titles_topic_and_intent_of_the_conversation_decide(task: str, translated: bool) -> None:
    labels = [
        language("c1", "th"),
        language("c1/m1", "th"),
        label("c1", task, reason="below_threshold", abstained=True),
    ]

    found = selected([said("c1/m1")], labels, policy="low_confidence", title=TITLE)

    assert names(found) == (["None>en"] if translated else [])


def test_none_translates_nothing() -> None:
    labels = [language("c1", "th"), language("c1/m1", "th")]

    assert selected([said("c1/m1")], labels, policy="none", title=TITLE) == []

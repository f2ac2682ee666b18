"""Which rows an LLM is asked about, and what becomes of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from conversation_analytics.categorization.llm.figures import (
    llm_counts,
    llm_figures,
    pending_tasks,
)
from conversation_analytics.categorization.llm.step import Asked, LlmStep, Scope, ask_llm
from conversation_analytics.categorization.llm.texts import (
    LONGEST_MESSAGE,
    LONGEST_TEXT,
    conversation_texts,
)
from conversation_analytics.schemas import CATEGORIES, MESSAGES
from conversation_analytics_tests.categorization.llm.workflows import (
    Model,
    Workflow,
    contract_of,
    saying,
)

AT = datetime(2024, 1, 2, 10, tzinfo=UTC)
ROWS = CATEGORIES.arrow.remove(len(CATEGORIES.names) - 1)
EVERYTHING = {"sentiment": "negative", "intent": "refund", "topic": "shipping"}
HELPFUL = saying(EVERYTHING)


def row(task: str = "intent", conversation_id: str = "a", **changes: Any) -> dict[str, Any]:
    """A row that an LLM is asked about, unless it is changed."""
    return {
        "conversation_id": conversation_id,
        "message_id": None,
        "task": task,
        "label": "unknown",
        "rank": 0,
        "confidence": 0.4,
        "method": "model",
        "model_version": "local",
        "taxonomy_version": "t",
        "abstained": True,
        "reason": "below_threshold",
        "details": '{"candidate":"refund"}',
        "created_at": AT,
        **changes,
    }


def spoken(conversation_id: str, *said: str, role: str = "user") -> list[dict[str, Any]]:
    return [
        {
            "conversation_id": conversation_id,
            "message_id": f"{conversation_id}-{n}",
            "role": role,
            "content": text,
        }
        for n, text in enumerate(said)
    ]


def messages_of(*rows: dict[str, Any]) -> pa.Table:
    columns = ("conversation_id", "message_id", "role", "content")
    return pa.Table.from_pylist(
        list(rows), pa.schema([MESSAGES.arrow.field(name) for name in columns])
    )


SAID = messages_of(*spoken("a", "I want it back", "now"), *spoken("b", "hello there"))


def asked(
    *rows: dict[str, Any],
    model: Model = HELPFUL,
    scope: Scope = "conversations",
    workflow: Workflow | None = None,
    messages: pa.Table = SAID,
) -> tuple[list[dict[str, Any]], Workflow, Asked]:
    workflow = workflow or Workflow(contract_of(), model)
    step = LlmStep(workflow.contract, scope)
    found = ask_llm(step, workflow, pa.Table.from_pylist(list(rows), ROWS), messages)
    return found.rows.to_pylist(), workflow, found


def only(*rows: dict[str, Any], **how: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The only row there is, and its details."""
    ((found,), _, _) = asked(*rows, **how)
    return found, json.loads(found["details"])


def test_a_label_of_the_llm_takes_the_place_of_none() -> None:
    found, details = only(row())

    assert found == row(
        label="refund",
        confidence=0.9,
        method="llm",
        model_version="categorize-1",
        abstained=False,
        reason=None,
        details=found["details"],
    )
    assert details == {"local": {"label": "refund", "confidence": 0.4}, "agrees": True}


def test_agreement_is_with_the_likeliest_label_of_the_local_models() -> None:
    assert only(row(), model=saying({"intent": "complaint"}))[1]["agrees"] is False
    _, details = only(row("sentiment", reason="unmeasured_language", details=None))
    assert details == {"local": None, "agrees": None}


def test_a_label_tells_what_it_is_part_of() -> None:
    _, details = only(row("topic", details=None))
    assert details["ancestors"] == ["orders"]


@pytest.mark.parametrize(
    ("model", "reason", "more"),
    [
        (saying({"intent": None}), "out_of_scope", {"agrees": False, "confidence": 0.9}),
        (lambda _: "no JSON", "llm_invalid", {}),
        (saying({"intent": "shipping"}), "llm_invalid", {}),
    ],
    ids=["none fits", "no JSON", "label of another task"],
)
def test_where_the_llm_gives_no_label_the_reason_is_told(
    model: Model, reason: str, more: dict[str, Any]
) -> None:
    found, details = only(row(), model=model)

    assert (found["label"], found["method"], found["abstained"]) == ("unknown", "llm", True)
    assert (found["reason"], found["confidence"]) == (reason, 0.4)
    assert more.items() <= details.items()
    assert ("invalid" in details) == (reason == "llm_invalid")


def test_a_row_without_an_answer_stays_and_tells_why() -> None:
    closed = Workflow(contract_of(), HELPFUL, open=False)
    found, details = only(row(), workflow=closed)
    assert found == row(details=found["details"])
    assert details["candidate"] == "refund"
    assert details["llm"] == {"status": "pending", "why": "not asked: the budget is used up"}

    found, details = only(row(), model=lambda _: None)
    assert found == row(details=found["details"])
    assert details["llm"]["status"] == "failed"


@pytest.mark.parametrize("model", [HELPFUL, saying({"intent": None})], ids=["label", "none fits"])
def test_what_waited_has_the_same_row_once_it_is_answered(model: Model) -> None:
    workflow = Workflow(contract_of(), model, open=False)
    waiting, _ = only(row(), workflow=workflow)
    workflow.open = True

    assert only(waiting, workflow=workflow) == only(row(), model=model)


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "language", "label": "und"},
        {"method": "rule", "abstained": False, "reason": None, "label": "refund"},
        {"method": "human", "abstained": False, "reason": None, "label": "complaint"},
        {"reason": "too_short"},
        {"reason": "no_message"},
        {"reason": "empty_text"},
        {"method": "llm", "reason": "out_of_scope"},
        {"method": "llm", "reason": "llm_invalid"},
        {"rank": 1},
        {"message_id": "a-0"},
        {"conversation_id": "nobody speaks"},
    ],
    ids=lambda changes: " ".join(map(str, changes.values())),
)
def test_nothing_else_is_asked_about(changes: dict[str, Any]) -> None:
    before = row(**changes)
    found, workflow, _ = asked(before)
    assert found == [before]
    assert workflow.asked == []


@pytest.mark.parametrize(
    ("scope", "texts"),
    [
        ("conversations", {"user: I want it back\nuser: now"}),
        ("messages", {"now"}),
        ("all", {"user: I want it back\nuser: now", "now"}),
    ],
)
def test_conversations_are_asked_about_whole_and_messages_by_themselves(
    scope: Scope, texts: set[str]
) -> None:
    rows, workflow, _ = asked(row(), row(message_id="a-1"), scope=scope)
    assert {one.content["text"] for call in workflow.asked for one in call} == texts
    assert {one["message_id"] for one in rows if one["method"] == "llm"} == {
        *({None} if scope != "messages" else {}),
        *({"a-1"} if scope != "conversations" else {}),
    }


def test_the_same_text_is_asked_about_once() -> None:
    said = messages_of(*spoken("a", "hello"), *spoken("b", "hel\u200blo"))
    rows, workflow, _ = asked(row(), row(conversation_id="b"), row("topic"), messages=said)
    assert [[one.content["task"] for one in call] for call in workflow.asked] == [
        ["intent", "topic"]
    ]
    assert {one["method"] for one in rows} == {"llm"}


def test_long_texts_are_cut_and_only_those_who_speak_are_heard() -> None:
    said = messages_of(
        *spoken("a", "x" * 9_999, "first"),
        *spoken("a", '{"tool": true}', role="tool"),
        *spoken("a", "", " ", "last", role="agent"),
        *spoken("b", *["y" * 9_999] * 9),
    )
    texts = conversation_texts(said, ["a", "b"])
    assert texts["a"] == f"user: {'x' * LONGEST_MESSAGE}\nuser: first\nagent: last"
    assert len(texts["b"]) == LONGEST_TEXT


def test_a_whole_day_is_counted() -> None:
    def model(item: Any) -> str | None:
        if "hello" in item["text"]:
            return saying({"intent": None, "topic": None})(item)
        return HELPFUL(item)

    rows = [
        *(row(task, details=None) for task in ("sentiment", "topic")),
        row(),
        row(conversation_id="b"),
        row("topic", "b", abstained=False, reason=None, label="orders", details=None),
        row("topic", "b", rank=1, abstained=False, reason=None, label="shipping", details=None),
        row(message_id="a-0"),
    ]
    _, workflow, found = asked(*rows, model=model)
    counts = llm_counts(LlmStep(workflow.contract), found)

    intents = {name[11:]: n for name, n in counts.items() if name.startswith("intent_llm_")}
    assert intents == {
        "of": 2,
        "asked": 2,
        "answered": 1,
        "out_of_scope": 1,
        "compared": 2,
        "agreed": 1,
        "pending": 0,
    }
    assert (counts["topic_llm_of"], counts["topic_llm_asked"]) == (2, 1)
    assert counts["llm_tokens"] == 40
    figures = llm_figures(counts)
    assert (figures["intent"]["share_asked"], figures["intent"]["agreement"]) == (1.0, 0.5)
    assert figures["topic"]["agreement"] is None
    assert pending_tasks(counts) == []


def test_what_waits_is_counted() -> None:
    closed = Workflow(contract_of(), HELPFUL, open=False)
    _, _, found = asked(row(), row("topic"), workflow=closed)
    counts = llm_counts(LlmStep(closed.contract), found)
    assert pending_tasks(counts) == ["topic", "intent"]
    assert counts["intent_llm_pending"] == 1


def test_without_an_llm_there_are_no_figures() -> None:
    assert llm_figures({"intent_labelled": 3}) == {}

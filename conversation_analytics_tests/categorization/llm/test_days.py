"""Days with an LLM: who is asked, what is kept, and what is labelled again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from pydantic import SecretStr

from conversation_analytics.categorization.changes import changes
from conversation_analytics.categorization.days import (
    categories_derivation,
    labeller_for,
    stale_days,
)
from conversation_analytics.storage.days import DayItem, Request
from conversation_analytics.transforms.derived import DerivedDays
from conversation_analytics_tests.builders import Row
from conversation_analytics_tests.categorization.labelled_lake import (
    DAYS,
    FIRST,
    TAXONOMY,
    Labelled,
)
from conversation_analytics_tests.categorization.llm.workflows import Model, Workflow, saying

HELPFUL = saying({"sentiment": "positive", "intent": "refund", "topic": "billing"})
BOTH_TASKS = {day: ["topic", "intent", "sentiment"] for day in DAYS}


class Asking(Labelled):
    """A lake with labels that can be made with an LLM."""

    workflow: Workflow | None = None

    def with_llm(self, model: Model = HELPFUL, **settings: Any) -> Workflow:
        """Have a model asked from now on."""
        given = {"dify_categorize_api_key": SecretStr("key"), **settings}
        self.settings = self.settings.model_copy(update=given)
        step = labeller_for(self.settings).llm
        assert step
        self.workflow = Workflow(step.contract, model)
        return self.workflow

    def without_llm(self) -> None:
        self.settings = self.settings.model_copy(update={"dify_categorize_api_key": None})
        self.workflow = None

    def derived_days(self, unit: str, days: Iterable[date], request: Request) -> Iterable[DayItem]:
        if unit != "categories":
            return super().derived_days(unit, days, request)
        asker_of = (lambda _: workflow) if (workflow := self.workflow) else None
        how = categories_derivation(self.settings, self.lake, asker_of)
        return DerivedDays(self.settings, self.lake, how, list(days), request, self.runner)

    def summary(self, conversation_id: str, day: date = FIRST) -> Row:
        table = self.table("categories", "category_summaries", day)
        (row,) = table.filter(pc.equal(table["conversation_id"], conversation_id)).to_pylist()
        return row


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    return Asking(tmp_path)


def texts(workflow: Workflow) -> list[tuple[str, str]]:
    return [(one.content["task"], one.content["text"]) for call in workflow.asked for one in call]


def test_an_llm_is_asked_about_what_the_local_models_leave_open(asking: Asking) -> None:
    workflow = asking.with_llm()

    assert asking.relabel() == BOTH_TASKS

    thai = asking.label("intent", "thai")
    assert (thai["label"], thai["method"], thai["reason"]) == ("refund", "llm", None)
    assert thai["taxonomy_version"] == labeller_for(asking.settings).taxonomy_version("intent")
    assert asking.summary("thai")["intent"] == "refund"
    assert asking.summary("thai")["topics"] == ["billing"]
    assert ("intent", "user: ขอบคุณมากค่ะ บริการดีมาก\nuser: ok") in texts(workflow)
    for row in asking.rows():
        assert row["method"] != "llm" or row["message_id"] is None


def test_sure_labels_and_people_are_never_asked_about(asking: Asking) -> None:
    before = {("angry", task): asking.labels(task, "angry") for task in ("topic", "intent")}
    asking.correct({"conversation_id": "thai", "task": "topic", "label": "shipping"})

    workflow = asking.with_llm()
    asking.relabel()

    assert {key: asking.labels(key[1], "angry") for key in before} == before
    assert asking.label("topic", "thai")["method"] == "human"
    asked = texts(workflow)
    assert not any("terrible" in text for task, text in asked if task != "sentiment")
    assert not any("ขอบคุณ" in text for task, text in asked if task == "topic")


def test_people_are_right_after_an_llm_has_answered(asking: Asking) -> None:
    asking.with_llm()
    asking.relabel()
    asking.correct({"conversation_id": "thai", "task": "intent", "label": "refund"})

    assert asking.relabel() == {FIRST: ["intent"]}

    assert asking.label("intent", "thai")["method"] == "human"


def test_messages_are_asked_about_where_that_is_wished(asking: Asking) -> None:
    workflow = asking.with_llm(categorize_with_llm="messages")
    asking.relabel()

    assert asking.label("intent", "thai", "thai-0")["method"] == "llm"
    assert asking.label("intent", "thai")["method"] != "llm"
    assert ("intent", "ขอบคุณมากค่ะ บริการดีมาก") in texts(workflow)


def test_another_version_of_the_workflow_asks_again_and_none_gives_the_local_labels_back(
    asking: Asking,
) -> None:
    before = asking.rows()
    asking.with_llm()
    assert asking.relabel() == BOTH_TASKS
    assert asking.relabel() == {}

    newer = asking.with_llm(dify_categorize_version="2")
    assert asking.relabel() == BOTH_TASKS
    assert asking.label("intent", "thai")["model_version"] == "categorize-2"
    assert newer.asked

    asking.without_llm()
    assert asking.relabel() == BOTH_TASKS
    assert asking.rows() == before
    assert not any("llm" in name for name in asking.manifest("categories", FIRST).counts)


def test_other_words_for_a_label_ask_again_what_is_about_it_alone(asking: Asking) -> None:
    asking.with_llm()
    asking.relabel()
    described = "  - name: refund\n    description: Money back."
    asking.taxonomy.write_text(TAXONOMY.replace("  - name: refund", described))

    workflow = asking.with_llm()

    assert asking.relabel() == {day: ["intent"] for day in DAYS}
    assert {task for task, _ in texts(workflow)} == {"intent"}


def test_what_is_known_is_not_asked_again(asking: Asking) -> None:
    workflow = asking.with_llm()
    asking.relabel()
    calls, rows = len(workflow.asked), asking.rows()

    asking.run(*DAYS)

    assert len(workflow.asked) == calls
    assert asking.rows() == rows


def test_days_that_wait_for_answers_are_stale_until_they_have_them(asking: Asking) -> None:
    workflow = asking.with_llm()
    workflow.open = False
    asking.relabel()
    waiting = asking.label("intent", "thai")
    assert (waiting["label"], waiting["reason"] is None) == ("unknown", False)
    assert json.loads(waiting["details"])["llm"]["status"] == "pending"
    stale = stale_days(asking.settings, asking.lake)
    assert "intent" in stale[FIRST]

    workflow.open = True
    assert asking.relabel() == stale

    assert asking.label("intent", "thai")["method"] == "llm"
    assert asking.relabel() == {}


def test_without_anybody_to_ask_questions_wait(asking: Asking) -> None:
    asking.with_llm()
    asking.workflow = None
    asking.relabel()
    assert asking.manifest("categories", FIRST).counts["intent_llm_pending"] > 0


def test_tasks_that_did_not_change_keep_their_answers_and_their_figures(asking: Asking) -> None:
    asking.with_llm()
    asking.relabel()
    before = asking.manifest("categories", FIRST).counts
    asking.taxonomy.write_text(TAXONOMY.replace("[invoice]", "[invoice, angry]"))
    workflow = asking.with_llm()

    assert asking.relabel() == {day: ["topic"] for day in DAYS}

    assert {task for task, _ in texts(workflow)} <= {"topic"}
    after = asking.manifest("categories", FIRST).counts
    intents = [name for name in before if name.startswith("intent_")]
    assert {name: after[name] for name in intents} == {name: before[name] for name in intents}


def test_nobody_is_asked_where_that_is_not_wished(asking: Asking) -> None:
    key = SecretStr("key")
    for off in ({"categorize_with_llm": "none"}, {"dify_categorize_api_key": None}):
        given = {"dify_categorize_api_key": key, **off}
        assert labeller_for(asking.settings.model_copy(update=given)).llm is None
    common = {"dify_api_key": key, "dify_categorize_api_key": None}
    assert labeller_for(asking.settings.model_copy(update=common)).llm is None


def test_an_answer_outside_the_labels_never_becomes_public(asking: Asking) -> None:
    asking.with_llm(saying({"sentiment": "furious", "intent": "x'; --", "topic": "refund"}))
    asking.relabel()

    invalid = [row for row in asking.rows() if row["reason"] == "llm_invalid"]
    assert invalid
    assert {row["label"] for row in invalid} == {"unknown"}
    assert not any(row["method"] == "llm" and not row["abstained"] for row in asking.rows())


def test_what_an_llm_labelled_is_no_change_of_another_taxonomy(asking: Asking) -> None:
    asking.with_llm()
    asking.relabel()
    found = changes(
        asking.lake, DAYS, None, labeller_for(asking.settings), tasks=["intent", "topic"], most=None
    )
    assert found.changed == {}

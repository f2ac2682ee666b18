"""What a workflow is given, and what of its answers is used."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.llm.contract import CategorizeContract
from conversation_analytics.dify.questions import Question, Unanswered
from conversation_analytics_tests.categorization.llm.workflows import (
    TAXONOMY,
    answer,
    contract_of,
    item_by_item,
    run_of,
    saying,
)

CONTRACT = contract_of()
FIRST, SECOND = "where is my money", "the parcel is late"
REFUND, TOPIC = CONTRACT.question(FIRST, "intent"), CONTRACT.question(SECOND, "topic")
BOTH = [REFUND, TOPIC]


def items(questions: list[Question], contract: CategorizeContract = CONTRACT) -> dict[str, Any]:
    """The items of a call by their texts."""
    return {one["text"]: one for one in json.loads(contract.inputs(questions)["items"])}


def id_of(question: Question, among: list[Question]) -> str:
    return str(items(among)[question.content["text"]]["id"])


def given_for(labels: Any, questions: list[Question]) -> dict[str, Any]:
    return dict(CONTRACT.answers(run_of(labels), questions))


def only(labels: Any) -> Any:
    """What becomes of one question."""
    return given_for(labels, [REFUND])[REFUND.key]


ID = id_of(REFUND, [REFUND])


def test_a_text_is_one_item_whatever_is_asked_of_it() -> None:
    more = CONTRACT.question(FIRST, "sentiment")

    found = items([REFUND, more, TOPIC])

    assert found[FIRST]["tasks"] == ["intent", "sentiment"]
    assert found[SECOND]["tasks"] == ["topic"]
    assert found[FIRST].keys() == {"id", "tasks", "text"}


def test_the_labels_of_what_is_asked_come_along_with_what_belongs_to_them() -> None:
    tasks = json.loads(CONTRACT.inputs(BOTH)["tasks"])

    assert tasks.keys() == {"intent", "topic"}
    assert tasks["intent"]["labels"] == {"refund": "Wants money back.", "complaint": ""}
    assert tasks["topic"]["labels"]["shipping"] == "Parcels and carriers. (Part of orders.)"


def test_ids_cannot_be_guessed_from_a_text_and_do_not_hang_on_the_order() -> None:
    assert id_of(REFUND, BOTH) == id_of(REFUND, BOTH[::-1])
    assert id_of(REFUND, BOTH) != id_of(REFUND, [REFUND])
    assert len({one["id"] for one in items(BOTH).values()}) == 2


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("Wants money back.", "Wants a discount.", {"intent"}),
        ("name: complaint", "name: grievance", {"intent"}),
        ("Parcels and carriers.", "Parcels.", {"topic"}),
    ],
)
def test_questions_are_new_ones_when_the_labels_of_their_task_mean_something_else(
    before: str, after: str, changes: set[str]
) -> None:
    other = contract_of(TAXONOMY.replace(before, after))
    tasks = ("sentiment", "intent", "topic")
    keys = {task: CONTRACT.question(FIRST, task).key for task in tasks}

    assert {task for task in tasks if other.question(FIRST, task).key != keys[task]} == changes
    assert {
        task for task in tasks if other.task_version(task) != CONTRACT.task_version(task)
    } == changes


def test_another_version_of_the_workflow_is_another_workflow() -> None:
    other = contract_of(version="2")
    assert (CONTRACT.workflow, other.workflow) == ("categorize-1", "categorize-2")
    assert other.task_version("intent") != CONTRACT.task_version("intent")


def test_a_task_without_labels_is_not_asked() -> None:
    contract = contract_of("intents: [{name: refund, keywords: [money]}]")
    assert contract.choices.keys() == {"sentiment", "intent"}
    assert contract.task_version("topic") is None


ONE = [answer(ID, "intent", "refund")]


@pytest.mark.parametrize(
    "labels",
    [ONE, json.dumps(ONE), [json.dumps(ONE)], [*ONE, *ONE], [*ONE, answer("b", "intent", "x")]],
    ids=["list", "text", "text an item", "said twice", "another id besides"],
)
def test_a_label_of_the_task_is_taken(labels: Any) -> None:
    assert only(labels) == {"label": "refund", "confidence": 0.9}


@pytest.mark.parametrize("label", ["none", None])
def test_that_none_fits_is_an_answer(label: Any) -> None:
    assert only([answer(ID, "intent", label, 1)]) == {"label": None, "confidence": 1.0}


def test_a_label_that_is_called_none_is_one() -> None:
    contract = contract_of("intents: [{name: none, keywords: [nothing]}]")
    question = contract.question(FIRST, "intent")
    (item,) = items([question], contract).values()

    for label, wanted in (("none", "none"), (None, None)):
        run = run_of([answer(item["id"], "intent", label)])
        assert contract.answers(run, [question])[question.key] == {
            "label": wanted,
            "confidence": 0.9,
        }


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ("refund", "the answer is not JSON"),
        ('```json\n[{"id": 1}]\n```', "the answer is not JSON"),
        ("[" * 100_000, "the answer is not JSON"),
        ("\ud800", "the answer is not JSON"),
        ('{"id": "1"}', "the answer is a JSON dict and no list"),
        (7, "labels is a int and no list"),
        ({}, "labels is a dict and no list"),
        ([], "no answer for it"),
        ([None, 1, [], "a"], "no answer for it"),
        ([answer("other", "intent", "refund")], "no answer for it"),
        ([answer(ID, "topic", "shipping")], "no answer for it"),
        ([answer(ID, "intent", "Refund")], "label 'Refund': must be one of the intents"),
        ([answer(ID, "intent", "shipping")], "label 'shipping': must be one of the intents"),
        ([answer(ID, "intent", "unknown")], "label 'unknown': must be one of the intents"),
        ([answer(ID, "intent", ["refund"])], "label of type list: must be one of the intents"),
        ([answer(ID, "intent", "x" * 900)], "x…: must be one of the intents"),
        ([answer(ID, "intent", "\ud800")], r"label '\ud800': must be one of the intents"),
        ([{"id": ID, "task": "intent", "confidence": 1}], "label None: must be one of the intents"),
        ([answer(ID, "intent", "refund", "0.9")], "confidence '0.9': must be a number from 0 to 1"),
        ([answer(ID, "intent", "refund", 1.1)], "confidence 1.1: must be a number from 0 to 1"),
        ([answer(ID, "intent", "refund", float("nan"))], "confidence nan: must be a number"),
        ([answer(ID, "intent", "refund", True)], "confidence of type bool: must be a number"),
        ([answer(ID, "intent", "refund", None)], "confidence None: must be a number from 0 to 1"),
        ([*ONE, answer(ID, "intent", "complaint")], "several answers for it that differ"),
        ([*ONE, answer(ID, "intent", "refund", 0.2)], "several answers for it that differ"),
        ([*ONE, answer(ID, "intent", "nonsense")], "several answers for it that differ"),
    ],
)
def test_anything_else_is_told_to_be_invalid_and_why(labels: Any, why: str) -> None:
    found = only(labels)
    assert found.keys() == {"invalid"}
    assert why in found["invalid"]
    assert len(found["invalid"]) < 200


def test_a_workflow_that_gives_nothing_has_not_answered() -> None:
    run = run_of(None, status="failed", error="no credit")
    found = CONTRACT.answers(run, [REFUND])[REFUND.key]
    assert isinstance(found, Unanswered)
    assert found.error == "the workflow gave no output labels: no credit"


def test_an_item_on_which_the_workflow_failed_is_unanswered_and_the_others_are_not() -> None:
    inputs = CONTRACT.inputs(BOTH)
    whole = item_by_item(saying({"intent": "refund", "topic": "orders"}), inputs)
    first = json.loads(inputs["items"])[0]["text"] == FIRST
    broken = given_for([None, whole[1]] if first else [whole[0], None], BOTH)

    assert isinstance(broken[REFUND.key], Unanswered)
    assert broken[TOPIC.key] == {"label": "orders", "confidence": 0.9}


def test_a_text_in_the_place_of_one_item_may_not_speak_of_another() -> None:
    whole = item_by_item(saying({"intent": "refund", "topic": "orders"}), CONTRACT.inputs(BOTH))

    found = given_for(whole[::-1], BOTH)

    strange = {"invalid": "the answer speaks of other items than its own"}
    assert found == {question.key: strange for question in BOTH}


def test_answers_without_those_that_failed_are_told_apart_by_their_ids() -> None:
    found = given_for([json.dumps([answer(id_of(TOPIC, BOTH), "topic", "orders")])], BOTH)
    assert found[TOPIC.key] == {"label": "orders", "confidence": 0.9}
    assert found[REFUND.key] == {"invalid": "no answer for it"}


def test_a_kept_answer_is_looked_at_again() -> None:
    assert CONTRACT.verdict({"label": "refund", "confidence": 0.5}, "intent").label == "refund"
    assert CONTRACT.verdict({"label": "gone", "confidence": 0.5}, "intent").invalid is not None
    assert CONTRACT.verdict({"invalid": "why"}, "intent").invalid == "why"
    assert CONTRACT.verdict([1], "intent").invalid is not None


# Whatever JSON can hold and Python besides, with the names that matter among the others.
NAMES = st.sampled_from(
    ["id", "task", "label", "confidence", "labels", "intent", "topic", "refund", "shipping", "none"]
    + [id_of(one, BOTH) for one in BOTH]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=9),
    NAMES,
    st.just(10**30),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(NAMES, st.text()), inner, max_size=4)
    ),
    max_leaves=12,
)
ANSWERS = st.fixed_dictionaries(
    {"id": st.one_of(NAMES, VALUES), "task": NAMES, "label": st.one_of(NAMES, VALUES)},
    optional={"confidence": st.one_of(st.floats(0, 1), VALUES)},
)
MADE = st.one_of(VALUES, st.lists(st.one_of(ANSWERS, VALUES), max_size=4))
TEXTS = st.one_of(st.text(), st.text(alphabet=string.printable), MADE.map(json.dumps))
OUTPUTS = st.one_of(MADE, TEXTS, st.lists(st.one_of(st.none(), TEXTS), max_size=4))
ALLOWED = {REFUND.key: {"refund", "complaint", None}, TOPIC.key: {"orders", "shipping", None}}


@given(OUTPUTS)
def test_no_output_raises_or_gives_a_label_that_there_is_not(labels: Any) -> None:
    found = given_for(labels, BOTH)

    assert found.keys() == ALLOWED.keys()
    for key, value in found.items():
        if isinstance(value, Unanswered) or "invalid" in value:
            continue
        assert value["label"] in ALLOWED[key]
        assert 0 <= value["confidence"] <= 1
        json.dumps(value, allow_nan=False)

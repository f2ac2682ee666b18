"""What the workflow is given and gives back: no text is ever taken for that of another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.dify.questions import Question, Unanswered
from conversation_analytics.translation.contract import (
    Answer,
    TranslationContract,
    by_target,
    question_of,
)
from conversation_analytics_tests.translation.askers import run_with

CONTRACT = TranslationContract()


def questions(*texts: str, target: str = "en") -> list[Question]:
    return [question_of(text, language="th", target=target) for text in texts]


def ids_of(asked: list[Question]) -> dict[str, str]:
    """Text → id, as the workflow is given them."""
    texts = json.loads(CONTRACT.inputs(asked)["texts"])
    return {one["text"]: one["id"] for one in texts}


def answers(output: Any, asked: list[Question]) -> dict[str, Answer]:
    """Text → what became of it."""
    found = CONTRACT.answers(run_with(translations=output), asked)
    return {one.content["text"]: found[one.key] for one in asked}


def items(asked: list[Question], **translated: str) -> list[dict[str, Any]]:
    ids = ids_of(asked)
    return [{"id": ids[text], "text": answer} for text, answer in translated.items()]


def test_the_workflow_is_given_a_language_and_numbered_texts_as_json() -> None:
    asked = questions("สวัสดี", 'a "quoted"\nline')

    inputs = CONTRACT.inputs(asked)

    assert inputs.keys() == {"target_language", "texts"}
    assert inputs["target_language"] == "en"
    texts = json.loads(inputs["texts"])
    assert {one["id"] for one in texts} == {"1", "2"}
    assert {one["text"] for one in texts} == {"สวัสดี", 'a "quoted"\nline'}
    assert all(one.keys() == {"id", "language", "text"} for one in texts)
    assert "สวัสดี" in inputs["texts"]


def test_a_question_is_that_of_a_text_and_a_target_wherever_it_is_found() -> None:
    first, again = (question_of("ok", language=code, target="en") for code in ("th", "vi"))
    others = (
        question_of("ok", language="th", target="de"),
        question_of("OK", language="th", target="en"),
    )

    assert first.key == again.key
    assert first.key not in {other.key for other in others}


def test_no_call_mixes_target_languages() -> None:
    asked = [*questions("a", "b"), *questions("a", target="de"), *questions("c")]

    groups = by_target(asked)

    assert [[one.content["text"] for one in group] for group in groups] == [["a", "b", "c"], ["a"]]


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "```json\n{}\n```",
        "```\n{}```",
        "Here are [2] translations:\n\n{}\n\nTell me if you need more.",
        '<think>1 is [{{"id": "1"}}] I guess</think>\n{}',
        '{{"translations": {}}}',
        "  \n{}",
    ],
)
def test_json_is_found_whatever_a_model_puts_around_it(around: str) -> None:
    asked = questions("a", "b")
    output = json.dumps(items(asked, a="A ```x```", b="B [1] {y}"))

    assert answers(around.format(output), asked) == {"a": "A ```x```", "b": "B [1] {y}"}


def test_lists_objects_and_numbers_as_ids_are_understood() -> None:
    asked = questions("a", "b")
    ids = ids_of(asked)
    wanted = {"a": "A", "b": "B"}

    assert answers(items(asked, **wanted), asked) == wanted
    assert answers({ids[text]: answer for text, answer in wanted.items()}, asked) == wanted
    assert answers([{"id": int(ids[t]), "text": a} for t, a in wanted.items()], asked) == wanted
    alone = questions("a")
    assert answers({"id": "1", "text": "A"}, alone) == {"a": "A"}


@pytest.mark.parametrize(
    ("given_", "error"),
    [
        ([], "left this text out"),
        ([{"id": "1", "text": ""}], "an empty text"),
        ([{"id": "1", "text": " \n"}], "an empty text"),
        ([{"id": "1", "text": None}], "something else than a text"),
        ([{"id": "1", "text": ["x"]}], "something else than a text"),
        ([{"id": "1"}], "something else than a text"),
        ([{"id": "2", "text": "x"}], "left this text out"),
        (["x"], "left this text out"),
        ([{"id": "1", "text": "x"}, {"id": "1", "text": "y"}], "different translations"),
        ('[{"id": "1", "text": "\\ud83d"}]', "no Unicode"),
        ("I cannot translate this.", "is not a JSON list"),
        ("", "is not a JSON list"),
        (7, "is not a JSON list"),
        (None, "is not a JSON list"),
    ],
)
def test_what_cannot_be_used_is_unanswered_with_the_reason(given_: Any, error: str) -> None:
    found = answers(given_, questions("a"))["a"]

    assert isinstance(found, Unanswered)
    assert error in found.error


def test_the_same_answer_twice_is_one_answer() -> None:
    twice = [{"id": "1", "text": "x"}] * 2

    assert answers(twice, questions("a")) == {"a": "x"}


def test_of_an_answer_that_is_cut_off_the_whole_items_count() -> None:
    asked = questions("a", "b")
    output = json.dumps(items(asked, a="A", b="B"))

    found = answers(output[:-4], asked)

    assert found["a"] == "A"
    assert isinstance(found["b"], Unanswered)


def test_a_workflow_without_the_output_is_told_what_it_lacks() -> None:
    asked = questions("a")

    (found,) = CONTRACT.answers(run_with(text="A"), asked).values()
    (failed,) = CONTRACT.answers(run_with("failed", "the model is overloaded"), asked).values()

    assert found == Unanswered("the workflow has no output 'translations': its outputs are text")
    assert failed == Unanswered("the model is overloaded")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "text", "1", "2", "translations"]), inner)
    ),
    max_leaves=12,
)
BROKEN = st.text(st.sampled_from('[]{}",:idtex123 \\u`'), max_size=40)


@given(JSON | JSON.map(json.dumps) | BROKEN | st.just("[" * 100_000))
def test_whatever_comes_back_every_question_has_an_answer_and_nothing_raises(output: Any) -> None:
    asked = questions("a", "b", "c")

    found = answers(output, asked)

    assert found.keys() == {"a", "b", "c"}
    for answer in found.values():
        assert isinstance(answer, Unanswered) or answer.strip()


@given(
    st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6, unique=True),
    st.data(),
)
def test_a_text_is_never_taken_for_that_of_another(texts: list[str], data: st.DataObject) -> None:
    asked = questions(*texts)
    ids = ids_of(asked)
    whole = [{"id": ids[text], "text": f"<{text}>"} for text in texts]
    strange = [{"id": "99", "text": "x"}, {"id": "0", "text": "y"}, {"text": "z"}, "w"]
    given_ = data.draw(st.permutations([*whole, *strange]))
    output = json.dumps(given_[: data.draw(st.integers(0, len(given_)))])
    cut = output[: data.draw(st.integers(0, len(output)))]
    later = data.draw(st.permutations(asked))

    for text, answer in answers(cut, list(later)).items():
        assert isinstance(answer, Unanswered) or answer == f"<{text}>"

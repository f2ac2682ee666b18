"""The documented contract is the real one, and the example of a workflow keeps it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

import conversation_analytics
from conversation_analytics.translation.contract import (
    LONGEST,
    TARGET,
    TEXTS,
    TRANSLATIONS,
    TranslationContract,
    question_of,
)
from conversation_analytics_tests.translation.askers import run_with

DOCS = Path(conversation_analytics.__file__).parent.parent / "docs"
REFERENCE = re.compile(r"\{\{#(\w+)\.(\w+)#\}\}")


def workflow() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCS / "dify" / "translate.yml").read_text("utf-8"))
    return found


def nodes() -> dict[str, dict[str, Any]]:
    """The data of each node, by its type."""
    return {node["data"]["type"]: node["data"] for node in workflow()["workflow"]["graph"]["nodes"]}


def test_the_example_is_a_workflow_that_dify_imports() -> None:
    found = workflow()

    assert (found["kind"], found["app"]["mode"]) == ("app", "workflow")
    assert tuple(map(int, str(found["version"]).split("."))) >= (0, 1, 5)
    assert found["workflow"].keys() >= {"graph", "features", "environment_variables"}


def test_the_example_takes_and_gives_what_the_contract_says() -> None:
    variables = {one["variable"]: one for one in nodes()["start"]["variables"]}
    outputs = {one["variable"]: one["value_selector"] for one in nodes()["end"]["outputs"]}

    asked = [question_of("สวัสดี", language="th", target="en")]
    assert variables.keys() == TranslationContract().inputs(asked).keys() == {TARGET, TEXTS}
    assert all(one["required"] for one in variables.values())
    assert outputs.keys() == {TRANSLATIONS}
    # JSON may take two characters for one.
    assert variables[TEXTS]["max_length"] >= 2 * LONGEST


def test_the_example_is_connected_from_its_start_to_its_end() -> None:
    graph = workflow()["workflow"]["graph"]
    ids = {node["id"]: node["data"]["type"] for node in graph["nodes"]}
    edges = [(ids[edge["source"]], ids[edge["target"]]) for edge in graph["edges"]]

    assert edges == [("start", "llm"), ("llm", "end")]
    assert all(edge["data"]["sourceType"] == ids[edge["source"]] for edge in graph["edges"])
    prompts = " ".join(one["text"] for one in nodes()["llm"]["prompt_template"])
    assert {(ids[id_], name) for id_, name in REFERENCE.findall(prompts)} == {
        ("start", TARGET),
        ("start", TEXTS),
    }
    (output,) = nodes()["end"]["outputs"]
    assert (ids[output["value_selector"][0]], output["value_selector"][1]) == ("llm", "text")


def test_the_examples_of_the_page_are_of_the_contract() -> None:
    page = (DOCS / "translation.md").read_text("utf-8")
    inputs, outputs = (json.loads(one) for one in re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    asked = [
        question_of(one["text"], language=one["language"], target=inputs[TARGET])
        for one in json.loads(inputs[TEXTS])
    ]
    # Ids go by keys, which these texts happen to be in order of.
    assert TranslationContract().inputs(asked) == inputs

    answers = TranslationContract().answers(run_with(**outputs), asked)

    assert [answers[one.key] for one in asked] == [
        "The product came very late",
        "Where is my parcel?",
    ]

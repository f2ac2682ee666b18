"""Workflows that keep the contracts of translations and of categories, without any model.

They know what the generator says (see `phrasebook`); of anything else they say what a good model
would say of what it does not understand: nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from conversation_analytics_tests.services.dify_contract import App, Inputs
from conversation_analytics_tests.services.phrasebook import meaning_of

# Intent and topic of the default taxonomy, and the sentiment, of each of the generator's matters.
_LABELS: Final = {
    "refund": {"intent": "refund", "topic": "orders", "sentiment": "negative"},
    "delivery": {"intent": "ask_status", "topic": "orders", "sentiment": "neutral"},
    "login": {"intent": "report_problem", "topic": "account", "sentiment": "negative"},
    "billing": {"intent": "report_problem", "topic": "billing", "sentiment": "negative"},
    "how_to": {"intent": "how_to", "topic": "technical", "sentiment": "neutral"},
    "complaint": {"intent": "complain", "topic": "orders", "sentiment": "negative"},
    "cancel": {"intent": "cancel", "topic": "account", "sentiment": "neutral"},
}
_CONFIDENCE: Final = 0.9


def translating_app(*, seconds: float = 0.0) -> App:
    """An app that translates; its runs take so many seconds."""
    return App(workflow=translate, needed=("target_language", "texts"), seconds=seconds)


def categorizing_app(*, seconds: float = 0.0) -> App:
    """An app that labels; its runs take so many seconds."""
    return App(workflow=categorize, needed=("tasks", "items"), seconds=seconds)


def translate(inputs: Inputs) -> Inputs:
    """The outputs of `translation.contract` for its inputs; only English is known."""
    found = [
        {"id": text["id"], "text": meaning.english}
        for text in json.loads(inputs["texts"])
        if inputs["target_language"] == "en" and (meaning := meaning_of(text["text"]))
    ]
    return {"translations": json.dumps(found, ensure_ascii=False)}


def categorize(inputs: Inputs) -> Inputs:
    """The outputs of `categorization.llm.contract` for its inputs."""
    tasks = json.loads(inputs["tasks"])
    answers = [
        {"id": item["id"], "task": task, **_answer(item["text"], task, tasks[task]["labels"])}
        for item in json.loads(inputs["items"])
        for task in item["tasks"]
    ]
    return {"labels": json.dumps(answers)}


def _answer(text: str, task: str, labels: dict[str, Any]) -> dict[str, Any]:
    for scenario in _scenarios(text):
        label = _LABELS[scenario][task]
        if label in labels:
            return {"label": label, "confidence": _CONFIDENCE}
    return {"label": "none", "confidence": _CONFIDENCE}


def _scenarios(text: str) -> Iterator[str]:
    """The matters that the lines of a conversation are about, in order."""
    for line in text.splitlines():
        meaning = meaning_of(line.partition(": ")[2]) or meaning_of(line)
        if meaning and meaning.scenario:
            yield meaning.scenario

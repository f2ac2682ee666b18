"""A workflow that answers as it is told to, and an asker that makes its calls at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conversation_analytics.categorization.llm.choices import choices_of
from conversation_analytics.categorization.llm.contract import CategorizeContract
from conversation_analytics.categorization.taxonomy import read_taxonomy
from conversation_analytics.dify.questions import Question, Reply, Unanswered
from conversation_analytics.dify.runs import WorkflowRun

Item = Mapping[str, Any]
Model = Callable[[Item], str | None]
"""What an LLM says of one item, as text; null if it fails."""

TAXONOMY = """
intents:
  - name: refund
    description: Wants money back.
    keywords: [money back]
  - name: complaint
    keywords: [complaint]
topics:
  - name: orders
  - name: shipping
    description: Parcels and carriers.
    parent: orders
    keywords: [parcel]
"""


def contract_of(text: str = TAXONOMY, version: str = "1") -> CategorizeContract:
    return CategorizeContract(version, choices_of(read_taxonomy(text, Path("taxonomy.yaml"))))


def answer(id_: str, task: str, label: Any, confidence: Any = 0.9) -> dict[str, Any]:
    return {"id": id_, "task": task, "label": label, "confidence": confidence}


def saying(labels: Mapping[str, Any], confidence: Any = 0.9) -> Model:
    """A model that gives every item the same labels, by task."""

    def model(item: Item) -> str:
        some = [answer(item["id"], task, labels[task], confidence) for task in item["tasks"]]
        return json.dumps(some)

    return model


def run_of(labels: Any, **changes: Any) -> WorkflowRun:
    given: dict[str, Any] = {
        "run_id": "run-1",
        "status": "succeeded",
        "outputs": {"labels": labels},
        "total_tokens": 100,
        "obtained": "streamed",
    }
    return WorkflowRun(**{**given, **changes})


def item_by_item(model: Model, inputs: Mapping[str, Any]) -> list[str | None]:
    """What the example workflow gives: it has the model look at one item at a time."""
    return [model(item) for item in json.loads(inputs["items"])]


@dataclass
class Workflow:
    """Asks a model in this process; never twice the same.

    Attributes:
        contract: how it is asked.
        model: who answers.
        open: whether questions are answered at all, else all are pending.
        asked: the questions that were, call by call.
    """

    contract: CategorizeContract
    model: Model
    open: bool = True
    asked: list[list[Question]] = field(default_factory=list)
    _known: dict[str, Reply] = field(default_factory=dict)

    def ask(self, questions: Sequence[Question]) -> dict[str, Reply]:
        new = [question for question in questions if question.key not in self._known]
        if self.open and new:
            self._call(new)
        waits = Reply(status="pending", error="not asked: the budget is used up")
        return {question.key: self._known.get(question.key, waits) for question in questions}

    def _call(self, questions: list[Question]) -> None:
        self.asked.append(questions)
        run = run_of(item_by_item(self.model, self.contract.inputs(questions)))
        for key, value in self.contract.answers(run, questions).items():
            if isinstance(value, Unanswered):
                self._known[key] = Reply(status="failed", error=value.error, run_id=run.run_id)
            else:
                self._known[key] = Reply(
                    status="succeeded", value=value, run_id=run.run_id, total_tokens=10
                )

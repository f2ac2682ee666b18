"""Askers that answer by a function, and runs of a workflow that never ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from conversation_analytics.dify.questions import Question, Reply
from conversation_analytics.dify.runs import WorkflowRun

ANSWERED_AT = datetime(2024, 2, 1, 12, tzinfo=UTC)


def succeeded(value: str, run_id: str = "run-1") -> Reply:
    return Reply(
        status="succeeded",
        value=value,
        run_id=run_id,
        elapsed_seconds=1.5,
        total_tokens=7,
        answered_at=ANSWERED_AT,
    )


def marked(question: Question) -> Reply:
    """A translation that shows what it is of."""
    return succeeded(f"[{question.content['target']}] {question.content['text']}")


@dataclass
class FakeAsker:
    """Answers by a function, and remembers what it was asked.

    Attributes:
        reply: Answers a question.
        asked: The questions of each call, in order.
    """

    reply: Callable[[Question], Reply] = marked
    asked: list[list[Question]] = field(default_factory=list)

    def ask(self, questions: Sequence[Question]) -> dict[str, Reply]:
        self.asked.append(list(questions))
        return {question.key: self.reply(question) for question in questions}

    @property
    def texts(self) -> list[str]:
        """The texts it was asked about, in order."""
        return [one.content["text"] for call in self.asked for one in call]


def run_with(status: str = "succeeded", error: str | None = None, **outputs: Any) -> WorkflowRun:
    """A run of a workflow that gave these outputs."""
    return WorkflowRun(
        run_id="run-1", status=status, outputs=outputs, error=error, obtained="streamed"
    )

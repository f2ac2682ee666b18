"""What is asked of a workflow, item by item, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from conversation_analytics.dify.runs import WorkflowRun

Status = Literal["succeeded", "failed", "pending"]


@dataclass(frozen=True, slots=True)
class Question:
    """One item to ask a workflow about.

    Attributes:
        key: names all that the answer depends on, as a hash in hexadecimal: two questions of one
            key have the same answer, which is paid for once.
        content: the item, as JSON can hold it.
    """

    key: str
    content: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What became of a question.

    Attributes:
        status: ``succeeded``; ``failed``, which is asked again later until DIFY_MAX_ATTEMPTS calls
            were made for it; ``pending``, for which nothing was paid yet or whose run goes on.
        value: the answer, as JSON can hold it; null unless it succeeded.
        error: why there is none.
        run_id: the run that was paid for it, if known.
        elapsed_seconds: how long that run took, by Dify's clock.
        total_tokens: this question's share of the run's tokens; shares add up to the whole.
        answered_at: when the run's result came.
        given_up: whether it is asked again only if settings change: it has failed for good.
    """

    status: Status
    value: Any = field(default=None, repr=False)
    error: str | None = None
    run_id: str | None = None
    elapsed_seconds: float | None = None
    total_tokens: int | None = None
    answered_at: datetime | None = None
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Unanswered:
    """That a workflow gave no usable answer to a question.

    Attributes:
        error: why, for people.
    """

    error: str


class Contract(Protocol):
    """How questions become inputs of a workflow, and its outputs their answers."""

    @property
    def workflow(self) -> str:
        """What the answers depend on besides a question's key, such as ``translate-1``.

        Made of letters, digits and dashes: it names a folder of the lake.
        """
        ...

    def inputs(self, questions: Sequence[Question]) -> Mapping[str, Any]:
        """The workflow's inputs for some questions."""
        ...

    def answers(self, run: WorkflowRun, questions: Sequence[Question]) -> Mapping[str, Any]:
        """The answer, as JSON can hold it, or `Unanswered`, by the key of each question.

        Never raises whatever the workflow gave. A question it leaves out is unanswered.
        """
        ...


class Asker(Protocol):
    """Has questions answered, without paying twice."""

    def ask(self, questions: Sequence[Question]) -> dict[str, Reply]:
        """A reply for the key of every question.

        Known answers are taken from the lake, runs under way are read back, and the rest is paid
        for as far as the budget goes.

        Raises:
            DifyAccessDenied: the key is wrong.
            DifyAppUnusable: the app or its model is not set up.
            StorageError: the lake cannot be used.
        """
        ...

"""What is known of a run, while it goes on and when it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from conversation_analytics.dify.answers import BadAnswer, json_object
from conversation_analytics.dify.events import Event

Obtained = Literal["streamed", "blocking", "read_back"]
OnStarted = Callable[[str, str | None], None]

_GOING_ON = frozenset({"scheduled", "running"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """A run of a workflow.

    Attributes:
        run_id: its id, by which it can be read back.
        task_id: what it can be stopped by; null when it was read back by its id alone.
        status: ``running``, ``succeeded``, ``partial-succeeded`` (a node failed, and the workflow
            went on without it), ``failed``, ``stopped`` or ``paused``.
        outputs: what the workflow gave, by name; empty if nothing.
        error: why it failed, in Dify's words.
        elapsed_seconds: how long it took by Dify's clock.
        total_tokens: tokens of all models it used.
        total_price: what Dify says that its nodes cost; null if it did not say, as when read back.
        currency: what the price is in.
        obtained: how its result was had: ``streamed``, ``blocking`` or ``read_back``.
    """

    run_id: str
    task_id: str | None = None
    status: str
    outputs: dict[str, Any] = field(default_factory=dict, repr=False)
    error: str | None = field(default=None, repr=False)
    elapsed_seconds: float | None = None
    total_tokens: int | None = None
    total_price: Decimal | None = None
    currency: str | None = None
    obtained: Obtained

    @property
    def succeeded(self) -> bool:
        """Whether the whole workflow succeeded."""
        return self.status == "succeeded"

    @property
    def is_over(self) -> bool:
        """Whether waiting for it is of no use, as for a paused one, which waits for a person."""
        return self.status not in _GOING_ON


@dataclass(slots=True)
class Progress:
    """A run as far as it is known.

    Attributes:
        on_started: told run and task as soon as they are known, once.
        run_id: null while it is not known that a run was started.
        started_at: when that became known, by this process's clock.
        task_id: what it can be stopped by.
        price: what its nodes cost so far.
        currency: what the price is in.
    """

    on_started: OnStarted | None = None
    run_id: str | None = None
    started_at: float | None = None
    task_id: str | None = None
    price: Decimal | None = None
    currency: str | None = None

    def note(self, event: Event) -> None:
        """Take note of an event."""
        self.task_id = self.task_id or event.task_id
        if event.run_id:
            self.started(event.run_id)
        if event.kind == "node_finished":
            self._add_price(event.data.get("execution_metadata"))

    def started(self, run_id: str) -> None:
        """Take note of the run's id, and tell it if it is new."""
        if self.run_id is None:
            self.run_id = run_id
            self.started_at = time.monotonic()
            if self.on_started:
                self.on_started(run_id, self.task_id)

    def run(self, details: dict[str, Any], *, obtained: Obtained) -> WorkflowRun:
        """The run, from what Dify tells of it.

        Args:
            details: ``data`` of an event or of a blocking answer, or the details of a run.
            obtained: how they were had.

        Raises:
            BadAnswer: they have no id or no status, or outputs that are not named, or tell of a run
                that goes on in the place of its result.
        """
        run_id = self.run_id or details.get("id")
        status = details.get("status")
        if not (isinstance(run_id, str) and run_id and isinstance(status, str) and status):
            raise BadAnswer("a run without an id or a status")
        self.started(run_id)
        if status in _GOING_ON and obtained != "read_back":
            raise BadAnswer(f"the result of a run that is {status}")
        tokens = _number(details.get("total_tokens"))
        return WorkflowRun(
            run_id=run_id,
            task_id=self.task_id,
            status=status,
            outputs=_outputs(details.get("outputs")),
            error=_text(details.get("error")),
            elapsed_seconds=_float(details.get("elapsed_time")),
            total_tokens=None if tokens is None else int(tokens),
            total_price=self.price,
            currency=self.currency,
            obtained=obtained,
        )

    def _add_price(self, metadata: Any) -> None:
        if not isinstance(metadata, dict):
            return
        price = _number(metadata.get("total_price"))
        if price is not None:
            self.price = (self.price or Decimal()) + price
            self.currency = _text(metadata.get("currency")) or self.currency


def _outputs(value: Any) -> dict[str, Any]:
    """Named outputs; the details of a run have them as JSON in a text in older versions."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        return json_object(value.encode(errors="surrogatepass"))
    if not isinstance(value, dict):
        raise BadAnswer("outputs that are not named")
    return value


def _number(value: Any) -> Decimal | None:
    """A number, also one that Dify sends as a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _float(value: Any) -> float | None:
    found = _number(value)
    return None if found is None else float(found)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

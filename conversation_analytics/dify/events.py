"""What a stream tells of a run.

The kinds of event that Dify documents or sends for workflows:

    workflow_started, workflow_finished, workflow_paused, error, ping
    node_started, node_finished, node_retry
    iteration_started, iteration_next, iteration_completed
    loop_started, loop_next, loop_completed
    parallel_branch_started, parallel_branch_finished
    text_chunk, text_replace, reasoning_chunk, agent_log
    tts_message, tts_message_end
    human_input_required, human_input_form_filled, human_input_form_timeout

Others pass as well, since new ones come with new versions.

Sources: https://docs.dify.ai/en/api-reference/guides/streaming and
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from httpx_sse import ServerSentEvent

from conversation_analytics.sources.decode import parsed

_REPLACEMENT = "\ufffd"  # what bytes that are no UTF-8 have become


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream.

    Attributes:
        kind: what happened, such as ``node_finished``; see above.
        run_id: the run it is about, if it says so.
        task_id: what the run can be stopped by, if it says so.
        payload: all that it says; empty for a ``ping``.
        damaged: whether some of its bytes may have been no UTF-8, and so its texts be wrong.
    """

    kind: str
    run_id: str | None = None
    task_id: str | None = None
    payload: dict[str, Any] = field(default_factory=dict, repr=False)
    damaged: bool = False

    @property
    def data(self) -> dict[str, Any]:
        """Details of the run or node; empty if there are none."""
        found = self.payload.get("data")
        return found if isinstance(found, dict) else {}


def decoded(messages: Iterable[ServerSentEvent]) -> Iterator[Event]:
    """The events in some messages; those that cannot be read as one are left out."""
    for message in messages:
        if not message.data:
            yield Event(message.event)  # a ping has no data
        elif payload := _object(message.data):
            yield event_of(payload, kind=message.event, damaged=_REPLACEMENT in message.data)


def event_of(payload: dict[str, Any], *, kind: str = "", damaged: bool = False) -> Event:
    """An event, from all that it says.

    Args:
        payload: what it says.
        kind: its kind, if it does not say that itself.
        damaged: see `Event`.
    """
    return Event(
        kind=_text(payload.get("event")) or kind,
        run_id=_text(payload.get("workflow_run_id")),
        task_id=_text(payload.get("task_id")),
        payload=payload,
        damaged=damaged,
    )


def _object(data: str) -> dict[str, Any]:
    try:
        found = parsed(data.encode())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

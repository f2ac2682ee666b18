"""Whole conversations with their messages, few enough to be looked at together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conversation_analytics.transforms.messages import whole_conversations

_MESSAGES: Final = 5_000
_COLUMNS: Final = ["message_id", "conversation_id", "role", "content", "created_at"]
_SPEAKERS: Final = frozenset({"user", "assistant", "agent"})


@dataclass(frozen=True)
class Chunk:
    """Some conversations.

    Attributes:
        conversations: their ids.
        started_at: microseconds since 1970 at which each started.
        ids: of their messages, conversation by conversation, in turn order.
        texts: of each message.
        created_at: microseconds since 1970 at which each was made.
        owners: number of each one's conversation.
        by_user: whether the user wrote it.
        spoken: whether a person or an assistant wrote it, and not a system or a tool.
    """

    conversations: Sequence[str]
    started_at: Sequence[int]
    ids: Sequence[str]
    texts: Sequence[str]
    created_at: Sequence[int]
    owners: NDArray[np.int64]
    by_user: NDArray[np.bool_]
    spoken: NDArray[np.bool_]

    def of_each(self, chosen: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        """For each conversation the numbers of those messages of it that are chosen."""
        numbers = np.flatnonzero(chosen)
        bounds = np.searchsorted(self.owners[numbers], np.arange(1, len(self.conversations)))
        return np.split(numbers, bounds)[: len(self.conversations)]  # of none, none


def chunks_of(conversations: pa.Table, messages: pa.Table) -> Iterator[Chunk]:
    """All conversations of a day, those without messages last.

    Args:
        conversations: a table of `schemas.CONVERSATIONS`.
        messages: theirs, a table of `schemas.MESSAGES`, in its order.
    """
    ids = conversations["conversation_id"].to_pylist()
    started = dict(zip(ids, _microseconds(conversations["started_at"]), strict=True))
    for part in whole_conversations(messages.select(_COLUMNS), at_once=_MESSAGES):
        owners = part["conversation_id"].to_pylist()
        present = list(dict.fromkeys(owners))
        yield _chunk(part, present, [started.pop(id_) for id_ in present])
    if started:
        yield _chunk(messages.select(_COLUMNS).slice(0, 0), list(started), list(started.values()))


def _chunk(part: pa.Table, conversations: list[str], started_at: list[int]) -> Chunk:
    places = {id_: place for place, id_ in enumerate(conversations)}
    owners = [places[id_] for id_ in part["conversation_id"].to_pylist()]
    roles = part["role"].to_pylist()
    return Chunk(
        conversations,
        started_at,
        part["message_id"].to_pylist(),
        part["content"].to_pylist(),
        _microseconds(part["created_at"]),
        np.array(owners, dtype=np.int64),
        np.array([role == "user" for role in roles], dtype=bool),
        np.array([role in _SPEAKERS for role in roles], dtype=bool),
    )


def _microseconds(times: pa.ChunkedArray) -> list[int]:
    found: list[int] = times.cast(pa.int64()).to_pylist()
    return found

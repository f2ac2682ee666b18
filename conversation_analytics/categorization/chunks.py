"""Whole conversations with their messages, few enough to be looked at together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from conversation_analytics.transforms.messages import whole_conversations

Numbers = NDArray[np.int64]

_MESSAGES: Final = 5_000
_COLUMNS: Final = ["message_id", "conversation_id", "role", "content", "created_at"]
SPEAKERS: Final = ("user", "assistant", "agent")


@dataclass(frozen=True)
class Chunk:
    """Some conversations.

    Attributes:
        conversations: their ids.
        started_at: int64, microseconds since 1970 at which each started.
        ids: of their messages, conversation by conversation, in turn order.
        texts: of each message.
        created_at: int64, microseconds since 1970 at which each was made.
        owners: int64, number of each one's conversation.
        by_user: whether the user wrote it.
        spoken: whether a person or an assistant wrote it, and not a system or a tool.
    """

    conversations: pa.Array
    started_at: Numbers
    ids: pa.Array
    texts: Sequence[str]
    created_at: Numbers
    owners: Numbers
    by_user: NDArray[np.bool_]
    spoken: NDArray[np.bool_]


def chunks_of(conversations: pa.Table, messages: pa.Table) -> Iterator[Chunk]:
    """All conversations of a day, those without messages last.

    Args:
        conversations: a table of `schemas.CONVERSATIONS`.
        messages: theirs, a table of `schemas.MESSAGES`, in its order.
    """
    conversations = conversations.select(["conversation_id", "started_at"])
    messages = messages.select(_COLUMNS)
    ids = conversations["conversation_id"]
    silent = np.ones(len(ids), dtype=bool)
    places = pc.index_in(messages["conversation_id"], ids).to_numpy()
    silent[places] = False
    start = 0
    for part in whole_conversations(messages, at_once=_MESSAGES):
        own = places[start : start + part.num_rows]
        start += part.num_rows
        firsts = np.flatnonzero(np.diff(own, prepend=-1))
        owners = np.repeat(np.arange(len(firsts)), np.diff(firsts, append=len(own)))
        yield _chunk(part, conversations.take(own[firsts]), owners)
    if silent.any():
        owners = np.zeros(0, dtype=np.int64)
        yield _chunk(messages.slice(0, 0), conversations.filter(pa.array(silent)), owners)


def _chunk(messages: pa.Table, conversations: pa.Table, owners: Numbers) -> Chunk:
    roles = messages["role"]
    return Chunk(
        conversations["conversation_id"].combine_chunks(),
        _microseconds(conversations["started_at"]),
        messages["message_id"].combine_chunks(),
        messages["content"].to_pylist(),
        _microseconds(messages["created_at"]),
        owners,
        pc.equal(roles, "user").to_numpy(),
        pc.is_in(roles, pa.array(SPEAKERS)).to_numpy(),
    )


def _microseconds(times: pa.ChunkedArray) -> Numbers:
    found: Numbers = times.cast(pa.int64()).to_numpy()
    return found

"""Conversations and messages as an LLM reads them: short, and with nothing that does not show."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

LONGEST_TEXT: Final = 2_400
"""Characters of a conversation that are asked about: its first ones."""

LONGEST_MESSAGE: Final = 600
"""Characters of each message of it, so that a long answer does not crowd out what is asked."""

_SPEAKERS: Final = pa.array(["user", "assistant", "agent"])
_COLUMNS: Final = ["conversation_id", "message_id", "role", "content"]
_JOINERS: Final = "\u200c\u200d"  # letters of Hindi and Persian, and emoji, are written with them
_UNSEEN: Final = frozenset({"Cc", "Cf", "Co", "Cs"})


class _Shown(dict[int, str]):
    """What becomes of each character; those that show stay as they are."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        hidden = unicodedata.category(character) in _UNSEEN and character not in _JOINERS
        self[code] = "" if hidden else character
        return self[code]


_SHOWN: Final = _Shown({ord(space): space for space in "\n\t"} | {ord("\r"): "\n"})


def shown(text: str) -> str:
    """A text without what people do not see and a model does: controls, zero width, tags."""
    return text.translate(_SHOWN).strip()


def message_texts(messages: pa.Table, ids: Iterable[str]) -> dict[str, str]:
    """What some messages say, by their ids.

    Args:
        messages: a table of `schemas.MESSAGES`.
        ids: which messages.
    """
    wanted = messages.select(_COLUMNS).filter(_among(messages["message_id"], ids))
    return {row["message_id"]: shown(row["content"])[:LONGEST_TEXT] for row in wanted.to_pylist()}


def conversation_texts(messages: pa.Table, ids: Iterable[str]) -> dict[str, str]:
    """What is said in some conversations, turn by turn with who says it, by their ids.

    Args:
        messages: a table of `schemas.MESSAGES`, in its order.
        ids: which conversations; those in which nobody speaks are left out.
    """
    wanted = pc.and_(
        _among(messages["conversation_id"], ids), pc.is_in(messages["role"], _SPEAKERS)
    )
    turns: dict[str, list[str]] = {}
    for row in messages.select(_COLUMNS).filter(wanted).to_pylist():
        if said := shown(row["content"])[:LONGEST_MESSAGE]:
            turns.setdefault(row["conversation_id"], []).append(f"{row['role']}: {said}")
    return {id_: "\n".join(some)[:LONGEST_TEXT] for id_, some in turns.items()}


def _among(column: pa.ChunkedArray, ids: Iterable[str]) -> pa.ChunkedArray:
    return pc.is_in(column, pa.array(sorted(set(ids)), pa.string()))

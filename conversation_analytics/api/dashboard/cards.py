"""Conversations in a list: what each is about, and how it begins or where it has a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup, escape

from conversation_analytics.api.services import Services
from conversation_analytics.schemas import MESSAGES
from conversation_analytics.storage.layout import MESSAGES_UNIT

_LONGEST: Final = 220
_BEFORE: Final = 60


@dataclass(frozen=True)
class Card:
    """A conversation in a list.

    Attributes:
        says: a piece of a user's message, the text that was looked for marked; empty without one.
        labels: what its categories come to, by task; null where none is given.
        row: the conversation.
    """

    id: str
    started_at: datetime
    says: Markup
    labels: dict[str, Any]
    row: dict[str, Any]


def cards(services: Services, rows: pa.Table, text: str | None = None) -> list[Card]:
    """The conversations of a table, in its order.

    Args:
        services: what reads their messages.
        rows: columns of `CONVERSATION_DOCUMENTS`.
        text: what was looked for in them.
    """
    conversations = rows.to_pylist()
    calendar = services.settings.calendar
    by_day: dict[date, list[str]] = {}
    for row in conversations:
        day = calendar.day_of(row["started_at"])
        by_day.setdefault(day, []).append(row["conversation_id"])
    said: dict[str, list[str]] = {}
    for day, ids in by_day.items():
        for message in _messages(services, day, ids):
            said.setdefault(message["conversation_id"], []).append(message["content"] or "")
    return [
        Card(
            id=row["conversation_id"],
            started_at=row["started_at"],
            says=_piece([row["title"] or "", *said.get(row["conversation_id"], [])], text),
            labels=row["categories"] or {},
            row=row,
        )
        for row in conversations
    ]


def _messages(services: Services, day: date, ids: Sequence[str]) -> Iterable[dict[str, Any]]:
    found = services.reader.table(MESSAGES_UNIT, MESSAGES.name, day)
    if found is None:
        return []
    wanted = pc.and_(
        pc.is_in(found["conversation_id"], pa.array(ids, found["conversation_id"].type)),
        pc.not_equal(found["role"], "system"),
    )
    columns = ["conversation_id", "turn_index", "role", "content"]
    rows = found.select(columns).filter(wanted).sort_by("turn_index").to_pylist()
    # What users say comes first: by it a conversation is recognised.
    return sorted(rows, key=lambda row: row["role"] != "user")


def _piece(texts: Sequence[str], wanted: str | None) -> Markup:
    """A piece of the first text that has what is looked for, else of the first message."""
    if wanted:
        for text in texts:
            place = text.lower().find(wanted.lower())
            if place >= 0:
                start = max(0, place - _BEFORE)
                end = place + len(wanted)
                after = text[end : start + _LONGEST]
                return Markup("{}{}<mark>{}</mark>{}{}").format(
                    "…" if start else "",
                    text[start:place],
                    text[place:end],
                    after,
                    "…" if start + _LONGEST < len(text) else "",
                )
    text = next((one for one in texts[1:] if one.strip()), "")
    return escape(text[:_LONGEST] + ("…" if len(text) > _LONGEST else ""))

"""What every row shape offers, and the names of the columns that dirt is put into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from conversation_analytics.generator.conversations import Conversation

Row = dict[str, Any]
WrongValues = tuple[tuple[str, Any], ...]
"""Columns, each with a value of an unusable type."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns that shapes call differently; times are ``created_at`` and ``updated_at``."""

    conversation_id: str
    message_id: str
    conversation_text: str
    message_text: str


class RowShape(Protocol):
    """Turns conversations into the rows of the two source tables."""

    columns: Columns
    wrong_conversation_values: WrongValues
    wrong_message_values: WrongValues
    messages_deletable: bool

    def conversation_row(self, conversation: Conversation) -> Row:
        """A row of the conversations table."""
        ...

    def message_rows(self, conversation: Conversation) -> list[Row]:
        """Rows of the messages table, by time, then id."""
        ...

    def conversation_id(self, number: int) -> str:
        """The id of a conversation by its number; 0 is nobody's."""
        ...

"""The ``plain`` shape: one row a message, with the columns most exports have."""

from __future__ import annotations

from typing import Any

from conversation_analytics.generator.conversations import Conversation
from conversation_analytics.generator.profile import Columns, Row, WrongValues
from conversation_analytics.generator.times import iso


class PlainRows:
    """Conversations as ``plain`` rows.

    Args:
        deletable: whether message rows have an ``is_deleted`` column.
    """

    columns = Columns(
        conversation_id="conversation_id",
        message_id="message_id",
        conversation_text="title",
        message_text="content",
    )
    wrong_conversation_values: WrongValues = (
        ("title", {"text": "refund"}),
        ("user_id", ["u-1", "u-2"]),
        ("channel", {"name": "web"}),
        ("language", ["th", "en"]),
    )
    wrong_message_values: WrongValues = (
        ("prompt_tokens", "abc"),
        ("completion_tokens", -5),
        ("role", "robot"),
        ("content", {"html": "<p>hi</p>"}),
        ("cost", "free"),
        ("latency_ms", -250.0),
        ("latency_ms", "fast"),
        ("role", 7),
    )

    def __init__(self, *, deletable: bool) -> None:
        self.messages_deletable = deletable
        self._count = 0

    def conversation_row(self, conversation: Conversation) -> Row:
        """A row of the conversations table."""
        person = conversation.person
        updated = conversation.updated
        return {
            "conversation_id": self.conversation_id(conversation.number),
            "user_id": person.user_id,
            "title": conversation.title,
            "channel": conversation.channel,
            "status": conversation.status,
            "language": conversation.declared_language,
            "created_at": iso(conversation.started),
            "updated_at": None if updated is None else iso(updated),
            "is_deleted": False,
            "segment": person.segment,
            "country": person.country,
            "plan": person.plan,
        }

    def message_rows(self, conversation: Conversation) -> list[Row]:
        """Rows of the messages table, by time, then id."""
        conversation_id = self.conversation_id(conversation.number)
        model, currency = conversation.model.name, conversation.currency
        client = conversation.person.client
        rows: list[Row] = []
        for turn in conversation.turns:
            self._count += 1
            by_model = turn.role == "assistant"
            row: dict[str, Any] = {
                "message_id": f"m-{self._count:010d}",
                "conversation_id": conversation_id,
                "role": turn.role,
                "content": turn.text,
                "created_at": iso(turn.at),
                "updated_at": None if turn.edited_at is None else iso(turn.edited_at),
                "model": model if by_model else None,
                "prompt_tokens": turn.prompt_tokens,
                "completion_tokens": turn.completion_tokens,
                "latency_ms": turn.latency_ms,
                "cost": turn.cost,
                "currency": currency if by_model else None,
                "error": turn.error,
                "feedback_score": turn.feedback,
                "client": client,
            }
            if self.messages_deletable:
                row["is_deleted"] = False
            rows.append(row)
        return rows

    @staticmethod
    def conversation_id(number: int) -> str:
        """The id of a conversation by its number; 0 is nobody's."""
        return f"c-{number:08d}"

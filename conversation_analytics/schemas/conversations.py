"""Conversations, in the partition of the day they started."""

from __future__ import annotations

from conversation_analytics.schemas.base import (
    ATTRIBUTES,
    BOOLEAN,
    CONTENT_HASH,
    INTEGER,
    MONEY,
    REAL,
    STRING,
    TIMESTAMP,
    Column,
    TableSchema,
)


def _count(name: str, description: str) -> Column:
    return Column(name, INTEGER, description, nullable=False, minimum=0)


CONVERSATIONS = TableSchema(
    name="conversations",
    description="One row a conversation, in the partition of the day it started.",
    columns=(
        Column("conversation_id", STRING, "Identity of the conversation.", nullable=False),
        Column("user_id", STRING, "Who it was with."),
        Column("title", STRING, "Its title."),
        Column("channel", STRING, "Where it took place.", categorical=True),
        Column("status", STRING, "Its state in the source.", categorical=True),
        Column(
            "model",
            STRING,
            "The row's own model, else the most frequent on its messages (ties: first seen).",
            categorical=True,
        ),
        Column("language", STRING, "Language as the source declares it.", categorical=True),
        Column(
            "started_at",
            TIMESTAMP,
            "The source's creation time, else that of its first message.",
            nullable=False,
        ),
        Column(
            "ended_at", TIMESTAMP, "Time of its last message, else `started_at`.", nullable=False
        ),
        Column(
            "source_created_at", TIMESTAMP, "Creation time as the source gives it.", hashed=False
        ),
        Column("source_updated_at", TIMESTAMP, "Last change as the source gives it.", hashed=False),
        _count("message_count", "Messages."),
        _count("user_message_count", "Messages of the user."),
        _count("assistant_message_count", "Messages of the assistant."),
        Column("duration_seconds", REAL, "`ended_at` − `started_at`, seconds.", nullable=False),
        Column(
            "first_response_seconds",
            REAL,
            "Seconds from the first user message to the first assistant or agent message after it.",
            minimum=0,
        ),
        _count("prompt_tokens", "Tokens sent to models, summed over messages."),
        _count("completion_tokens", "Tokens models wrote, summed over messages."),
        _count("total_tokens", "Prompt and completion tokens."),
        Column(
            "cost",
            MONEY,
            "Price in `currency`, summed over messages; null when they have several currencies "
            "(then `attributes.cost_by_currency` has the sums).",
            minimum=0,
        ),
        Column("currency", STRING, "Currency of `cost`.", categorical=True),
        _count("error_count", "Messages with an error."),
        Column(
            "feedback_score", REAL, "Mean feedback of its messages, -1 to 1.", minimum=-1, maximum=1
        ),
        Column("escalated", BOOLEAN, "Whether any message asks for a human.", nullable=False),
        ATTRIBUTES,
        CONTENT_HASH,
    ),
    key=("conversation_id",),
    order=("started_at", "conversation_id"),
)

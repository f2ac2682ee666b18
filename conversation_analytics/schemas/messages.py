"""Messages, in the partition of the day their conversation started."""

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

ROLES = ("user", "assistant", "agent", "system", "tool")

MESSAGES = TableSchema(
    name="messages",
    description="One row a message, in the partition of the day its conversation started.",
    columns=(
        Column("message_id", STRING, "Identity of the message.", nullable=False),
        Column("conversation_id", STRING, "The conversation it belongs to.", nullable=False),
        Column("user_id", STRING, "The conversation's user, on every row."),
        Column("role", STRING, "Who wrote it.", nullable=False, allowed=ROLES, categorical=True),
        Column("content", STRING, "Its text.", nullable=False),
        Column("created_at", TIMESTAMP, "When it was made.", nullable=False),
        Column(
            "turn_index",
            INTEGER,
            "Place in its conversation, from 0, by (created_at, source order, id).",
            nullable=False,
            minimum=0,
        ),
        Column(
            "response_seconds",
            REAL,
            "Seconds since the user message right before it; only on assistant and agent messages.",
            minimum=0,
        ),
        Column("model", STRING, "The model that wrote it.", categorical=True),
        Column("prompt_tokens", INTEGER, "Tokens sent to the model.", minimum=0),
        Column("completion_tokens", INTEGER, "Tokens the model wrote.", minimum=0),
        Column("latency_ms", REAL, "Milliseconds the model took.", minimum=0),
        Column("cost", MONEY, "Price in `currency`.", minimum=0),
        Column("currency", STRING, "Currency of `cost`.", categorical=True),
        Column("error", STRING, "What went wrong while making it."),
        Column("feedback_score", REAL, "Feedback, -1 to 1.", minimum=-1, maximum=1),
        Column(
            "escalated",
            BOOLEAN,
            "Whether an assistant message asks for a human (ESCALATION_PATTERN).",
            nullable=False,
        ),
        ATTRIBUTES,
        CONTENT_HASH,
    ),
    key=("message_id",),
    order=("conversation_id", "turn_index"),
)

"""What a day's messages come to, by the day each was made: what reports read of them."""

from __future__ import annotations

import pyarrow as pa

from conversation_analytics.schemas.base import (
    BOOLEAN,
    INTEGER,
    MONEY,
    REAL,
    STRING,
    TIMESTAMP,
    Column,
    TableSchema,
)
from conversation_analytics.schemas.messages import ROLES

_ROW = ("activity_day", "conversation_id", "role", "model", "currency")

MESSAGE_ACTIVITY = TableSchema(
    name="message_activity",
    description="One row a local day, conversation, role, model and currency: the messages made "
    "then, summed up, in the partition of the day their conversation started.",
    columns=(
        Column("activity_day", pa.date32(), "Local day they were made on.", nullable=False),
        Column("conversation_id", STRING, "The conversation they belong to.", nullable=False),
        Column("user_id", STRING, "The conversation's user."),
        Column("role", STRING, "Who wrote them.", nullable=False, allowed=ROLES, categorical=True),
        Column("model", STRING, "The model that wrote them.", categorical=True),
        Column("currency", STRING, "Currency of `cost`.", categorical=True),
        Column("messages", INTEGER, "How many there are.", nullable=False, minimum=1),
        Column("errors", INTEGER, "How many have an error.", nullable=False, minimum=0),
        Column(
            "prompt_tokens", INTEGER, "Tokens sent to the model; null if none tells.", minimum=0
        ),
        Column(
            "completion_tokens", INTEGER, "Tokens the model wrote; null if none tells.", minimum=0
        ),
        Column(
            "total_tokens",
            INTEGER,
            "Prompt and completion tokens; null if there are neither.",
            minimum=0,
        ),
        Column("cost", MONEY, "Price in `currency`; null if none has one.", minimum=0),
        Column("escalated", BOOLEAN, "Whether any asks for a human.", nullable=False),
        Column("first_at", TIMESTAMP, "When the first was made.", nullable=False),
        Column("last_at", TIMESTAMP, "When the last was made.", nullable=False),
        Column(
            "latency_ms",
            pa.list_(REAL),
            "Milliseconds the model took, of each that tells, ascending.",
            nullable=False,
        ),
        Column(
            "response_seconds",
            pa.list_(REAL),
            "Seconds since the user message right before, of each that has one, ascending.",
            nullable=False,
        ),
    ),
    key=_ROW,
    order=_ROW,
    hashes=(),
)

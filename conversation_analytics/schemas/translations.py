"""Translations of messages and of conversations' titles."""

from __future__ import annotations

from conversation_analytics.schemas.base import (
    CONTENT_HASH,
    INTEGER,
    REAL,
    STRING,
    TIMESTAMP,
    Column,
    TableSchema,
)

STATUSES = ("succeeded", "failed", "pending")

TRANSLATIONS = TableSchema(
    name="translations",
    description="One row a message or title and language that it is translated into.",
    columns=(
        Column("conversation_id", STRING, "The conversation.", nullable=False),
        Column("message_id", STRING, "The message; null for the conversation's title."),
        Column(
            "source_language",
            STRING,
            "What it is written in, as an ISO 639-1 code.",
            nullable=False,
            categorical=True,
        ),
        Column(
            "target_language",
            STRING,
            "What it is translated into, as TRANSLATE_TO names it.",
            nullable=False,
            categorical=True,
        ),
        Column("source_hash", STRING, "Hash of the text that is translated.", nullable=False),
        Column("text", STRING, "The translation; null unless it succeeded."),
        Column("provider", STRING, "Who translates.", nullable=False, categorical=True),
        Column(
            "workflow_run_id",
            STRING,
            "The run of the workflow that was paid for it, if there was one.",
            hashed=False,
            categorical=True,
        ),
        Column("elapsed_seconds", REAL, "Time that run took, in seconds.", minimum=0, hashed=False),
        Column(
            "total_tokens",
            INTEGER,
            "This text's share of that run's tokens; the same wherever the text is repeated.",
            minimum=0,
            hashed=False,
        ),
        Column(
            "status",
            STRING,
            "`succeeded`, `failed` or, where there is no answer yet, `pending`; the latter two "
            "are asked for again.",
            nullable=False,
            allowed=STATUSES,
            categorical=True,
        ),
        Column("error", STRING, "Why there is no translation.", hashed=False, categorical=True),
        Column("translated_at", TIMESTAMP, "When the run's result came.", hashed=False),
        CONTENT_HASH,
    ),
    key=("conversation_id", "message_id", "target_language"),
    order=("conversation_id", "message_id", "target_language"),
    # What tells of another run, or of another failure, is shown although the content is the same.
    hashes=("content_hash", "workflow_run_id", "error"),
)

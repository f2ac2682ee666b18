"""Categories of messages and conversations, and what those of a conversation come to."""

from __future__ import annotations

from typing import Literal, get_args

import pyarrow as pa

from conversation_analytics.schemas.base import (
    BOOLEAN,
    CONTENT_HASH,
    INTEGER,
    REAL,
    STRING,
    TIMESTAMP,
    Column,
    TableSchema,
)

TASKS = ("language", "topic", "intent", "sentiment")
Method = Literal["rule", "model", "llm", "human"]
Reason = Literal[
    "below_threshold",
    "empty_text",
    "llm_invalid",
    "no_message",
    "out_of_scope",
    "too_short",
    "unmeasured_language",
]
METHODS: tuple[Method, ...] = get_args(Method)
REASONS: tuple[Reason, ...] = get_args(Reason)


def _confidence(name: str, label: str) -> Column:
    return Column(name, REAL, f"Probability that {label} is right.", minimum=0, maximum=1)


def _score(name: str, description: str) -> Column:
    return Column(name, REAL, description, minimum=-1, maximum=1)


CATEGORIES = TableSchema(
    name="categories",
    description="One row a label of a message or of a whole conversation, for each task.",
    columns=(
        Column("conversation_id", STRING, "The conversation.", nullable=False),
        Column("message_id", STRING, "The message; null for the whole conversation."),
        Column(
            "task",
            STRING,
            "What the label tells.",
            nullable=False,
            allowed=TASKS,
            categorical=True,
        ),
        Column(
            "label",
            STRING,
            "The label; `unknown` (of languages `und`) where none is given.",
            nullable=False,
            categorical=True,
        ),
        Column(
            "rank",
            INTEGER,
            "0 for the likeliest label, then the others that hold as well.",
            nullable=False,
            minimum=0,
        ),
        Column(
            "confidence",
            REAL,
            "Probability that the label is right, an LLM's by its own word; where none is given, "
            "of the likeliest.",
            nullable=False,
            minimum=0,
            maximum=1,
        ),
        Column("method", STRING, "Who decided.", nullable=False, allowed=METHODS, categorical=True),
        Column("model_version", STRING, "Version of what decided.", categorical=True),
        Column(
            "taxonomy_version",
            STRING,
            "Version of the intents or topics that there were to choose from.",
            categorical=True,
        ),
        Column("abstained", BOOLEAN, "Whether no label is given.", nullable=False),
        Column("reason", STRING, "Why none is given.", allowed=REASONS, categorical=True),
        Column("details", STRING, "What led there, as a JSON object with sorted keys."),
        Column(
            "created_at",
            TIMESTAMP,
            "When the message was made or the conversation started.",
            nullable=False,
        ),
        CONTENT_HASH,
    ),
    key=("conversation_id", "message_id", "task", "rank"),
    order=("conversation_id", "created_at", "message_id", "task", "rank"),
)

CATEGORY_SUMMARIES = TableSchema(
    name="category_summaries",
    description="One row a conversation: what its categories come to.",
    columns=(
        Column("conversation_id", STRING, "The conversation.", nullable=False),
        Column("language", STRING, "Its language.", categorical=True),
        _confidence("language_confidence", "`language`"),
        Column("intent", STRING, "What its user mainly wants.", categorical=True),
        _confidence("intent_confidence", "`intent`"),
        Column("topic", STRING, "What it is mainly about.", categorical=True),
        _confidence("topic_confidence", "`topic`"),
        Column("topics", pa.list_(STRING), "All it is about, the likeliest first.", nullable=False),
        Column("sentiment", STRING, "How its user feels, all in all.", categorical=True),
        _confidence("sentiment_confidence", "`sentiment`"),
        _score("sentiment_score", "How its user feels, -1 (negative) to 1 (positive)."),
        _score("sentiment_start", "The score of the first third of the user's messages."),
        _score("sentiment_end", "The score of the last third."),
        Column(
            "sentiment_change",
            REAL,
            "`sentiment_end` − `sentiment_start`.",
            minimum=-2,
            maximum=2,
        ),
        Column(
            "negative_share",
            REAL,
            "Share of the user's messages with a sentiment that are negative.",
            minimum=0,
            maximum=1,
        ),
        CONTENT_HASH,
    ),
    key=("conversation_id",),
    order=("conversation_id",),
)
"""Labels are null where none is given."""

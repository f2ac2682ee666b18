"""Users: what each did on a day's conversations, and what that comes to over all days."""

from __future__ import annotations

import pyarrow as pa

from conversation_analytics.schemas.base import (
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

DAY = pa.date32()

_USER = Column("user_id", STRING, "The user.", nullable=False)
_FIRST = Column("first_seen", TIMESTAMP, "First message or conversation.", nullable=False)
_LAST = Column("last_seen", TIMESTAMP, "Last message or conversation.", nullable=False)


def _count(name: str, description: str) -> Column:
    return Column(name, INTEGER, description, nullable=False, minimum=0)


_COUNTS = (
    _count("conversations", "Conversations started."),
    _count("messages", "Messages in them, whoever wrote them."),
    _count("user_messages", "Messages by the user."),
    _count("escalations", "Conversations that asked for a human."),
    _count("errors", "Messages that failed."),
    _count("prompt_tokens", "Tokens sent to models."),
    _count("completion_tokens", "Tokens that models wrote."),
    _count("total_tokens", "All tokens."),
)

USER_DAYS = TableSchema(
    name="user_days",
    description="One row a user with conversations that started on the day: the state that "
    "`user_analytics` is made of.",
    columns=(
        _USER,
        _FIRST,
        _LAST,
        *_COUNTS,
        Column("active_days", pa.list_(DAY), "Local days on which the user wrote.", nullable=False),
        Column(
            "costs",
            pa.list_(pa.struct([("currency", STRING), ("cost", MONEY), ("messages", INTEGER)])),
            "Cost by currency, with the number of messages that have one.",
            nullable=False,
        ),
        Column(
            "topics",
            pa.list_(pa.struct([("topic", STRING), ("conversations", INTEGER)])),
            "Conversations by topic.",
            nullable=False,
        ),
        Column("sentiment_sum", REAL, "Sum of the conversations' sentiment.", nullable=False),
        _count("sentiment_count", "Conversations with a sentiment."),
        Column("feedback_sum", REAL, "Sum of the conversations' feedback.", nullable=False),
        _count("feedback_count", "Conversations with feedback."),
    ),
    key=("user_id",),
    order=("user_id",),
    hashes=(),
)

USER_ANALYTICS = TableSchema(
    name="user_analytics",
    description="One row a user, over all days of the lake.",
    columns=(
        _USER,
        _FIRST,
        _LAST,
        Column("first_active_day", DAY, "Local day of the user's first message; null without one."),
        Column("last_active_day", DAY, "Local day of the user's last message; null without one."),
        *_COUNTS,
        _count("active_days", "Local days on which the user wrote."),
        Column(
            "avg_messages_per_conversation", REAL, "Messages a conversation, on average.", minimum=0
        ),
        Column(
            "avg_sentiment", REAL, "Mean sentiment of the conversations.", minimum=-1, maximum=1
        ),
        Column("avg_feedback", REAL, "Mean feedback of the conversations.", minimum=-1, maximum=1),
        Column(
            "top_topics",
            pa.list_(STRING),
            "Up to five topics, the most frequent first; ties by name.",
            nullable=False,
        ),
        Column("total_cost", MONEY, "Cost in `currency`; of other currencies see `costs`."),
        Column(
            "currency",
            STRING,
            "The currency of most of the user's messages that cost something; ties by name.",
            categorical=True,
        ),
        Column("costs", STRING, "All costs, as a JSON object by currency.", nullable=False),
        Column(
            "is_new",
            BOOLEAN,
            "Whether the user's first message is less than seven days before the last day of the "
            "lake with one.",
            nullable=False,
        ),
        CONTENT_HASH,
    ),
    key=("user_id",),
    order=("user_id",),
)

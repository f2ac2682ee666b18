"""Every metric of reports, once: figures, documents, pages and docs are made from this list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from conversation_analytics.schemas.categories import TASKS
from conversation_analytics.schemas.formula import ALL, Count, Ratio, Sum, Users
from conversation_analytics.schemas.metric import (
    Direction,
    Metric,
    count,
    mean,
    quantiles,
    ratio,
    share,
    total,
)

RESOLVED: Final = ("resolved", "closed", "solved", "done", "completed")
UNRESOLVED: Final = ("open", "new", "pending", "waiting", "in_progress", "escalated")
"""What sources call the status of conversations that are settled, or not; any case."""

NOTABLE_CHANGE: Final = 0.2
"""How much a sentiment, -1 to 1, has to differ from start to end to be called a change."""


def _words(statuses: Sequence[str]) -> str:
    return ", ".join(f"'{status}'" for status in statuses)


def _users(name: str, title: str, also: str, description: str, direction: Direction) -> Metric:
    return count(
        name,
        title,
        "volume",
        "activity",
        Users(f"role = 'user'{also}"),
        description=description,
        direction=direction,
        headline=name == "active_users",
    )


_VOLUME = [
    count(
        "conversations",
        "Conversations",
        "volume",
        "conversations",
        Count(),
        description="Conversations started.",
        headline=True,
    ),
    count(
        "messages",
        "Messages",
        "volume",
        "activity",
        Sum("messages", counts=True),
        description="Messages made, whatever day their conversation started on.",
        headline=True,
    ),
    *[
        count(
            f"{role}_messages",
            f"Messages of {role}s",
            "volume",
            "activity",
            Sum("messages", f"role = '{role}'", counts=True),
            description=f"Messages made by {role}s.",
        )
        for role in ("user", "assistant")
    ],
    _users("active_users", "Active users", "", "Users who wrote a message.", "up_is_good"),
    _users(
        "new_users",
        "New users",
        " AND is_new",
        "Users who wrote their first message ever.",
        "up_is_good",
    ),
    _users(
        "returning_users",
        "Returning users",
        " AND NOT is_new",
        "Users who wrote a message, and had written before the period.",
        "up_is_good",
    ),
]

_LENGTH = [
    mean(
        "avg_messages_per_conversation",
        "Messages a conversation",
        "length",
        "conversations",
        "message_count",
        unit="count",
        description="Mean number of messages of the conversations started.",
        direction="neutral",
        decimals=2,
    ),
    mean(
        "avg_duration_seconds",
        "Duration",
        "length",
        "conversations",
        "duration_seconds",
        unit="seconds",
        description="Mean time from the start of a conversation to its last message.",
        direction="neutral",
    ),
]

_SPEED = [
    *quantiles(
        "first_response",
        "First response",
        "speed",
        "conversations",
        "first_response_seconds",
        (50, 90, 95),
        unit="seconds",
        description="Time to the first answer in conversations started",
        headline=95,
    ),
    *quantiles(
        "response",
        "Response",
        "speed",
        "times",
        "response_seconds",
        (50, 90, 95),
        unit="seconds",
        description="Time to an answer made, from the user's message right before it",
    ),
    *quantiles(
        "latency",
        "Latency",
        "speed",
        "times",
        "latency_ms",
        (50, 95, 99),
        unit="milliseconds",
        description="Time models took for messages made",
        headline=95,
    ),
]

_OUTCOME = [
    count(
        "escalations",
        "Escalations",
        "outcome",
        "conversations",
        Count("escalated"),
        description="Conversations started in which the assistant asked for a human.",
        direction="down_is_good",
    ),
    share(
        "escalation_rate",
        "Escalation rate",
        "outcome",
        "conversations",
        "escalated",
        ALL,
        description="Share of conversations started in which the assistant asked for a human.",
        direction="down_is_good",
        headline=True,
    ),
    share(
        "resolution_rate",
        "Resolution rate",
        "outcome",
        "conversations",
        f"lower(status) IN ({_words(RESOLVED)})",
        f"lower(status) IN ({_words((*RESOLVED, *UNRESOLVED))})",
        description="Share of conversations started that are settled, by a status of "
        f"{', '.join(RESOLVED)}, among those whose status tells.",
        direction="up_is_good",
    ),
    share(
        "unanswered_rate",
        "Unanswered",
        "outcome",
        "conversations",
        "first_response_seconds IS NULL",
        "user_message_count > 0",
        description="Share of conversations started whose user was never answered, among those "
        "whose user wrote.",
        direction="down_is_good",
    ),
    count(
        "errors",
        "Errors",
        "outcome",
        "activity",
        Sum("errors", "role = 'assistant'", counts=True),
        description="Messages of assistants made with an error.",
        direction="down_is_good",
    ),
    ratio(
        "error_rate",
        "Error rate",
        "outcome",
        "activity",
        Ratio(Sum("errors", "role = 'assistant'"), Sum("messages", "role = 'assistant'")),
        description="Share of the messages of assistants made that have an error.",
        direction="down_is_good",
        headline=True,
        decimals=2,
    ),
]

_FEELING = [
    *[
        share(
            f"sentiment_{label}_share",
            f"{label.capitalize()} sentiment",
            "sentiment",
            "conversations",
            f"sentiment = '{label}'",
            "sentiment IS NOT NULL",
            description=f"Share of conversations started whose user is {label}, among those whose "
            "sentiment is known.",
            direction=direction,
            headline=label == "negative",
        )
        for label, direction in (
            ("negative", "down_is_good"),
            ("neutral", "neutral"),
            ("positive", "up_is_good"),
        )
    ],
    mean(
        "sentiment_mean",
        "Mean sentiment",
        "sentiment",
        "conversations",
        "sentiment_score",
        unit="score",
        description="Mean sentiment of conversations started, -1 (negative) to 1 (positive).",
        direction="up_is_good",
        decimals=3,
    ),
    mean(
        "sentiment_change_mean",
        "Mean change of sentiment",
        "sentiment",
        "conversations",
        "sentiment_change",
        unit="score",
        description="Mean change of sentiment from the first to the last third of the user's "
        "messages of conversations started.",
        direction="up_is_good",
        decimals=3,
    ),
    *[
        share(
            f"sentiment_{word}_share",
            f"{word.capitalize()} sentiment",
            "sentiment",
            "conversations",
            condition,
            "sentiment_change IS NOT NULL",
            description=f"Share of conversations started whose sentiment is {word}, by at least "
            f"{NOTABLE_CHANGE} from the first to the last third of the user's messages, among "
            "those whose sentiment is known.",
            direction=direction,
        )
        for word, condition, direction in (
            ("improving", f"sentiment_change >= {NOTABLE_CHANGE}", "up_is_good"),
            ("worsening", f"sentiment_change <= -{NOTABLE_CHANGE}", "down_is_good"),
        )
    ],
    count(
        "feedback_count",
        "Conversations with feedback",
        "feedback",
        "conversations",
        Count("feedback_score IS NOT NULL"),
        description="Conversations started of which users gave feedback.",
    ),
    mean(
        "feedback_mean",
        "Mean feedback",
        "feedback",
        "conversations",
        "feedback_score",
        unit="score",
        description="Mean feedback of conversations started, -1 to 1.",
        direction="up_is_good",
        decimals=3,
    ),
    share(
        "feedback_negative_share",
        "Negative feedback",
        "feedback",
        "conversations",
        "feedback_score < 0",
        "feedback_score IS NOT NULL",
        description="Share of conversations started with feedback below 0, among those with any.",
        direction="down_is_good",
    ),
]

_SPENDING = [
    *[
        total(
            f"{kind}_tokens",
            f"{kind.capitalize()} tokens",
            "spending",
            "activity",
            f"{kind}_tokens",
            unit="tokens",
            description=description,
            headline=kind == "total",
        )
        for kind, description in (
            ("prompt", "Tokens sent to models for messages made."),
            ("completion", "Tokens models wrote in messages made."),
            ("total", "Prompt and completion tokens of messages made."),
        )
    ],
    mean(
        "tokens_per_conversation",
        "Tokens a conversation",
        "spending",
        "conversations",
        "nullif(total_tokens, 0)",
        unit="tokens",
        description="Mean tokens of the conversations started that took any.",
        direction="down_is_good",
    ),
    total(
        "cost",
        "Cost",
        "spending",
        "activity",
        "cost",
        unit="money",
        description="Price of messages made.",
        direction="down_is_good",
        per_currency=True,
        headline=True,
        decimals=2,
    ),
    mean(
        "cost_per_conversation",
        "Cost a conversation",
        "spending",
        "spending",
        "cost",
        unit="money",
        description="Mean price of the conversations started that have one.",
        direction="down_is_good",
        per_currency=True,
        decimals=4,
    ),
]

_LABELS = [
    share(
        f"abstention_share_{task}",
        f"Without {task}",
        "labels",
        "conversations",
        f"{task} IS NULL",
        "categorised",
        description=f"Share of conversations started that were given no {task}, among those "
        "categorised.",
        direction="down_is_good",
    )
    for task in TASKS
]

METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (*_VOLUME, *_LENGTH, *_SPEED, *_OUTCOME, *_FEELING, *_SPENDING, *_LABELS)
}

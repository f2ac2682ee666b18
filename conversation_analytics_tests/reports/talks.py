"""Conversations of a period as facts, said in a few words each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal

import pyarrow as pa

from conversation_analytics.periods import Period
from conversation_analytics.reports.facts import Facts, facts_of
from conversation_analytics.reports.relations import DIMENSIONS, FIRST_DAYS, relations_of
from conversation_analytics.schemas import CONVERSATIONS
from conversation_analytics.schemas.categories import CATEGORY_SUMMARIES
from conversation_analytics.schemas.message_activity import MESSAGE_ACTIVITY


@dataclass(frozen=True)
class Talk:
    """A conversation of a question and answers on the first day of a period."""

    user: str | None
    topic: str = "orders"
    channel: str = "web"
    escalated: bool = False
    answers: int = 1
    errors: int = 0
    tokens: int | None = 10
    cost: str | None = None
    currency: str | None = None
    latency: float = 100.0
    wait: float = 1.0


def facts(period: Period, talks: Iterable[Talk]) -> Facts:
    at = datetime.combine(period.first, time(12), UTC)
    conversations, summaries, activity = [], [], []
    for number, talk in enumerate(talks):
        own = {"conversation_id": f"c{number}", "user_id": talk.user}
        conversations.append(
            {
                **own,
                "channel": talk.channel,
                "started_at": at,
                "first_response_seconds": talk.wait,
                "escalated": talk.escalated,
                "message_count": 1 + talk.answers,
                "user_message_count": 1,
                "attributes": "{}",
            }
        )
        summaries.append({**own, "topic": talk.topic, "topics": [talk.topic]})
        made = {
            **own,
            "activity_day": period.first,
            "errors": 0,
            "first_at": at,
            "last_at": at,
            "response_seconds": [],
        }
        activity.append({**made, "role": "user", "messages": 1, "latency_ms": []})
        answered = {
            "role": "assistant",
            "model": "m",
            "messages": talk.answers,
            "errors": talk.errors,
            "total_tokens": talk.tokens,
            "cost": None if talk.cost is None else Decimal(talk.cost),
            "currency": talk.currency,
            "latency_ms": [talk.latency] * talk.answers,
        }
        activity.append(made | answered)
    counted = relations_of(
        period,
        "UTC",
        DIMENSIONS,
        conversations=pa.Table.from_pylist(conversations, schema=CONVERSATIONS.arrow),
        summaries=pa.Table.from_pylist(
            [{k: v for k, v in row.items() if k != "user_id"} for row in summaries],
            schema=CATEGORY_SUMMARIES.arrow,
        ),
        activity=pa.Table.from_pylist(activity, schema=MESSAGE_ACTIVITY.arrow),
        first_days=FIRST_DAYS.empty_table(),
    )
    return facts_of(period, DIMENSIONS, counted)

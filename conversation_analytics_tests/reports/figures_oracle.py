"""What a report must say, worked out slowly from the written definitions with plain loops."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from conversation_analytics.periods import Period
from conversation_analytics_tests.reports.frames import Row, World

FIXED = ("language", "topic", "intent", "sentiment", "channel", "model", "status")
Cell = tuple[str, str]
Figure = float | Fraction | Decimal | int | None
Key = tuple[str, str, str, str | None]
Label = Callable[[str, str, date], str | None]


def as_it_is(dimension: str, value: str, day: date) -> str | None:
    return value


def expected(
    world: World,
    period: Period,
    zone: str,
    attributes: Sequence[str] = (),
    label: Label = as_it_is,
) -> dict[Key, tuple[Figure, int]]:
    """Every figure and how many users are behind it, by dimension, value, metric and currency."""
    local = ZoneInfo(zone)

    def day_of(moment: datetime) -> date:
        return moment.astimezone(local).date()

    labels = {row["conversation_id"]: row for row in world.summaries}
    dimensions = (*FIXED, *attributes)
    values = {
        row["conversation_id"]: {
            name: value_of(name, row, labels.get(row["conversation_id"])) for name in dimensions
        }
        for row in world.conversations
    }
    started: defaultdict[Cell, list[Row]] = defaultdict(list)
    made: defaultdict[Cell, list[Row]] = defaultdict(list)
    for row in world.conversations:
        id_, day = row["conversation_id"], day_of(row["started_at"])
        if period.first <= day <= period.last:
            whole = {**row, "labels": labels.get(id_)}
            for cell in cells_of(values[id_], day, label):
                started[cell].append(whole)
    for row in world.messages:
        day = day_of(row["created_at"])
        if period.first <= day <= period.last:
            own = dict(values[row["conversation_id"]])
            if row["model"] or row["role"] != "user":
                own["model"] = row["model"] or "(none)"
            for cell in cells_of(own, day, label):
                made[cell].append(row)

    found: dict[Key, tuple[Figure, int]] = {}
    for cell in {("", ""), *started, *made}:
        told = (
            (started[cell], of_conversations(started[cell])),
            (made[cell], of_messages(made[cell], world.first_days, period)),
        )
        for rows, figures in told:
            users = len({row["user_id"] for row in rows} - {None})
            for (metric, currency), figure in figures.items():
                found[*cell, metric, currency] = (figure, users)
    return found


def cells_of(values: dict[str, str], day: date, label: Label) -> Iterator[Cell]:
    yield "", ""
    for dimension, value in values.items():
        shown = label(dimension, value, day)
        if shown is not None:
            yield dimension, shown


def value_of(dimension: str, row: Row, labels: Row | None) -> str:
    if dimension in ("language", "topic", "intent", "sentiment"):
        found = labels and labels[dimension]
        if dimension == "language":
            found = found or row["language"]
        return found or ("unknown" if labels else "(none)")
    if dimension in FIXED:
        return row[dimension] or "(none)"
    value = json.loads(row["attributes"]).get(dimension)
    if value is None or value == "":
        return "(none)"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def of_conversations(rows: list[Row]) -> dict[tuple[str, str | None], Figure]:
    labelled = [row["labels"] for row in rows if row["labels"]]
    feelings = [one["sentiment"] for one in labelled if one["sentiment"]]
    changes = present(one["sentiment_change"] for one in labelled)
    feedback = present(row["feedback_score"] for row in rows)
    first = present(row["first_response_seconds"] for row in rows)
    asked = [row for row in rows if row["user_message_count"] > 0]
    told = [
        status.lower() in ("resolved", "closed")
        for row in rows
        if (status := row["status"]) in ("Resolved", "closed", "open")
    ]
    plain: dict[str, Figure] = {
        "conversations": len(rows),
        "avg_messages_per_conversation": mean([row["message_count"] for row in rows]),
        "avg_duration_seconds": mean([row["duration_seconds"] for row in rows]),
        **{f"first_response_p{p}_seconds": quantile(first, p) for p in (50, 90, 95)},
        "escalations": sum(row["escalated"] for row in rows),
        "escalation_rate": mean([row["escalated"] for row in rows]),
        "resolution_rate": mean(told),
        "unanswered_rate": mean([row["first_response_seconds"] is None for row in asked]),
        **{
            f"sentiment_{name}_share": mean([one == name for one in feelings])
            for name in ("negative", "neutral", "positive")
        },
        "sentiment_mean": mean(present(one["sentiment_score"] for one in labelled)),
        "sentiment_change_mean": mean(changes),
        "sentiment_improving_share": mean([change >= 0.2 for change in changes]),
        "sentiment_worsening_share": mean([change <= -0.2 for change in changes]),
        "feedback_count": len(feedback),
        "feedback_mean": mean(feedback),
        "feedback_negative_share": mean([score < 0 for score in feedback]),
        "tokens_per_conversation": mean([n for row in rows if (n := row["total_tokens"])]),
        **{
            f"abstention_share_{task}": mean([one[task] is None for one in labelled])
            for task in ("language", "topic", "intent", "sentiment")
        },
    }
    costs = defaultdict(list)
    for row in rows:
        if row["cost"] is not None:
            costs[row["currency"] or "(none)"].append(row["cost"])
        for currency, cost in json.loads(row["attributes"]).get("cost_by_currency", {}).items():
            costs[{"None": "(none)"}.get(currency, currency)].append(Decimal(cost))
    return {
        **{(name, None): figure for name, figure in plain.items()},
        **{("cost_per_conversation", currency): mean(own) for currency, own in costs.items()},
    }


def of_messages(
    rows: list[Row], first_days: dict[str, date], period: Period
) -> dict[tuple[str, str | None], Figure]:
    by_role = {role: [row for row in rows if row["role"] == role] for role in ("user", "assistant")}
    users = {row["user_id"] for row in by_role["user"]} - {None}
    new = {user for user in users if first_days.get(user, period.first) >= period.first}
    failed = [row["error"] is not None for row in by_role["assistant"]]
    latencies = present(row["latency_ms"] for row in rows)
    responses = present(row["response_seconds"] for row in rows)
    tokens = {
        kind: present(row[f"{kind}_tokens"] for row in rows) for kind in ("prompt", "completion")
    }
    plain: dict[str, Figure] = {
        "messages": len(rows),
        "user_messages": len(by_role["user"]),
        "assistant_messages": len(by_role["assistant"]),
        "active_users": len(users),
        "new_users": len(new),
        "returning_users": len(users - new),
        "errors": sum(failed),
        "error_rate": mean(failed),
        **{f"response_p{p}_seconds": quantile(responses, p) for p in (50, 90, 95)},
        **{f"latency_p{p}_ms": quantile(latencies, p) for p in (50, 95, 99)},
        **{f"{kind}_tokens": total(own) for kind, own in tokens.items()},
        "total_tokens": total([*tokens["prompt"], *tokens["completion"]]),
    }
    costs = defaultdict(list)
    for row in rows:
        if row["cost"] is not None:
            costs[row["currency"] or "(none)"].append(row["cost"])
    return {
        **{(name, None): figure for name, figure in plain.items()},
        **{("cost", currency): total(own) for currency, own in costs.items()},
    }


def present(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def total(values: list[Any]) -> Figure:
    return sum(values[1:], values[0]) if values else None


def mean(values: list[Any]) -> Figure:
    return sum(map(Fraction, values), Fraction(0)) / len(values) if values else None


def quantile(values: list[float], percent: int) -> Figure:
    """Interpolated linearly between the two values next to the place of the quantile."""
    if not values:
        return None
    ordered = [Fraction(value) for value in sorted(values)]
    place = Fraction(percent * (len(ordered) - 1), 100)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

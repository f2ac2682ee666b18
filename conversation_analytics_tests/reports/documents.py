"""Documents of reports in the shapes that a page has to bear, made without a lake."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from conversation_analytics.periods import Period, parse_period
from conversation_analytics.schemas.formula import Mean, Ratio
from conversation_analytics.schemas.metric import Metric
from conversation_analytics.schemas.metrics import METRICS

Document = dict[str, Any]

TOPICS = {
    "orders": 0.21, "billing": 0.17, "technical": 0.14, "account": 0.12, "flights": 0.08,
    "hotels": 0.06, "telecom": 0.05, "banking": 0.04, "insurance": 0.03, "events": 0.02,
    "learning": 0.015, "weather": 0.012, "work": 0.01, "unknown": 0.02, "(other)": 0.023,
}  # fmt: skip
INTENTS = {
    "ask_information": 0.28, "ask_status": 0.2, "report_problem": 0.16, "refund": 0.11,
    "cancel": 0.08, "complain": 0.06, "ask_human": 0.05, "unknown": 0.04, "(other)": 0.02,
}  # fmt: skip
LANGUAGES = {
    "en": 0.44,
    "th": 0.22,
    "vi": 0.13,
    "id": 0.09,
    "zh": 0.06,
    "ar": 0.04,
    "(other)": 0.02,
}
CHANNELS = {"web": 0.52, "line": 0.27, "whatsapp": 0.18, "(none)": 0.03}
SENTIMENTS = {"neutral": 0.51, "positive": 0.2, "negative": 0.18, "mixed": 0.04, "unknown": 0.07}
MODELS = {"gpt-4o-mini": 0.68, "qwen2.5-72b-instruct": 0.25, "claude-3-haiku": 0.07}
SEGMENTS = {"new": 0.35, "returning": 0.48, "vip": 0.12, "(none)": 0.05}
DIMENSIONS: dict[str, dict[str, float]] = {
    "topic": TOPICS, "intent": INTENTS, "sentiment": SENTIMENTS, "language": LANGUAGES,
    "channel": CHANNELS, "model": MODELS, "status": {"normal": 0.97, "error": 0.03},
    "segment": SEGMENTS,
}  # fmt: skip
EXPLAINED = ("topic", "intent", "language", "channel", "model")
SURE = {"conversations", "escalation_rate", "first_response_p95_seconds"}


def document(
    key: str = "2024-W03",
    grain: str = "weekly",
    *,
    conversations: int = 1842,
    escalation: float = 0.151,
    currencies: Sequence[str] = ("USD",),
    names: Mapping[str, str] | None = None,
    **changed: Any,
) -> Document:
    """A report of a period in which much happened.

    Args:
        conversations: started in it.
        escalation: share of them.
        currencies: of what models cost.
        names: values of dimensions that are called otherwise.
        changed: fields that are not as usual.
    """
    period = parse_period(grain, key)
    draw = random.Random(key)
    metrics = _metrics(conversations, escalation, currencies, draw)
    before = _metrics(int(conversations * 0.893), escalation * 0.81, currencies, draw)
    week_ago = _metrics(int(conversations * 1.02), escalation, currencies, draw)
    weekday = period.same_weekday()
    made: Document = {
        "grain": grain,
        "key": key,
        "report_version": 1,
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "days_present": [day.isoformat() for day in period.days],
        "days_missing": [],
        "complete": True,
        "metrics": metrics,
        "breakdowns": {
            dimension: _breakdown(values, metrics, draw) for dimension, values in DIMENSIONS.items()
        },
        "time_zone": "Asia/Bangkok",
        "generated_at": "2024-01-22T03:10:00+00:00",
        "content_hash": "6f1d0c2a9b7e4f55",
        "comparisons": {
            "previous": {"key": period.previous().key, "metrics": before},
            "same_weekday": {"key": weekday.key, "metrics": week_ago} if weekday else None,
        },
        "why": _why(before, metrics, draw),
        "corrected": {
            "topic": {
                "model_version": "words-60ddf2004582f99e",
                "data": "labelled.csv",
                "reason": None,
                "shares": [
                    {"value": "orders", "said": 0.21, "share": 0.228, "interval": [0.211, 0.246]},
                    {"value": "billing", "said": 0.17, "share": 0.161, "interval": [0.147, 0.176]},
                ],
            },
            "intent": {
                "model_version": "words-60ddf2004582f99e",
                "data": "labelled.csv",
                "reason": "'refund' has 7 labelled texts of the 20 that it takes",
                "shares": None,
            },
        },
        "models": _models(metrics, currencies, draw),
        "retention": [
            {
                "cohort": "2024-W02",
                "weeks_later": 1,
                "users": 1_204,
                "active": 511,
                "share": 0.4244,
            },
            {"cohort": "2024-W01", "weeks_later": 2, "users": 3, "active": None, "share": None},
        ],
        "quarantined": {"bad_time": 12, "orphan_message": 3},
        "min_users_per_cell": 5,
        "summary": [
            f"{conversations:,} conversations started, 12.0 % more than before.",
            "Escalations rose from 12.2 % to 15.1 % of conversations, mostly in billing.",
            "95 % of first answers came within 9.4 s, 2.1 s later than before.",
            "Sentiment, errors and cost changed no more than chance explains.",
        ],
        "restated": None,
    }
    made |= deepcopy(changed)
    return _renamed(made, names or {})


def empty(key: str = "2024-W03", grain: str = "weekly") -> Document:
    """A report of a period in which nothing happened, the first of all."""
    nothing = {
        name: 0 if one.counts else {} if one.per_currency else None for name, one in METRICS.items()
    }
    return document(
        key,
        grain,
        metrics=nothing,
        breakdowns={dimension: [] for dimension in DIMENSIONS},
        comparisons={"previous": None, "same_weekday": None},
        why={},
        corrected={},
        models=[],
        quarantined={},
        summary=["No conversation started and no message was made."],
    )


def half_missing(key: str = "2024-01", grain: str = "monthly") -> Document:
    """A report of a period of which every other day is not there."""
    days = [day.isoformat() for day in parse_period(grain, key).days]
    return document(key, grain, days_present=days[::2], days_missing=days[1::2], complete=False)


def withheld(key: str = "2024-01-15", grain: str = "daily") -> Document:
    """A report of a day with users so few that no dimension may be shown."""
    return document(
        key,
        grain,
        conversations=4,
        breakdowns={dimension: [] for dimension in DIMENSIONS},
        why={},
        corrected={},
        models=[],
    )


def restated(key: str = "2024-W03", grain: str = "weekly") -> Document:
    """A report whose figures were others in the version before."""
    changes = [
        _change("", "", "conversations", None, 1790, 1842),
        _change("topic", "billing", "escalation_rate", None, 0.31, 0.334),
        _change("", "", "cost", "USD", 41.02, 42.8),
        _change("channel", "line", "first_response_p95_seconds", None, None, 12.5),
    ]
    return document(
        key,
        grain,
        report_version=2,
        restated={
            "previous_version": 1,
            "at": "2024-01-22T03:10:00+00:00",
            "changes": changes,
            "changes_left_out": 7,
        },
    )


def many_scripts() -> Document:
    """A report with long names, and names from right to left and without spaces."""
    return document(
        "2024-02",
        "monthly",
        names={
            "orders": "การติดตามสถานะคำสั่งซื้อและการจัดส่งสินค้าที่ล่าช้าเกินกว่ากำหนด",
            "billing": "请求退款但长时间没有收到任何回复的客户所提出的投诉",
            "technical": "مشكلة في تسجيل الدخول إلى الحساب (VIP)",
            "account": "Kontowiederherstellungsverfahrensbeschreibungsanforderung",
            "web": "עברית",
            "gpt-4o-mini": "acme/very-long-model-name-with-a-date-2024-07-18:latest@sha256",
        },
        currencies=("EUR", "THB", "USD", "VND"),
    )


HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% include 'theme.css' %}",
    "</style><style>*{display:none}",
    "javascript:alert(1)//&amp;<!--",
)


def hostile() -> Document:
    """A report whose texts, wherever data can name something, try to become part of the page."""
    made = document(names=dict(zip(TOPICS, HOSTILE, strict=False)) | {"gpt-4o-mini": HOSTILE[0]})
    made["breakdowns"][HOSTILE[1]] = made["breakdowns"].pop("segment")
    made["summary"].append(HOSTILE[0])
    made["quarantined"][HOSTILE[1]] = 1
    made["metrics"]["cost"] = {HOSTILE[1]: 1.0}
    return made


def history(count: int = 12, grain: str = "weekly", last: str = "2024-W02") -> list[Document]:
    """Reports of the periods up to one, oldest first."""
    periods: list[Period] = [parse_period(grain, last)]
    while len(periods) < count:
        periods.insert(0, periods[0].previous())
    draw = random.Random(grain)
    return [
        document(
            period.key,
            grain,
            conversations=int(1300 + 35 * number + draw.uniform(-160, 160)),
            escalation=0.12 + draw.uniform(-0.02, 0.02),
        )
        for number, period in enumerate(periods)
    ]


def _metrics(
    conversations: int, escalation: float, currencies: Sequence[str], draw: random.Random
) -> dict[str, Any]:
    near = {"first_response_p95_seconds": 9.4, "latency_p95_ms": 6810.0, "error_rate": 0.0131}
    found: dict[str, Any] = {}
    for name, metric in METRICS.items():
        wobble = draw.uniform(0.94, 1.06)
        match metric.unit:
            case "count":
                found[name] = round(conversations * 5.3 * wobble)
            case "tokens":
                found[name] = round(conversations * 1900 * wobble)
            case "money":
                rates = {"USD": 0.023, "EUR": 0.011, "THB": 0.8, "VND": 570.0}
                found[name] = {
                    code: round(rates[code] * wobble * (conversations if metric.additive else 1), 4)
                    for code in currencies
                }
            case "share":
                found[name] = 0.17 * wobble
            case "score":
                found[name] = 0.08 * wobble
            case "seconds":
                found[name] = 7.3 * wobble
            case "milliseconds":
                found[name] = 2350 * wobble
        if name in near:
            found[name] = near[name] * wobble
    return found | {
        "conversations": conversations,
        "escalation_rate": escalation,
        "active_users": round(conversations * 0.61),
    }


def _breakdown(
    values: Mapping[str, float], whole: Mapping[str, Any], draw: random.Random
) -> list[dict[str, Any]]:
    rows = []
    for value, share in values.items():
        count = round(whole["conversations"] * share)
        rate = whole["escalation_rate"] * draw.uniform(0.3, 2.2)
        metrics = dict(whole) | {"conversations": count, "escalation_rate": min(rate, 1.0)}
        metrics["sentiment_negative_share"] = draw.uniform(0.05, 0.4)
        rows.append({"value": value, "users": round(count * 0.7), "metrics": metrics})
    return rows


def _why(before: Mapping[str, Any], now: Mapping[str, Any], draw: random.Random) -> dict[str, Any]:
    found = {}
    for name, metric in METRICS.items():
        if metric.headline and metric.per_currency:
            found[name] = {
                code: _changed(metric, before[name][code], now[name][code], draw)
                for code in now[name]
            }
        elif metric.headline:
            found[name] = _changed(metric, before[name], now[name], draw)
    return found


def _changed(metric: Metric, before: float, now: float, draw: random.Random) -> dict[str, Any]:
    change, sure = now - before, metric.name in SURE
    width = abs(change) * (0.4 if sure else 1.6)
    explained = EXPLAINED if metric.additive or isinstance(metric.formula, Ratio | Mean) else ()
    return {
        "now": now,
        "before": before,
        "change": change,
        "interval": [change - width, change + width],
        "distinguishable": sure,
        "by": {
            dimension: _contributions(DIMENSIONS[dimension], change, sure, metric.additive, draw)
            for dimension in explained
        },
    }


def _contributions(
    values: Mapping[str, float], change: float, sure: bool, additive: bool, draw: random.Random
) -> list[dict[str, Any]]:
    weights = [share * draw.uniform(-0.6, 2.0) for share in values.values()]
    rows = []
    for value, weight in zip(values, weights, strict=True):
        part = change * weight / sum(weights)
        width = abs(change) * 0.12
        mix = part * draw.uniform(0, 0.5)
        rows.append(
            {
                "value": value,
                "contribution": part,
                "mix": None if additive else mix,
                "rate": None if additive else part - mix,
                "interval": [part - width, part + width],
                "distinguishable": sure and abs(part) > width,
            }
        )
    return rows


def _models(
    whole: Mapping[str, Any], currencies: Sequence[str], draw: random.Random
) -> list[dict[str, Any]]:
    return [
        {
            "model": model,
            "version": None,
            "messages": round(whole["messages"] * share / 2),
            "errors": round(whole["messages"] * share / 200),
            "error_rate": 0.01 * draw.uniform(0.5, 2),
            "latency_p50_ms": 1900 * draw.uniform(0.6, 2),
            "latency_p95_ms": 5200 * draw.uniform(0.6, 2),
            "latency_p99_ms": 11900 * draw.uniform(0.8, 2),
            "total_tokens": round(whole["total_tokens"] * share),
            "cost": {code: round(whole["cost"][code] * share, 4) for code in currencies},
            "escalation_rate": 0.15 * draw.uniform(0.6, 1.5),
            "sentiment_negative_share": 0.18 * draw.uniform(0.6, 1.5),
        }
        for model, share in MODELS.items()
    ]


def _change(
    dimension: str, value: str, metric: str, currency: str | None, before: Any, after: Any
) -> dict[str, Any]:
    return {
        "dimension": dimension,
        "value": value,
        "metric": metric,
        "currency": currency,
        "before": before,
        "after": after,
    }


def _renamed(one: Any, names: Mapping[str, str]) -> Any:
    """The same with other names for values of dimensions and models."""
    if isinstance(one, dict):
        return {
            key: names.get(each, each)
            if key in {"value", "model"} and isinstance(each, str)
            else _renamed(each, names)
            for key, each in one.items()
        }
    return [_renamed(each, names) for each in one] if isinstance(one, list) else one

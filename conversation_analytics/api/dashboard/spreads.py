"""How a rate differs between the values of a dimension; and models side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from conversation_analytics.api.dashboard.shelf import Document
from conversation_analytics.reports import wording
from conversation_analytics.reports.page import charts, numbers
from conversation_analytics.reports.page.breakdowns import LAST
from conversation_analytics.reports.page.figures import value_of
from conversation_analytics.schemas.metrics import METRICS

_ROWS: Final = 16
_FEW: Final = 10


@dataclass(frozen=True)
class Spread:
    """A value's rate beside that of the whole; numbers are written.

    Attributes:
        few: whether there are too few conversations for the rate to say much.
        drawing: the rate as a bar, with a line at the rate of the whole.
    """

    value: str
    conversations: int
    rate: str
    few: bool
    drawing: Markup


@dataclass(frozen=True)
class Slowest:
    """The model whose answers take longest; numbers are written.

    Attributes:
        p50, p95: times within which half and 95 % of its answers came.
        before: the p95 of the period before; empty if there was none.
        costs: what it cost, by currency, each with its share of all models' cost.
        several: whether there are other models with times.
    """

    name: str
    p50: str
    p95: str
    before: str
    costs: list[tuple[str, str]]
    several: bool


def spread(document: Document, dimension: str, metric: str) -> list[Spread]:
    """A rate by the values of a dimension, the highest first; those of few or no name below."""
    whole = value_of(document["metrics"], metric, None)
    found = []
    for entry in (document.get("breakdowns") or {}).get(dimension) or []:
        rate = value_of(entry["metrics"], metric, None)
        if rate is not None:
            count = int(entry["metrics"].get("conversations") or 0)
            found.append((str(entry["value"]), rate, count))
    widest = max([rate for _, rate, _ in found] + [whole or 0.0]) or 1.0
    found.sort(key=lambda one: (one[0] in LAST, one[2] < _FEW, -one[1], one[0]))
    return [
        Spread(
            value=name,
            conversations=count,
            rate=numbers.shown(rate, METRICS[metric]),
            few=count < _FEW,
            drawing=charts.bar(
                rate / widest,
                mark=None if whole is None else whole / widest,
                kind="negative" if whole is not None and rate > whole else "neutral",
            ),
        )
        for name, rate, count in found[:_ROWS]
    ]


def slowest(document: Document, before: Document | None) -> Slowest | None:
    """The model with the longest p95; null if none has a time."""
    entries = [one for one in document.get("models") or [] if one.get("latency_p95_ms")]
    if not entries:
        return None
    own = max(entries, key=lambda one: (one["latency_p95_ms"], str(one["model"])))
    name = str(own["model"])
    sums: dict[str, float] = {}
    for one in document.get("models") or []:
        for currency, cost in (one.get("cost") or {}).items():
            sums[currency] = sums.get(currency, 0.0) + float(cost or 0)
    costs = [
        (
            wording.money(float(cost), currency),
            numbers.share(float(cost) / sums[currency]) if sums[currency] else "",
        )
        for currency, cost in sorted((own.get("cost") or {}).items())
        if cost is not None
    ]
    return Slowest(
        name=name,
        p50=_seconds(own.get("latency_p50_ms")),
        p95=_seconds(own["latency_p95_ms"]),
        before=_seconds(_time_of(before, name)),
        costs=costs,
        several=len(entries) > 1,
    )


def _time_of(document: Document | None, model: str) -> float | None:
    entries: list[Mapping[str, Any]] = (document or {}).get("models") or []
    found = next((one for one in entries if str(one["model"]) == model), None)
    return found.get("latency_p95_ms") if found else None


def _seconds(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds / 1000:,.1f}\N{NO-BREAK SPACE}s"

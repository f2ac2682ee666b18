"""What a document says of why figures changed, as far as it can be told from noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from conversation_analytics.reports.page import charts, numbers
from conversation_analytics.reports.page.figures import (
    Document,
    Registry,
    change_of,
    verdict_of,
)
from conversation_analytics.reports.page.numbers import Verdict
from conversation_analytics.schemas.metric import Metric

ROWS: Final = 6


@dataclass(frozen=True)
class Contribution:
    """What a value of a dimension adds to a change; numbers are written.

    Attributes:
        mix: by there being more or fewer of it.
        rate: by itself having changed.
        sure: whether it can be told from noise.
    """

    value: str
    change: str
    mix: str
    rate: str
    interval: str
    sure: bool
    drawing: Markup


@dataclass(frozen=True)
class Contributions:
    """The values of a dimension, those that add most first.

    Attributes:
        others: what the values not listed add together; empty if all are listed.
        split: whether mix and rate are told apart.
    """

    dimension: str
    rows: Sequence[Contribution]
    others: str
    split: bool


@dataclass(frozen=True)
class Change:
    """How a figure changed since the period before; numbers are written.

    Attributes:
        by: what makes it up; empty if nothing in it can be told from noise.
    """

    title: str
    name: str
    before: str
    now: str
    change: str
    interval: str
    verdict: Verdict
    drawing: Markup
    by: Sequence[Contributions]


def changes(document: Document, registry: Registry) -> list[Change]:
    """The changes that the document explains: those that are no noise first."""
    found = [
        _change(metric, currency, entry)
        for metric in registry.values()
        for currency, entry in _entries(document, metric)
        if entry.get("change") is not None
    ]
    return sorted(found, key=lambda one: one.verdict in {"noise", "same", ""})


def _entries(document: Document, metric: Metric) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    entry = (document.get("why") or {}).get(metric.name)
    if not entry:
        return
    for currency in sorted(entry) if metric.per_currency else [None]:
        if found := change_of(document, metric.name, currency):
            yield currency, found


def _change(metric: Metric, currency: str | None, entry: Mapping[str, Any]) -> Change:
    change, interval = float(entry["change"]), _interval(entry)
    verdict = verdict_of(metric, entry["before"], entry["now"], entry.get("distinguishable"))
    by = entry.get("by") or {}
    told = any(one["distinguishable"] for ones in by.values() for one in ones)
    reach = _reach(one for ones in by.values() for one in ones)
    return Change(
        title=f"{metric.title}, {currency}" if currency else metric.title,
        name=metric.name,
        before=numbers.shown(entry["before"], metric, currency),
        now=numbers.shown(entry["now"], metric, currency),
        change=numbers.difference(change, metric, currency),
        interval=numbers.span(interval, metric, currency),
        verdict=verdict,
        drawing=charts.swing(change, _reach([entry], "change"), interval, verdict or "noise"),
        by=[
            _contributions(dimension, ones, metric, currency, reach)
            for dimension, ones in by.items()
            if ones and told
        ],
    )


def _contributions(
    dimension: str,
    entries: Sequence[Mapping[str, Any]],
    metric: Metric,
    currency: str | None,
    reach: float,
) -> Contributions:
    def written(value: float) -> str:
        return numbers.difference(value, metric, currency)

    sizes = sorted(entries, key=lambda one: (-abs(one["contribution"]), str(one["value"])))
    listed, others = sizes[:ROWS], sizes[ROWS:]
    rows = [
        Contribution(
            value=str(one["value"]),
            change=written(one["contribution"]),
            mix=numbers.bare(one.get("mix"), metric, currency),
            rate=numbers.bare(one.get("rate"), metric, currency),
            interval=numbers.span(_interval(one), metric, currency),
            sure=bool(one["distinguishable"]),
            drawing=charts.swing(
                one["contribution"],
                reach,
                _interval(one),
                "accent" if one["distinguishable"] else "noise",
            ),
        )
        for one in listed
    ]
    return Contributions(
        dimension=dimension,
        rows=rows,
        others=written(sum(one["contribution"] for one in others)) if others else "",
        split=any(one.get("mix") is not None for one in listed),
    )


def _interval(entry: Mapping[str, Any]) -> tuple[float, float] | None:
    low, high = entry.get("interval") or (None, None)
    return None if low is None or high is None else (float(low), float(high))


def _reach(entries: Iterable[Mapping[str, Any]], name: str = "contribution") -> float:
    """The longest that a bar or its interval reaches to either side."""
    ends = [end for one in entries for end in (one[name], *(_interval(one) or ()))]
    return max((abs(end) for end in ends), default=0.0)

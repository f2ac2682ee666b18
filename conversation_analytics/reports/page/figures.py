"""What a document says of the whole period: the headline, its past, and all other figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from conversation_analytics.reports.page import charts, numbers
from conversation_analytics.reports.page.numbers import Verdict
from conversation_analytics.schemas.metric import Metric

Document = Mapping[str, Any]
Registry = Mapping[str, Metric]
UNITS: Final = {"daily": "days", "weekly": "weeks", "monthly": "months"}
PERIODS: Final = 12  # earlier ones in a line


@dataclass(frozen=True)
class Comparison:
    """A figure beside that of another period.

    Attributes:
        key: the other period's.
        before: its figure, written.
        change: how the figure differs from it, written; empty if that cannot be told.
        verdict: what the change means; empty if nobody asked whether it is noise.
    """

    key: str
    before: str
    change: str
    verdict: Verdict = ""


@dataclass(frozen=True)
class Figure:
    """A metric of the whole period, of one currency if it is money.

    Attributes:
        raw: the value itself, null if there was nothing to measure.
        value: the same, written.
        spark: its line over the last periods; empty where there is none.
    """

    metric: Metric
    currency: str | None
    raw: float | None
    value: str
    previous: Comparison | None
    weekday: Comparison | None
    spark: Markup

    @property
    def title(self) -> str:
        """What is measured, and in which currency."""
        return f"{self.metric.title}, {self.currency}" if self.currency else self.metric.title


@dataclass(frozen=True)
class Panel:
    """A metric over the last periods.

    Attributes:
        drawing: its line.
        ticks: what the lines of the grid stand for, each with its percent from the top.
        first, last: keys of the ends.
        described: what the line shows, in words.
    """

    title: str
    drawing: Markup
    ticks: Sequence[tuple[str, float]]
    first: str
    last: str
    described: str


@dataclass(frozen=True)
class History:
    """The headline over the last periods.

    Attributes:
        panels: the first figure of each group.
        unit: what a period is called.
        keys: of the periods, the reported one last.
        rows: a figure's title and its values, written, one a key.
    """

    panels: Sequence[Panel]
    unit: str
    keys: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def figures(document: Document, history: Sequence[Document], registry: Registry) -> list[Figure]:
    """Every metric of the registry that the document has, in the registry's order."""
    past = history[-PERIODS:]
    return [
        _figure(document, past, metric, currency)
        for metric in registry.values()
        if metric.name in document["metrics"]
        for currency in _currencies(metric, [*past, document])
    ]


def past(document: Document, history: Sequence[Document], registry: Registry) -> History | None:
    """The headline over the last periods; null if there is no earlier one."""
    periods = [*history[-PERIODS:], document]
    if len(periods) < 2:
        return None
    keys = [str(one["key"]) for one in periods]
    panels: dict[str, Panel] = {}
    rows = []
    for metric in registry.values():
        if not metric.headline:
            continue
        for currency in _currencies(metric, periods):
            values = [value_of(one["metrics"], metric.name, currency) for one in periods]
            title = f"{metric.title}, {currency}" if currency else metric.title
            rows.append((title, [numbers.shown(value, metric, currency) for value in values]))
            if drawing := charts.line(values, charts.scale_of(values)):
                panel = _panel(title, metric, currency, keys, values, drawing)
                panels.setdefault(metric.group, panel)
    return History([*panels.values()], UNITS[document["grain"]], keys, rows)


def value_of(metrics: Mapping[str, Any], name: str, currency: str | None) -> float | None:
    """A metric's value, of one currency if it is money."""
    value = metrics.get(name)
    if isinstance(value, Mapping):
        value = value.get(currency)
    return None if value is None else float(value)


def verdict_of(
    metric: Metric, before: float | None, now: float | None, distinguishable: bool | None
) -> Verdict:
    """What a change means: noise, or something, for the better or the worse."""
    if distinguishable is None or before is None or now is None:
        return ""
    if now == before:
        return "same"
    if not distinguishable:
        return "noise"
    if metric.direction == "neutral":
        return "changed"
    return "better" if (now > before) == (metric.direction == "up_is_good") else "worse"


def change_of(document: Document, name: str, currency: str | None) -> Mapping[str, Any] | None:
    """What the document tells of a metric's change; null where it tells nothing."""
    entry = (document.get("why") or {}).get(name)
    if entry is not None and currency is not None:
        entry = entry.get(currency)
    return entry


def _figure(
    document: Document, past: Sequence[Document], metric: Metric, currency: str | None
) -> Figure:
    value = value_of(document["metrics"], metric.name, currency)
    history = [value_of(one["metrics"], metric.name, currency) for one in past]
    entry = change_of(document, metric.name, currency)
    compared = document.get("comparisons") or {}
    sure = entry.get("distinguishable") if entry else None
    return Figure(
        metric=metric,
        currency=currency,
        raw=value,
        value=numbers.shown(value, metric, currency),
        previous=_compared(compared.get("previous"), metric, currency, value, sure),
        weekday=_compared(compared.get("same_weekday"), metric, currency, value, None),
        spark=charts.sparkline([*history, value]),
    )


def _compared(
    other: Document | None,
    metric: Metric,
    currency: str | None,
    now: float | None,
    distinguishable: bool | None,
) -> Comparison | None:
    if not other or not other.get("metrics"):
        return None
    before = value_of(other["metrics"], metric.name, currency)
    return Comparison(
        key=str(other["key"]),
        before=numbers.shown(before, metric, currency),
        change=numbers.change(now, before, metric),
        verdict=verdict_of(metric, before, now, distinguishable),
    )


def _currencies(metric: Metric, documents: Sequence[Document]) -> Iterator[str | None]:
    """Each currency of a metric of money in any of the documents, else one null."""
    if not metric.per_currency:
        yield None
        return
    yield from sorted({one for each in documents for one in each["metrics"].get(metric.name) or ()})


def _panel(
    title: str,
    metric: Metric,
    currency: str | None,
    keys: Sequence[str],
    values: Sequence[float | None],
    drawing: Markup,
) -> Panel:
    scale = charts.scale_of(values)
    known = [(value, key) for value, key in zip(values, keys, strict=True) if value is not None]
    (low, lowest), (high, highest) = min(known), max(known)

    def written(value: float) -> str:
        return numbers.shown(value, metric, currency)

    return Panel(
        title=title,
        drawing=drawing,
        ticks=[(written(tick), scale.height(tick)) for tick in scale.ticks],
        first=keys[0],
        last=keys[-1],
        described=(
            f"{title} from {keys[0]} to {keys[-1]}: lowest {written(low)} in {lowest}, "
            f"highest {written(high)} in {highest}, last {written(known[-1][0])} in {known[-1][1]}."
        ),
    )

"""Lines of figures over the last periods."""

from __future__ import annotations

from conversation_analytics.api.dashboard.shelf import Choice
from conversation_analytics.reports.page import charts, numbers
from conversation_analytics.reports.page.figures import Panel, value_of
from conversation_analytics.schemas.metric import Metric
from conversation_analytics.schemas.metrics import METRICS


def panels(choice: Choice, *names: str) -> list[Panel]:
    """A line for each metric, of money for each currency, where there are two values."""
    documents = [*choice.history, choice.document or {"metrics": {}}]
    found = []
    for name in names:
        metric = METRICS[name]
        currencies: list[str | None] = [None]
        if metric.per_currency:
            currencies = sorted({one for each in documents for one in each["metrics"][name]})
        for currency in currencies:
            values = [value_of(one["metrics"], name, currency) for one in documents]
            if sum(value is not None for value in values) > 1:
                keys = [str(one["key"]) for one in documents]
                found.append(_panel(metric, currency, keys, values))
    return found


def _panel(
    metric: Metric, currency: str | None, keys: list[str], values: list[float | None]
) -> Panel:
    scale = charts.scale_of(values)
    title = f"{metric.title}, {currency}" if currency else metric.title

    def written(value: float | None) -> str:
        return numbers.shown(value, metric, currency)

    said = "; ".join(f"{key}: {written(one)}" for key, one in zip(keys, values, strict=True))
    return Panel(
        title=title,
        drawing=charts.line(values, scale),
        ticks=[(written(tick), scale.height(tick)) for tick in scale.ticks],
        first=keys[0],
        last=keys[-1],
        described=said,
    )

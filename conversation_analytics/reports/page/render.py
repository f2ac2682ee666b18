"""A period's report as one HTML file that needs neither network nor script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from conversation_analytics.periods import parse_period
from conversation_analytics.reports.page import (
    breakdowns,
    changes,
    cohorts,
    figures,
    health,
    numbers,
)
from conversation_analytics.reports.page.figures import Document, Figure, Registry
from conversation_analytics.reports.page.templates import environment
from conversation_analytics.schemas.metric import Metric

PLURALS: Final = {
    "topic": "Topics",
    "intent": "Intents",
    "sentiment": "Sentiment",
    "language": "Languages",
    "channel": "Channels",
    "model": "Models",
    "status": "Status",
}
_OWN_PLACE: Final = ("topic", "intent", "sentiment", "model")
_TOGETHER: Final = ("language", "channel", "status")
_One = TypeVar("_One", Figure, Metric)
_Group = tuple[str, str, list[tuple[str, breakdowns.Breakdown]]]


def render(document: Document, history: Sequence[Document], metrics: Registry) -> str:
    """The page of a report.

    Args:
        document: the report, as in `report.json`.
        history: reports of earlier periods of the same grain, oldest first; of each, `key` and
            `metrics` are read.
        metrics: what each metric means and how it is written, by name.
    """
    page = _page(document, history, metrics)
    return environment().get_template("report.html").render(page=page | {"ways": _ways(page)})


def _page(document: Document, history: Sequence[Document], metrics: Registry) -> dict[str, Any]:
    """All that the template shows."""
    found = figures.figures(document, history, metrics)
    days = health.days(document)
    return {
        "document": document,
        "title": numbers.title(parse_period(document["grain"], str(document["key"]))),
        "before": (document.get("comparisons") or {}).get("previous"),
        "sentences": document.get("summary") or [],
        "min_users": document.get("min_users_per_cell") or 1,
        "empty": not any(figure.raw for figure in found),
        "headline": [figure for figure in found if figure.metric.headline],
        "others": _by_group(one for one in found if not one.metric.headline),
        "past": figures.past(document, history, metrics),
        "plurals": PLURALS,
        "topics": breakdowns.breakdown(document, "topic"),
        "intents": breakdowns.breakdown(document, "intent"),
        "sentiment": breakdowns.breakdown(document, "sentiment"),
        "mix": breakdowns.sentiments(document),
        "further": _further(document),
        "troubles": breakdowns.troubles(document),
        "models": breakdowns.models(document, metrics),
        "model_columns": [metrics[name] for name in breakdowns.MODEL_COLUMNS if name in metrics],
        "changes": changes.changes(document, metrics),
        "cohorts": cohorts.cohorts(document),
        "days": days,
        "present": sum(day.present for day in days),
        "quarantined": health.quarantined(document),
        "restatement": health.restatement(document, metrics),
        "definitions": _by_group(metrics.values()),
    }


def _further(document: Document) -> list[_Group]:
    """The dimensions without a part of their own, each part with its id, title and dimensions."""
    names = [*(document.get("breakdowns") or {})]
    usual = [name for name in _TOGETHER if name in names]
    own = [name for name in names if name not in (*_OWN_PLACE, *_TOGETHER)]
    groups = [("languages", "Languages and channels", usual), ("attributes", "Attributes", own)]
    found = [
        (id_, title, [breakdowns.breakdown(document, name) for name in group])
        for id_, title, group in groups
    ]
    return [
        (id_, title, [(PLURALS.get(one.dimension, one.dimension), one) for one in ones])
        for id_, title, ones in found
        if any(one.some for one in ones)
    ]


def _by_group(ones: Iterable[_One]) -> list[tuple[str, list[_One]]]:
    """Metrics, or their figures, by what they are about."""
    groups: dict[str, list[_One]] = {}
    for one in ones:
        metric = one.metric if isinstance(one, Figure) else one
        groups.setdefault(metric.group, []).append(one)
    return list(groups.items())


def _ways(page: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Id and title of each part that the page has."""
    parts = [
        ("summary", "Summary", True),
        ("figures", "Figures", True),
        ("history", "History", page["past"]),
        ("why", "Why", page["changes"]),
        ("topics", "Topics", True),
        ("intents", "Intents", page["intents"].some),
        ("sentiment", "Sentiment", page["sentiment"].some),
        ("escalation", "Escalation", page["troubles"]),
        ("models", "Models", page["models"]),
        *((id_, title.split()[0], True) for id_, title, _ in page["further"]),
        ("retention", "Retention", page["cohorts"]),
        ("data", "Data", True),
        ("privacy", "Privacy", True),
        ("definitions", "Definitions", True),
    ]
    return [(id_, title) for id_, title, there in parts if there]

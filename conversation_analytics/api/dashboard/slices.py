"""A report confined to one value of a dimension, as a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conversation_analytics.api.dashboard.growth import entry_of
from conversation_analytics.api.dashboard.shelf import Choice, Document
from conversation_analytics.api.problems import Problem
from conversation_analytics.reports.page.figures import value_of
from conversation_analytics.schemas.metrics import METRICS


def slice_of(only: str | None, document: Document) -> tuple[str, str] | None:
    """Dimension and value of ``dimension:value``; null for the whole.

    Raises:
        Problem: the report has no such dimension.
    """
    if only is None:
        return None
    dimension, colon, value = only.partition(":")
    known = document.get("breakdowns") or {}
    if not colon or not value or dimension not in known:
        names = ", ".join(known) or "none"
        words = f"only={only[:100]}: write `dimension:value`; the dimensions are {names}."
        raise Problem("unknown-dimension", words)
    return dimension, value


def confined(choice: Choice, within: tuple[str, str]) -> tuple[Document | None, Sequence[Document]]:
    """The report and its history, of one value; null if the report says nothing of it."""
    history: list[Document] = [found for one in choice.history if (found := _confined(one, within))]
    document = choice.document
    now = _confined(document, within) if document else None
    if document is None or now is None:
        return None, history
    before = _confined(choice.before, within) if choice.before else None
    previous = {"key": before["key"], "metrics": before["metrics"]} if before else None
    return {
        **now,
        "comparisons": {"previous": previous, "same_weekday": None},
        "why": _why(document, now, before, within),
    }, history


def _confined(document: Document, within: tuple[str, str]) -> dict[str, Any] | None:
    entry = entry_of(document, *within)
    if entry is None:
        return None
    return {**document, "metrics": entry["metrics"], "breakdowns": {}, "models": [], "summary": []}


def _why(
    whole: Document, now: Document, before: Document | None, within: tuple[str, str]
) -> dict[str, Any]:
    """Of what adds up: what the value added to the change of the whole is its own change."""
    dimension, value = within
    found: dict[str, Any] = {}
    for name, entry in (whole.get("why") or {}).items():
        metric = METRICS.get(name)
        if metric is None or not metric.additive or metric.per_currency or before is None:
            continue
        for one in (entry.get("by") or {}).get(dimension) or []:
            if str(one["value"]) == value:
                found[name] = {
                    "now": value_of(now["metrics"], name, None),
                    "before": value_of(before["metrics"], name, None),
                    "change": one["contribution"],
                    "interval": one["interval"],
                    "distinguishable": one["distinguishable"],
                    "by": {},
                }
    return found


def values_of(document: Document) -> dict[str, list[str]]:
    """The values that a report can be confined to, by dimension."""
    return {
        dimension: [str(one["value"]) for one in entries]
        for dimension, entries in (document.get("breakdowns") or {}).items()
        if entries
    }

"""What a report says about one thing, and what it cannot say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conversation_analytics.reports.alerts.rules import Emerging, Rule
from conversation_analytics.reports.pooling import OTHER
from conversation_analytics.schemas.categories import TASKS
from conversation_analytics.schemas.metrics import METRICS

Document = Mapping[str, Any]

_OF_LABELS: Final = frozenset({"sentiment", "labels"})
_SUMS: Final = ("conversations", "messages")


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What an alert of a rule is about.

    Attributes:
        dimension: whose value; empty for the whole of the period.
        value: the value; empty for the whole.
        currency: of money; else empty.
    """

    dimension: str = ""
    value: str = ""
    currency: str = ""

    def __str__(self) -> str:
        parts = [f"{self.dimension} {self.value}" if self.dimension else "", self.currency]
        return ", ".join(filter(None, parts)) or "the whole"


def subjects(rule: Rule, document: Document) -> list[Subject]:
    """What a rule says something about in a report, in its order; nothing that is pooled."""
    if isinstance(rule, Emerging):
        return [Subject(rule.dimension, value) for value in _values(document, rule.dimension)]
    dimension = rule.dimension or ""
    values = ("",) if not dimension else _values(document, dimension)
    if rule.value is not None:
        values = (rule.value,)
    return [
        Subject(dimension, value, currency)
        for value in values
        for currency in _currencies(rule.metric, rule.currency, document, dimension, value)
    ]


def figure(document: Document, metric: str, subject: Subject) -> float | None:
    """A metric of a subject; null if there is nothing to measure, or it is not told.

    What is counted is 0 for a value that is not in a report that shows every value.
    """
    found = metrics_of(document, subject)
    if found is None:
        return 0.0 if METRICS[metric].counts and not hidden(document, subject.dimension) else None
    one = found.get(metric)
    if METRICS[metric].per_currency:
        one = (one or {}).get(subject.currency)
    return None if one is None else float(one)


def metrics_of(document: Document, subject: Subject) -> Mapping[str, Any] | None:
    """All metrics of a subject; null if the report does not show it."""
    if not subject.dimension:
        whole: Mapping[str, Any] = document["metrics"]
        return whole
    entry = entry_of(document, subject)
    return None if entry is None else entry["metrics"]


def entry_of(document: Document, subject: Subject) -> Mapping[str, Any] | None:
    """The entry of a value in the breakdowns; null if the report does not show it."""
    entries = document["breakdowns"].get(subject.dimension, ())
    return next((one for one in entries if one["value"] == subject.value), None)


def hidden(document: Document, dimension: str) -> bool:
    """Whether a report leaves it open which values some rows have: they are pooled or withheld."""
    return any(hidden_of(document, dimension, metric) for metric in _SUMS)


def hidden_of(document: Document, dimension: str, metric: str) -> int:
    """How many conversations or messages have a value that the report does not show."""
    entries = document["breakdowns"].get(dimension, ())
    shown = sum(one["metrics"].get(metric) or 0 for one in entries if one["value"] != OTHER)
    return int((document["metrics"].get(metric) or 0) - shown)


def lacking(rule: Rule, document: Document) -> str:
    """What a report lacks for a rule, in words; empty if nothing."""
    absent = {*document["days_missing"], *document.get("days_inconsistent", ())}
    if _needs_labels(rule):
        absent |= {*document.get("days_unlabelled", ())}
    if absent:
        days = ", ".join(sorted(absent)[:3])
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        return f"{days}{more} is missing" if len(absent) == 1 else f"{days}{more} are missing"
    return "" if document["complete"] else "it is not complete"


def _needs_labels(rule: Rule) -> bool:
    if rule.dimension in TASKS:
        return True
    return not isinstance(rule, Emerging) and rule.measured.group in _OF_LABELS


def _values(document: Document, dimension: str) -> tuple[str, ...]:
    entries = document["breakdowns"].get(dimension, ())
    return tuple(one["value"] for one in entries if one["value"] != OTHER)


def _currencies(
    metric: str, currency: str | None, document: Document, dimension: str, value: str
) -> Iterator[str]:
    if not METRICS[metric].per_currency:
        yield ""
    elif currency is not None:
        yield currency
    else:
        found = metrics_of(document, Subject(dimension, value)) or {}
        yield from sorted(found.get(metric) or {})

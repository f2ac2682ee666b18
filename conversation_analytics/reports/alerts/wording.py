"""Alerts in plain English."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from statistics import median
from typing import Final

from conversation_analytics.periods import Grain, Period
from conversation_analytics.reports.alerts.figures import Subject
from conversation_analytics.reports.alerts.rules import (
    Above,
    Anomaly,
    Below,
    Change,
    Emerging,
    MetricRule,
    Rule,
)
from conversation_analytics.reports.page.numbers import day, month, share, shown

_UNITS: Final[dict[Grain, str]] = {"daily": "days", "weekly": "weeks", "monthly": "months"}


def when(period: Period) -> str:
    """A period, such as ``on Monday, 15 January 2024`` or ``in week 2024-W03``."""
    first = period.first.isoformat()
    if period.grain == "daily":
        return f"on {day(first, weekday=True)}"
    return f"in week {period.key}" if period.grain == "weekly" else f"in {month(first)}"


def about(rule: Rule, subject: Subject) -> str:
    """What an alert is about, such as ``Escalation rate of topic billing``."""
    of = f"{subject.dimension} {subject.value}"
    if isinstance(rule, Emerging):
        return of[:1].upper() + of[1:]
    return f"{rule.measured.title} of {of}" if subject.dimension else rule.measured.title


def beyond(rule: Above | Below, subject: Subject, value: float) -> str:
    """Of a value past a threshold."""
    threshold = _number(rule, subject, rule.threshold)
    return f": {_number(rule, subject, value)}, {rule.kind} {threshold}"


def change(rule: Change, subject: Subject, value: float, before: float, earlier: Period) -> str:
    """Of a value that differs from an earlier one."""
    told, old = _number(rule, subject, value), _number(rule, subject, before)
    word = "more" if value > before else "less"
    much = f"{abs(value / before - 1):.0%} {word} than" if before else "after"
    return f": {told}, {much} {old} {when(earlier)}"


def anomaly(
    rule: Anomaly,
    subject: Subject,
    value: float,
    history: Sequence[float],
    score: float,
    period: Period,
) -> str:
    """Of a value far from earlier ones."""
    usual = median(history)
    side = "above" if value > usual else "below"
    unit = _UNITS[period.grain]
    if period.grain == "daily":
        unit = f"{period.first:%A}s"
    told = f": {_number(rule, subject, value)}, far {side} the usual"
    told = f"{told} {_number(rule, subject, usual)} of the {len(history)} {unit} compared"
    return f"{told}, which were all the same" if isinf(score) else f"{told} (robust z {score:+.1f})"


def emerging(
    now: int, total: int, users: int, share_before: float, periods: int, period: Period
) -> str:
    """Of a value that has come up."""
    unit = _UNITS[period.grain]
    return (
        f" came up: {share(now / total)} of conversations ({now:,} of {total:,}, {users:,} users), "
        f"after {share(share_before)} at most in the {periods} {unit} compared"
    )


def alert(rule: Rule, subject: Subject, period: Period, words: str, lacks: str) -> str:
    """An alert in one line."""
    so_far = f" ({lacks})" if lacks else ""
    text = f"{about(rule, subject)}{words}, {when(period)}{so_far}."
    return f"{text} {rule.message}".strip()


def withdrawal(text: str) -> str:
    """That an alert no longer holds."""
    return f"Withdrawn, since reports have been restated: {text}"


def _number(rule: MetricRule, subject: Subject, value: float) -> str:
    return shown(value, rule.measured, subject.currency or None)

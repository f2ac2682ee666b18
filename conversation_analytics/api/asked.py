"""What requests for figures name: metrics, dimensions, periods; each is known, or a problem."""

from __future__ import annotations

from datetime import date

from conversation_analytics.api.problems import Problem
from conversation_analytics.api.services import Services
from conversation_analytics.errors import PeriodInvalid
from conversation_analytics.periods import (
    Grain,
    Period,
    parse_period,
    period_of,
    periods_between,
)
from conversation_analytics.reports.relations import DIMENSIONS
from conversation_analytics.schemas.metric import Metric
from conversation_analytics.schemas.metrics import METRICS

_MOST_MISSING = 100


def metric_named(name: str) -> Metric:
    """A metric.

    Raises:
        Problem: there is no such metric.
    """
    metric = METRICS.get(name)
    if metric is None:
        words = f"{name!r} is none of {', '.join(METRICS)}."
        raise Problem("unknown-metric", words, known=list(METRICS))
    return metric


def dimensions_of(services: Services) -> list[str]:
    """The dimensions that reports have."""
    return [*DIMENSIONS, *services.settings.dimensions]


def dimension_named(services: Services, name: str) -> str:
    """A dimension's own name.

    Raises:
        Problem: reports have no such dimension.
    """
    known = dimensions_of(services)
    if name not in known:
        raise Problem("unknown-dimension", f"{name!r} is none of {', '.join(known)}.", known=known)
    return name


def value_alone() -> Problem:
    """That values were given, and not of which dimension."""
    words = "query.value: it needs `by`, the dimension it is a value of"
    problem = {"part": "query.value", "reason": "it needs `by`"}
    return Problem("invalid-request", words, errors=[problem])


def period_named(services: Services, grain: Grain, key: str) -> Period:
    """The period of a key.

    Raises:
        Problem: the key is not one of the grain's periods, or the period has not begun.
    """
    try:
        period = parse_period(grain, key)
    except PeriodInvalid as error:
        raise Problem("invalid-period", f"{error}.") from error
    if period.first > services.today:
        words = f"{key} begins after today, {services.today}: nothing can be there yet."
        raise Problem("future-date", words, today=services.today)
    return period


def document_of(services: Services, period: Period) -> bytes:
    """The report of a period, as in `report.json`.

    Raises:
        Problem: there is none, or it is damaged.
    """
    data = services.reports.document(period)
    if data is None:
        raise _no_report(services, period)
    return data


def page_of(services: Services, period: Period) -> bytes:
    """The page of a period's report.

    Raises:
        Problem: there is none, or it is damaged.
    """
    data = services.reports.page(period)
    if data is None:
        raise _no_report(services, period)
    return data


def periods_within(
    services: Services, grain: Grain, first: date | None, last: date | None
) -> tuple[list[Period], list[str]]:
    """The periods of a range that have reports, in order, and the keys of the newest that do not.

    A period belongs to the range if one of its days does.

    Raises:
        Problem: the lake cannot be read.
    """
    there = services.reports.periods(grain)
    coverage = services.reader.coverage(first, last)
    wanted = [
        period
        for period in there
        if (first is None or period.last >= first) and (last is None or period.first <= last)
    ]
    begin, end = coverage.first, coverage.last
    if begin is None or end is None or end < begin:
        return wanted, []
    expected = set(periods_between(grain, begin, end)) - set(wanted)
    missing = sorted(expected - {period_of(grain, services.today)}, reverse=True)
    return wanted, [period.key for period in missing[:_MOST_MISSING]]


def _no_report(services: Services, period: Period) -> Problem:
    """That a period has no report, and what it takes to make one."""
    coverage = services.reader.coverage(period.first, period.last).as_dict()
    gaps = coverage["days_missing"]
    words = (
        f"The lake lacks {gaps} of its days: backfill them, then the report."
        if gaps
        else "Its days are in the lake: backfill the report."
    )
    words = f"There is no {period.grain} report of {period.key}. {words}"
    return Problem("no-report", words, coverage=coverage)

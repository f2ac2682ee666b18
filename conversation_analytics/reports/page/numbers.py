"""Numbers and dates as the page sets them: with real minus signs, and units that stay with them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final, Literal

from conversation_analytics.periods import Period
from conversation_analytics.reports import wording
from conversation_analytics.schemas.metric import Metric

Verdict = Literal["better", "worse", "changed", "noise", "same", ""]

_SET: Final = str.maketrans({" ": "\N{NO-BREAK SPACE}", "-": "\N{MINUS SIGN}"})
_POINTS: Final = "\N{NO-BREAK SPACE}points"


def shown(value: float | None, metric: Metric, currency: str | None = None) -> str:
    """A value with its unit; a dash for nothing."""
    return wording.figure(metric, value, currency).translate(_SET)


def share(value: float | None) -> str:
    """A share of 1 as percent; a dash for nothing."""
    return wording.NOTHING if value is None else wording.percent(value).translate(_SET)


def difference(value: float, metric: Metric, currency: str | None = None) -> str:
    """A change in the unit of its metric, with a sign; of shares in points."""
    return wording.difference(metric, value, currency).translate(_SET)


def bare(value: float | None, metric: Metric, currency: str | None = None) -> str:
    """The same beside others that say that they are points; empty for nothing."""
    return "" if value is None else difference(value, metric, currency).removesuffix(_POINTS)


def signed(value: float, decimals: int = 0) -> str:
    """A number with its sign."""
    said = wording.number(value, decimals)
    return (said if said.startswith("-") else f"+{said}").translate(_SET)


def span(interval: tuple[float, float] | None, metric: Metric, currency: str | None = None) -> str:
    """An interval of a change, of shares without a unit; empty for none."""
    return " to ".join(bare(end, metric, currency) for end in interval or ())


def change(now: float | None, before: float | None, metric: Metric) -> str:
    """How a value changed: shares and scores by a difference, all else in percent."""
    if now is None or before is None:
        return ""
    if metric.unit in {"share", "score"}:
        return difference(now - before, metric)
    if before == 0:
        return ""
    return f"{signed(100 * (now / before - 1), 1)} %".translate(_SET)


def day(value: str, *, weekday: bool = False, year: bool = True) -> str:
    """An ISO date as `15 January 2024`."""
    one = date.fromisoformat(value)
    parts = [f"{one:%A},"] if weekday else []
    return " ".join([*parts, str(one.day), f"{one:%B}", *([str(one.year)] if year else [])])


def days(first: str, last: str) -> str:
    """A span of ISO dates, with nothing said twice: `29 January – 4 February 2024`."""
    if first[:7] == last[:7]:
        return f"{date.fromisoformat(first).day}–{day(last)}"
    return f"{day(first, year=first[:4] != last[:4])} – {day(last)}"


def moment(value: str) -> str:
    """A time in ISO format as `15 January 2024, 03:10 UTC`."""
    one = datetime.fromisoformat(value).astimezone(UTC)
    return f"{day(one.date().isoformat())}, {one:%H:%M} UTC"


def month(value: str) -> str:
    """The month of an ISO date."""
    return f"{date.fromisoformat(value):%B %Y}"


def title(period: Period) -> str:
    """A period as a title."""
    first, last = period.first.isoformat(), period.last.isoformat()
    if period.grain == "daily":
        return day(first, weekday=True)
    if period.grain == "monthly":
        return month(first)
    return f"Week {period.first.isocalendar().week}, {days(first, last)}"

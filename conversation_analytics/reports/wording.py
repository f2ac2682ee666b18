"""Numbers, times and lists as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

from conversation_analytics.schemas.metric import Metric

NOTHING: Final = "–"
"""What stands where there is nothing to measure."""

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def figure(metric: Metric, value: float | None, currency: str | None = None) -> str:
    """A figure of a metric with its unit.

    Args:
        metric: the metric.
        value: in the metric's unit, shares as 0 to 1; null gives `NOTHING`.
        currency: of money.
    """
    if value is None:
        return NOTHING
    match metric.unit:
        case "share":
            return percent(value, metric.decimals)
        case "seconds":
            return duration(value, metric.decimals)
        case "milliseconds":
            return _milliseconds(value, metric.decimals)
        case "money":
            return money(value, currency, metric.decimals)
    return number(value, metric.decimals)


def difference(metric: Metric, value: float, currency: str | None = None) -> str:
    """How much a figure of a metric changed, with its sign; of shares in points."""
    if metric.unit == "share":
        return f"{_signed(number(100 * value, metric.decimals))} points"
    return _signed(figure(metric, value, currency))


def _signed(said: str) -> str:
    return said if said.startswith("-") else f"+{said}"


def number(value: float, decimals: int = 0) -> str:
    """A number with thousands apart: ``1,234``; never ``-0``."""
    said = f"{value:,.{decimals}f}"
    return said.removeprefix("-") if not said.strip("-0.,") else said


def percent(share: float, decimals: int = 1) -> str:
    """A share, 0 to 1, in percent: ``12.3 %``."""
    return f"{number(100 * share, decimals)} %"


def money(value: float, currency: str | None, decimals: int = 2) -> str:
    """An amount with its currency: ``1,234.50 USD``; the smallest with as many digits as tell."""
    while 0 < abs(value) < 10**-decimals and decimals < 8:
        decimals += 2
    said = number(value, decimals)
    return said if currency is None else f"{said} {currency}"


def duration(seconds: float, decimals: int = 1) -> str:
    """A time in its two largest units: ``3.2 s``, ``1 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if round(abs(seconds), decimals) < _MINUTE:
        return f"{number(seconds, decimals)} s"
    sign, left = "-" if seconds < 0 else "", abs(seconds)
    if round(left) < _HOUR:
        (large, small), names = divmod(round(left), 60), ("min", "s")
    elif round(left / _MINUTE) * _MINUTE < _DAY:
        (large, small), names = divmod(round(left / _MINUTE), 60), ("h", "min")
    else:
        (large, small), names = divmod(round(left / _HOUR), 24), ("d", "h")
    rest = f" {small} {names[1]}" if small else ""
    return f"{sign}{number(large)} {names[0]}{rest}"


def _milliseconds(value: float, decimals: int) -> str:
    if round(abs(value), decimals) < 1_000:
        return f"{number(value, decimals)} ms"
    return duration(value / 1_000)


def counted(count: float, one: str, many: str | None = None) -> str:
    """How many there are of something: ``1 conversation``, ``1,234 conversations``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def listed(parts: Sequence[str]) -> str:
    """Things one after the other: ``a, b and c``."""
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def dates(days: Iterable[date]) -> str:
    """Days, those in a row as the first and the last."""
    spans: list[tuple[date, date]] = []
    for day in sorted(days):
        if spans and day - spans[-1][1] == timedelta(days=1):
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return listed([str(a) if a == b else f"{a} to {b}" for a, b in spans])

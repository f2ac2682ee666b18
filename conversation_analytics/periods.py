"""The periods of reports: days, ISO weeks and months, as keys, dates and UTC instants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal, get_args

from conversation_analytics.errors import PeriodInvalid
from conversation_analytics.partitions import ONE_DAY, DayCalendar, day_key, days_between

Grain = Literal["daily", "weekly", "monthly"]
GRAINS: Final[tuple[Grain, ...]] = get_args(Grain)

ONE_WEEK: Final = timedelta(days=7)
# What makes a key the ISO date of its period's first day, and what keys look like.
_FORMS: Final = {
    "daily": ("", "2024-01-31"),
    "weekly": ("-1", "2024-W05"),
    "monthly": ("-01", "2024-01"),
}


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A day, an ISO week (Monday to Sunday) or a month of local days.

    Attributes:
        grain: which of the three.
        first: its first local day.
        last: its last local day, included.
    """

    grain: Grain
    first: date
    last: date

    @property
    def key(self) -> str:
        """Its key in files and in the API: ``2024-01-01``, ``2024-W01`` or ``2024-01``."""
        if self.grain == "weekly":
            year, week, _ = self.first.isocalendar()
            return f"{year:04d}-W{week:02d}"
        day = day_key(self.first)
        return day if self.grain == "daily" else day[:7]

    @property
    def days(self) -> list[date]:
        """Its local days, in order."""
        return days_between(self.first, self.last)

    def previous(self) -> Period:
        """The period of the same grain right before."""
        return period_of(self.grain, self.first - ONE_DAY)

    def next(self) -> Period:
        """The period of the same grain right after."""
        return period_of(self.grain, self.last + ONE_DAY)

    def same_weekday(self) -> Period | None:
        """Of a day, the same weekday a week earlier; null of a week or month."""
        return period_of("daily", self.first - ONE_WEEK) if self.grain == "daily" else None

    def window(self, timezone: str) -> tuple[datetime, datetime]:
        """The UTC instants [start, end) of its local days in a time zone."""
        calendar = DayCalendar(timezone, self.first)
        return calendar.midnight(self.first), calendar.midnight(self.last + ONE_DAY)


def period_of(grain: Grain, day: date) -> Period:
    """The period of a grain that a local day lies in."""
    if grain == "daily":
        return Period(grain, day, day)
    if grain == "weekly":
        monday = day - timedelta(days=day.weekday())
        return Period(grain, monday, monday + ONE_WEEK - ONE_DAY)
    first = day.replace(day=1)
    return Period(grain, first, (first + timedelta(days=31)).replace(day=1) - ONE_DAY)


def periods_between(grain: Grain, first: date, last: date) -> list[Period]:
    """Every period of a grain with a day from `first` to `last`, both included, in order."""
    return list(dict.fromkeys(period_of(grain, day) for day in days_between(first, last)))


def parse_grain(text: str) -> Grain:
    """The grain of a name.

    Raises:
        PeriodInvalid: there is no such grain.
    """
    for grain in GRAINS:
        if grain == text:
            return grain
    raise PeriodInvalid(f"there is no grain {text!r}: it is one of {', '.join(GRAINS)}")


def parse_period(grain: str, key: str) -> Period:
    """The period of a key.

    Raises:
        PeriodInvalid: there is no such grain, or the key is not one of its periods.
    """
    known = parse_grain(grain)
    ending, example = _FORMS[known]
    refusal = PeriodInvalid(f"{key!r} is not a {known} period: its keys look like {example}")
    try:
        period = period_of(known, date.fromisoformat(key + ending))
        period.previous(), period.next()  # a calendar ends somewhere
    except (ValueError, OverflowError) as error:
        raise refusal from error
    if period.key != key:  # Python also reads 20240131 and 2024W05
        raise refusal
    return period

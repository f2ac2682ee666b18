"""What a day is: calendar days of one time zone, as keys, dates and UTC instants.

Plain calendar arithmetic; the Dagster partitions built on it live in `assets/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

ONE_DAY = timedelta(days=1)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Int64s = npt.NDArray[np.int64]


def day_key(day: date) -> str:
    """A day as partition key, ``2024-01-31``."""
    return day.isoformat()


def parse_day(text: str) -> date:
    """The day of a partition key.

    Raises:
        ValueError: the text is not ``YYYY-MM-DD``.
    """
    day = date.fromisoformat(text)
    if day_key(day) != text:  # Python also reads 20240131 and 2024-W05-3
        raise ValueError(f"{text!r} is not a day of the form YYYY-MM-DD")
    return day


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def contiguous_ranges(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """The (first, last) runs of consecutive days among `days`, in order."""
    ordered = sorted(set(days))
    start = 0
    for position, day in enumerate(ordered):
        if position + 1 == len(ordered) or ordered[position + 1] != day + ONE_DAY:
            yield ordered[start], day
            start = position + 1


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exactly."""
    return (moment - BEGINNING) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The UTC datetime of microseconds since 1970."""
    return BEGINNING + micros * MICROSECOND


@dataclass(frozen=True)
class DayCalendar:
    """Local days of a time zone from a first day on.

    Local midnights are looked up in a table of UTC instants, so a day may have 23 or 25 hours
    and whole columns of times are placed at once.

    Attributes:
        timezone: IANA name, such as ``Asia/Bangkok``.
        start: first day that has a partition.
    """

    timezone: str
    start: date

    def midnight(self, day: date) -> datetime:
        """The UTC instant at which a local day begins."""
        return datetime.combine(day, time(), ZoneInfo(self.timezone)).astimezone(UTC)

    def window(self, day: date) -> tuple[datetime, datetime]:
        """The UTC instants [begin, end) of a local day."""
        return self.midnight(day), self.midnight(day + ONE_DAY)

    def day_of(self, moment: datetime) -> date:
        """The local day of an aware datetime."""
        return moment.astimezone(ZoneInfo(self.timezone)).date()

    def numbers(self, micros: Int64s, *, last: date) -> Int64s:
        """Day numbers of UTC microseconds: 0 is `start`, negative is before it.

        Times after `last` get the number after that of `last`.
        """
        return np.searchsorted(_midnights(self, last), micros, side="right") - 1

    def day(self, number: int) -> date:
        """The day of a day number."""
        return self.start + timedelta(days=number)

    def number(self, day: date) -> int:
        """The number of a day, as `numbers` counts."""
        return (day - self.start).days


@lru_cache(maxsize=8)
def _midnights(calendar: DayCalendar, last: date) -> Int64s:
    """UTC microseconds of every local midnight from the first day to the one after `last`."""
    days = days_between(calendar.start, last + ONE_DAY)
    return np.array([to_micros(calendar.midnight(day)) for day in days], dtype=np.int64)

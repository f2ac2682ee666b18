"""What a day is, in every time zone and on every kind of day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.partitions import (
    ONE_DAY,
    DayCalendar,
    contiguous_ranges,
    day_key,
    days_between,
    from_micros,
    parse_day,
    to_micros,
)

START = date(2024, 1, 1)
LAST = date(2026, 12, 31)
ZONES = [
    "UTC",
    "Asia/Bangkok",
    "Asia/Kolkata",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",  # its clocks go back from 01:00 to midnight: the day begins twice
    "America/Santiago",  # its clocks skip midnight in spring
    "Africa/Cairo",  # back from midnight to 23:00 of the day before
    "Asia/Beirut",
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Kiritimati",
    "Pacific/Apia",
]
days = st.dates(START, LAST)
moments = st.integers(
    to_micros(datetime(2024, 1, 2, tzinfo=UTC)), to_micros(datetime(2026, 12, 30, tzinfo=UTC))
).map(from_micros)


def hours(calendar: DayCalendar, day: date) -> float:
    begin, end = calendar.window(day)
    return (end - begin) / timedelta(hours=1)


@pytest.mark.parametrize(
    ("timezone", "day", "length"),
    [
        ("UTC", date(2024, 3, 31), 24),
        ("Europe/Berlin", date(2024, 3, 31), 23),
        ("Europe/Berlin", date(2024, 10, 27), 25),
        ("America/Santiago", date(2024, 9, 8), 23),
        ("Africa/Cairo", date(2024, 4, 26), 23),
        ("Africa/Cairo", date(2024, 10, 31), 25),
        ("America/Havana", date(2024, 11, 3), 25),
        ("Australia/Lord_Howe", date(2024, 4, 7), 24.5),
    ],
)
def test_a_day_is_as_long_as_the_clocks_say(timezone: str, day: date, length: float) -> None:
    assert hours(DayCalendar(timezone, START), day) == length


@given(st.sampled_from(ZONES), days)
def test_a_day_begins_where_the_day_before_ends(timezone: str, day: date) -> None:
    calendar = DayCalendar(timezone, START)
    begin, end = calendar.window(day)
    assert calendar.window(day + ONE_DAY)[0] == end
    assert calendar.day_of(begin) == calendar.day_of(end - timedelta(microseconds=1)) == day
    assert calendar.day_of(begin - timedelta(microseconds=1)) == day - ONE_DAY


@given(st.sampled_from(ZONES), st.lists(st.one_of(moments, days.map(lambda d: (d,))), max_size=20))
def test_a_column_of_times_is_placed_like_each_time_alone(
    timezone: str, drawn: list[datetime | tuple[date]]
) -> None:
    calendar = DayCalendar(timezone, START)
    times = [t if isinstance(t, datetime) else calendar.midnight(t[0]) for t in drawn]
    micros = np.array([to_micros(t) for t in times], dtype=np.int64)
    placed = [calendar.day(int(n)) for n in calendar.numbers(micros, last=LAST)]
    assert placed == [calendar.day_of(t) for t in times]


def test_times_outside_the_days_get_numbers_outside_them() -> None:
    calendar = DayCalendar("Asia/Bangkok", START)
    last = date(2024, 1, 3)
    first = calendar.midnight(START)
    end = calendar.window(last)[1]
    instant = timedelta(microseconds=1)
    times = [first - instant, first, end - instant, end, end + timedelta(days=400)]
    micros = np.array([to_micros(t) for t in times], dtype=np.int64)
    assert calendar.numbers(micros, last=last).tolist() == [-1, 0, 2, 3, 3]


@given(days)
def test_a_day_and_its_number_and_its_key_name_each_other(day: date) -> None:
    calendar = DayCalendar("UTC", START)
    assert calendar.day(calendar.number(day)) == day
    assert parse_day(day_key(day)) == day


@pytest.mark.parametrize("text", ["20240131", "2024-W05-3", "2024-1-31", "2024-02-30", "", "today"])
def test_only_one_form_of_a_day_is_a_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_day(text)


@given(st.sets(days, max_size=40))
def test_ranges_cover_the_days_and_nothing_else(chosen: set[date]) -> None:
    ranges = list(contiguous_ranges(chosen))
    covered = [day for first, last in ranges for day in days_between(first, last)]
    assert covered == sorted(chosen)
    assert all(later[0] - earlier[1] > ONE_DAY for earlier, later in pairwise(ranges))


def test_neighbouring_days_are_one_range() -> None:
    chosen = [date(2024, 3, 1), date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 3)]
    assert list(contiguous_ranges(chosen)) == [
        (date(2024, 2, 28), date(2024, 3, 1)),
        (date(2024, 3, 3), date(2024, 3, 3)),
    ]


@given(st.datetimes(timezones=st.timezones()))
def test_microseconds_keep_the_instant_exactly(moment: datetime) -> None:
    try:
        instant = moment.astimezone(UTC)
    except OverflowError:
        return  # the first or last hours of what Python can tell
    assert from_micros(to_micros(moment)) == instant

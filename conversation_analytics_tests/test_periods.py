"""Days, ISO weeks and months in every kind of time zone, against the standard library."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.errors import PeriodInvalid
from conversation_analytics.partitions import days_between
from conversation_analytics.periods import (
    GRAINS,
    Grain,
    parse_period,
    period_of,
    periods_between,
)

# Either side of UTC, quarter hours, changes of the clock at midnight, at Easter and at Ramadan.
ZONES = [
    "UTC",
    "Asia/Bangkok",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Gaza",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
]
DAYS = days_between(date(2015, 1, 1), date(2035, 12, 31))

each_grain = pytest.mark.parametrize("grain", GRAINS)
days = st.dates(date(2015, 1, 1), date(2035, 12, 31))
grains = st.sampled_from(GRAINS)


def expected_key(grain: Grain, day: date) -> str:
    year, week, _ = day.isocalendar()
    return {
        "daily": day.isoformat(),
        "weekly": f"{year}-W{week:02d}",
        "monthly": f"{day.year}-{day.month:02d}",
    }[grain]


def expected_length(grain: Grain, day: date) -> int:
    return {"daily": 1, "weekly": 7, "monthly": monthrange(day.year, day.month)[1]}[grain]


@each_grain
def test_every_day_of_twenty_years_lies_in_the_period_that_the_calendar_says(grain: Grain) -> None:
    for day in DAYS:
        period = period_of(grain, day)
        assert period.key == expected_key(grain, day)
        assert period.first <= day <= period.last
        assert (period.last - period.first).days + 1 == expected_length(grain, day)
        assert grain != "weekly" or period.first.isoweekday() == 1
        assert grain != "monthly" or period.first.day == 1


@each_grain
def test_keys_name_one_period_each(grain: Grain) -> None:
    periods = periods_between(grain, DAYS[0], DAYS[-1])
    assert len({period.key for period in periods}) == len(periods)
    assert [parse_period(grain, period.key) for period in periods] == periods


@each_grain
def test_periods_follow_each_other_without_gap(grain: Grain) -> None:
    periods = periods_between(grain, DAYS[0], DAYS[-1])
    for earlier, later in pairwise(periods):
        assert later.first - earlier.last == timedelta(days=1)
        assert later.previous() == earlier
        assert earlier.next() == later
    assert [day for period in periods[1:-1] for day in period.days] == days_between(
        periods[1].first, periods[-2].last
    )


@pytest.mark.parametrize("zone", ZONES)
def test_a_period_lasts_from_local_midnight_to_local_midnight(zone: str) -> None:
    """An instant is in a period's window exactly if its local date is in the period."""
    local = ZoneInfo(zone)
    for period in periods_between("daily", DAYS[0], DAYS[-1]):
        start, end = period.window(zone)
        for moment in (start, end - timedelta(microseconds=1)):
            assert moment.astimezone(local).date() == period.first
        assert (start - timedelta(microseconds=1)).astimezone(local).date() < period.first
        assert end.astimezone(local).date() > period.last
        assert start.utcoffset() == end.utcoffset() == timedelta(0)


@given(grains, days, st.sampled_from(ZONES), st.floats(0, 1))
def test_windows_of_weeks_and_months_hold_their_local_days(
    grain: Grain, day: date, zone: str, part: float
) -> None:
    period = period_of(grain, day)
    start, end = period.window(zone)
    assert start == period_of("daily", period.first).window(zone)[0]
    assert end == period_of("daily", period.last).window(zone)[1]
    moment = start + (end - start - timedelta(microseconds=1)) * part
    assert period_of(grain, moment.astimezone(ZoneInfo(zone)).date()) == period


def test_days_have_the_hours_that_their_clocks_give_them() -> None:
    def hours(zone: str, day: date) -> float:
        start, end = period_of("daily", day).window(zone)
        return (end - start).total_seconds() / 3600

    assert hours("America/New_York", date(2024, 3, 10)) == 23
    assert hours("America/New_York", date(2024, 11, 3)) == 25
    assert hours("Australia/Lord_Howe", date(2024, 4, 7)) == 24.5
    assert hours("America/Sao_Paulo", date(2018, 11, 4)) == 23  # there is no midnight
    assert hours("Asia/Bangkok", date(2024, 3, 10)) == 24


def test_a_day_is_compared_with_the_same_weekday_and_longer_periods_with_none() -> None:
    day = period_of("daily", date(2024, 3, 1))
    assert day.same_weekday() == period_of("daily", date(2024, 2, 23))
    assert period_of("weekly", date(2024, 3, 1)).same_weekday() is None
    assert period_of("monthly", date(2024, 3, 1)).same_weekday() is None


RUBBISH = [
    *[("daily", key) for key in ("", "2024-02-30", "20240131", "2024-1-1", "2024-W05-3", "today")],
    ("daily", "2024-01-01 "),
    ("daily", "２０２４-01-01"),
    *[("weekly", key) for key in ("2024-W00", "2024-W53", "2024W05", "2024-W5", "2024-05", "")],
    *[("monthly", key) for key in ("2024-13", "2024-00", "202401", "2024-1", "2024-W01", "")],
    ("daily", "9999-12-31"),
    ("daily", "0001-01-01"),
    ("weekly", "9999-W52"),
    ("monthly", "0001-01"),
    ("yearly", "2024"),
    ("", "2024-01-01"),
]


@pytest.mark.parametrize(("grain", "key"), RUBBISH)
def test_what_is_no_key_is_refused_with_its_name(grain: str, key: str) -> None:
    with pytest.raises(PeriodInvalid) as refusal:
        parse_period(grain, key)
    assert (repr(key) if grain in GRAINS else repr(grain)) in str(refusal.value)


@given(grains, st.text(max_size=12) | st.from_regex(r"[0-9]{4}-?W?[0-9]{1,2}(-[0-9]{1,2})?"))
def test_any_text_is_a_key_or_is_refused(grain: Grain, text: str) -> None:
    try:
        period = parse_period(grain, text)
    except PeriodInvalid:
        return
    assert period.key == text


def test_windows_are_in_utc() -> None:
    assert period_of("weekly", date(2024, 1, 3)).window("Asia/Bangkok") == (
        datetime(2023, 12, 31, 17, tzinfo=UTC),
        datetime(2024, 1, 7, 17, tzinfo=UTC),
    )

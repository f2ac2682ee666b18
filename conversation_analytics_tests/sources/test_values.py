"""Every value a source may hold is read as the one thing it can mean, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.partitions import from_micros, to_micros
from conversation_analytics.sources import values
from conversation_analytics.sources.values import Unusable

MOMENT = datetime(2024, 1, 5, 10, 0, tzinfo=UTC)
MIDNIGHT = datetime(2024, 1, 5, tzinfo=UTC)


def read_time(value: Any) -> datetime | None:
    micros = values.instant(value, "created_at")
    return None if micros is None else from_micros(micros)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2024-01-05T10:00:00+00:00", MOMENT),
        ("2024-01-05T10:00:00Z", MOMENT),
        ("2024-01-05T10:00:00", MOMENT),
        ("2024-01-05 10:00:00+00:00", MOMENT),
        ("2024-01-05T10:00:00+0000", MOMENT),
        ("2024-01-05T17:00:00+07:00", MOMENT),
        ("2024-01-05T17:00:00 +07", MOMENT),
        ("20240105T100000Z", MOMENT),
        ("  2024-01-05T10:00:00Z\n", MOMENT),
        ("2024-01-05T10:00", MOMENT),
        ("2024-1-5 10:00", MOMENT),
        ("2024/1/5 10:00:00", MOMENT),
        ("2024.01.05 10:00", MOMENT),
        ("Fri, 05 Jan 2024 10:00:00 GMT", MOMENT),
        ("Fri, 05 Jan 2024 17:00:00 +0700", MOMENT),
        ("Jan 5, 2024 10am", MOMENT),
        ("5 January 2024 10:00", MOMENT),
        ("2024-01-05", MIDNIGHT),
        ("20240105", MIDNIGHT),
        ("2024-01-05T10:00:00.123456789Z", MOMENT + timedelta(microseconds=123_456)),
        (1_704_448_800, MOMENT),
        (1_704_448_800.5, MOMENT + timedelta(milliseconds=500)),
        (1_704_448_800_000, MOMENT),
        (1_704_448_800_000_000, MOMENT),
        (1_704_448_800_000_000_000, MOMENT),
        ("1704448800", MOMENT),
        ("1704448800.5", MOMENT + timedelta(milliseconds=500)),
        ("1704448800000", MOMENT),
        # Read as a date and a time of day it would be the year 1612.
        ("1612010100000", datetime(2021, 1, 30, 12, 35, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_in_any_common_form_is_read(value: Any, moment: datetime) -> None:
    assert read_time(value) == moment


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "n/a",
        "10:30",
        "2024",
        "2024-05",
        "May 2024",
        "01/02/2024",
        "05/06/2024 10:00",
        "5.6.2024",
        "05-Jan-24",
        "2024-13-05T10:00:00+00:00",
        "2024/13/05",
        "2024-02-30T10:00:00+00:00",
        "2024-13-45",
        "0000-00-00 00:00:00",
        "2024-01-01 10:00:00 PST",
        "2024-01-01 10:00:00 IST",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "12 2024 Jan 99999999999999999999",
        "\x00",
        True,
        float("nan"),
        float("inf"),
        -99_000_000_000,
        10**30,
        [2024],
        {},
    ],
)
def test_a_time_that_could_mean_two_things_or_none_is_refused(value: Any) -> None:
    with pytest.raises(Unusable) as refused:
        values.instant(value, "created_at")
    assert refused.value.reason == "bad_time"
    assert "created_at" in refused.value.detail


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_blank_time_is_absent(value: Any) -> None:
    assert values.instant(value, "created_at") is None


aware = st.datetimes(
    min_value=datetime(1000, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
)


@given(aware, st.sampled_from(["T", " "]))
def test_iso_times_come_back_to_the_microsecond(moment: datetime, separator: str) -> None:
    assert values.instant(moment.isoformat(separator), "t") == to_micros(moment)


@given(aware)
def test_mail_dates_come_back_to_the_second(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    assert values.instant(format_datetime(whole), "t") == to_micros(whole)


@given(st.integers(1_000_000_000, 9_999_999_999))
def test_unix_times_of_any_size_are_the_same_time(second: int) -> None:
    for number in (second, second * 1000, second * 10**6, second * 10**9):
        assert values.instant(number, "t") == second * 10**6
        assert values.instant(str(number), "t") == second * 10**6


@given(st.one_of(st.text(), st.from_regex(r"[0-9/.: TZ+\-]{1,25}"), st.floats(), st.integers()))
def test_nothing_but_a_refusal_comes_of_rubbish(value: Any) -> None:
    try:
        micros = values.instant(value, "t")
    except Unusable as refused:
        found = refused.reason
    else:
        found = "absent" if micros is None else from_micros(micros)
    assert found == "bad_time" or found == "absent" or found.tzinfo is UTC


@pytest.mark.parametrize(
    ("reader", "value", "read"),
    [
        (values.identity, "a b", "a b"),
        (values.identity, " ", None),
        (values.identity, 7, "7"),
        (values.identity, 7.0, "7"),
        (values.text, 1.5, "1.5"),
        (values.text, False, "false"),
        (values.content, None, ""),
        (values.content, [{"type": "text", "text": "a"}, {"type": "image"}, "b"], "a\nb"),
        (values.role, " Human ", "user"),
        (values.role, "bot", "assistant"),
        (values.real, "2.5", 2.5),
        (values.real, "", None),
        (values.count, "5", 5),
        (values.count, 5.0, 5),
        (values.money, "0.000000005", Decimal("0.00000000")),
        (values.money, 0.1, Decimal("0.10000000")),
        (values.money, "999999999999.99999999", Decimal("999999999999.99999999")),
        (values.flag, "Yes", True),
        (values.flag, 0, False),
        (values.flag, None, False),
        (values.feedback, "like", 1.0),
        (values.feedback, "-0.5", -0.5),
        (values.json_object, '{"a": 1}', {"a": 1}),
        (values.json_object, "", {}),
    ],
)
def test_a_value_is_read_as_what_it_means(reader: Any, value: Any, read: Any) -> None:
    found = reader(value, "field")
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (values.identity, 1.5),
        (values.identity, True),
        (values.identity, {"id": 1}),
        (values.text, ["a"]),
        (values.content, {"html": "<p>"}),
        (values.content, [{"text": 7}]),
        (values.role, "robot"),
        (values.role, None),
        (values.real, -1),
        (values.real, "nan"),
        (values.real, True),
        (values.count, 2.5),
        (values.count, "abc"),
        (values.count, 2**63),
        (values.count, -1),
        (values.money, "free"),
        (values.money, "NaN"),
        (values.money, -0.01),
        (values.money, "999999999999.999999999"),
        (values.money, 10**12),
        (values.flag, "perhaps"),
        (values.feedback, 2),
        (values.feedback, "meh"),
        (values.json_object, "[1]"),
        (values.json_object, "{broken"),
        (values.json_object, 7),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(reader: Any, value: Any) -> None:
    with pytest.raises(Unusable, match="field is") as refused:
        reader(value, "field")
    assert refused.value.reason == "wrong_type"


def test_a_refusal_shows_no_more_than_a_line_of_the_value() -> None:
    with pytest.raises(Unusable) as refused:
        values.count("x" * 10_000, "tokens")
    assert len(refused.value.detail) < 200


@pytest.mark.parametrize("same", [("0.0010", 0.001, "0.001", "1e-3"), ("0", 0, "0.00", 0.0, "-0")])
def test_an_amount_has_one_way_of_writing(same: tuple[Any, ...]) -> None:
    assert len({values.plain_decimal(value) for value in same}) == 1


@pytest.mark.parametrize("value", ["cheap", True, None, [1], "NaN", "1e999999"])
def test_what_is_no_amount_stays_as_it_is(value: Any) -> None:
    assert values.plain_decimal(value) is value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=0, max_value=10**9))
def test_a_plain_decimal_is_the_same_number(amount: Decimal) -> None:
    written = values.plain_decimal(str(amount))
    assert Decimal(written) == amount
    assert "E" not in written
    assert not ("." in written and written.endswith(("0", ".")))

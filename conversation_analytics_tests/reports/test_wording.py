"""Numbers read well."""

from __future__ import annotations

from datetime import date

import pytest

from conversation_analytics.reports.wording import (
    NOTHING,
    counted,
    dates,
    difference,
    duration,
    figure,
    listed,
    money,
    number,
    percent,
)
from conversation_analytics.schemas.metrics import METRICS


@pytest.mark.parametrize(
    ("value", "decimals", "said"),
    [
        (0, 0, "0"),
        (1234, 0, "1,234"),
        (1234567.891, 2, "1,234,567.89"),
        (-12.34, 1, "-12.3"),
        (-0.01, 1, "0.0"),
    ],
)
def test_numbers(value: float, decimals: int, said: str) -> None:
    assert number(value, decimals) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (3.21, "3.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (80, "1 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
        (86_399, "1 d"),
        (273_600, "3 d 4 h"),
        (-80, "-1 min 20 s"),
    ],
)
def test_times(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        (1234.5, "USD", "1,234.50 USD"),
        (0, "USD", "0.00 USD"),
        (0.0012, "USD", "0.0012 USD"),
        (0.00001234, "USD", "0.000012 USD"),
        (-3, "THB", "-3.00 THB"),
        (3, None, "3.00"),
    ],
)
def test_money(amount: float, currency: str | None, said: str) -> None:
    assert money(amount, currency) == said


@pytest.mark.parametrize(
    ("metric", "value", "said", "changed"),
    [
        ("conversations", 1234.0, "1,234", "+1,234"),
        ("escalation_rate", 0.12345, "12.3 %", "+12.3 points"),
        ("error_rate", -0.005, "-0.50 %", "-0.50 points"),
        ("first_response_p95_seconds", 80.0, "1 min 20 s", "+1 min 20 s"),
        ("latency_p95_ms", 999.4, "999 ms", "+999 ms"),
        ("latency_p95_ms", 999.6, "1.0 s", "+1.0 s"),
        ("latency_p95_ms", 81_000.0, "1 min 21 s", "+1 min 21 s"),
        ("cost", -1.5, "-1.50 USD", "-1.50 USD"),
        ("total_tokens", 1e6, "1,000,000", "+1,000,000"),
        ("sentiment_mean", -0.1234, "-0.123", "-0.123"),
    ],
)
def test_figures_have_the_unit_of_their_metric(
    metric: str, value: float, said: str, changed: str
) -> None:
    assert figure(METRICS[metric], value, "USD") == said
    assert difference(METRICS[metric], value, "USD") == changed


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_be_said_and_be_nothing(metric: str) -> None:
    assert figure(METRICS[metric], 0.5, "USD")
    assert figure(METRICS[metric], None) == NOTHING


def test_one_is_singular() -> None:
    assert [counted(n, "day") for n in (0, 1, 2)] == ["0 days", "1 day", "2 days"]
    assert counted(2_000, "reply", "replies") == "2,000 replies"


def test_lists_and_percent() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert percent(0.5) == "50.0 %"


def test_days_in_a_row_are_said_together() -> None:
    days = [date(2024, 1, day) for day in (9, 1, 2, 3, 31)]
    assert dates([*days, date(2024, 2, 1)]) == (
        "2024-01-01 to 2024-01-03, 2024-01-09 and 2024-01-31 to 2024-02-01"
    )

"""When rules fire, against oracles, and what they do not tell since it is not known."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, median_abs_deviation

from conversation_analytics.reports.alerts.figures import Subject
from conversation_analytics.reports.alerts.judging import robust_z
from conversation_analytics_tests.reports.alerts.simple import (
    WHOLE,
    evaluated,
    report,
    rule,
)

DAY = "2024-03-11"  # a Monday
TOPIC = {"dimension": "topic", "value": "refund"}
REFUND = Subject("topic", "refund")

values = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3))


def fires(one: Any, *reports: Any, last: str = DAY) -> bool | None:
    """Whether a rule about one thing fires; null if it cannot be told."""
    found = evaluated(one, last, *reports)
    return True if found.alerts else None if found.undecided is None or found.undecided else False


def each_week(*conversations: float | None) -> list[Any]:
    """Reports of days, of which those of one weekday have these conversations."""
    days: list[Any] = []
    for number in conversations:
        days += [report(5000)] * 6 + [None if number is None else report(number)]
    return days


# --- thresholds ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "expected"), [(99, False), (100, False), (101, True)])
def test_above_is_more_than_the_threshold(value: int, expected: bool) -> None:
    assert fires(rule(threshold=100), report(value)) is expected


@pytest.mark.parametrize(("value", "expected"), [(99, True), (100, False), (101, False)])
def test_below_is_less_than_the_threshold(value: int, expected: bool) -> None:
    assert fires(rule("below", threshold=100), report(value)) is expected


def test_nothing_to_measure_is_no_alert_and_no_end_of_one() -> None:
    one = rule("below", metric="error_rate", threshold=0.1)
    assert fires(one, report(metrics={"error_rate": None})) is None


def test_a_day_that_is_missing_makes_nothing_low_and_is_noted() -> None:
    found = evaluated(rule("below", threshold=100), DAY, report(3, missing=["2024-03-11"]))

    assert found.alerts == {}
    assert found.notes == ["one, 2024-03-11: it is low, but 2024-03-11 is missing (the whole)"]


def test_what_is_high_although_days_are_missing_is_told_with_them() -> None:
    one = rule(grain="weekly", threshold=100)
    (alert,) = evaluated(one, "2024-W10", report(300, missing=["2024-03-05"])).alerts.values()

    text = alert.text.replace("\N{NO-BREAK SPACE}", " ")
    assert text == ("Conversations: 300, above 100, in week 2024-W10 (2024-03-05 is missing).")


def test_days_without_labels_count_for_rules_about_labels_alone() -> None:
    unlabelled = report(3, topics={"refund": 3}, days_unlabelled=[DAY])

    assert fires(rule("below", threshold=100, **TOPIC), unlabelled) is None
    assert fires(rule("below", threshold=100), unlabelled) is True


def test_a_period_without_a_report_tells_nothing() -> None:
    assert evaluated(rule(threshold=1), DAY, None).notes == [
        "one, 2024-03-11: there is no report of the period as a whole"
    ]


def test_each_currency_is_judged_by_itself() -> None:
    one = rule(metric="cost", threshold=10)
    found = evaluated(one, DAY, report(metrics={"cost": {"USD": 12.0, "THB": 400.0, "EUR": 3.0}}))

    assert [(one.currency, alert.observed) for one, alert in found.alerts.items()] == [
        ("THB", 400.0),
        ("USD", 12.0),
    ]


# --- values -------------------------------------------------------------------------------------


def test_every_value_is_judged_and_what_is_pooled_never_is() -> None:
    found = evaluated(
        rule(threshold=10, dimension="topic"),
        DAY,
        report(100, topics={"refund": 40, "battery": 12, "parcel": 8, "(other)": 40}),
    )

    assert [one.value for one in found.alerts] == ["refund", "battery"]
    assert found.undecided == {}


def test_a_value_that_is_not_there_is_none_only_if_every_value_is_shown() -> None:
    one = rule("below", threshold=5, **TOPIC)

    assert fires(one, report(100, topics={"battery": 100})) is True
    assert fires(one, report(100, topics={"battery": 90, "(other)": 10})) is None
    assert fires(one, report(100, topics={"battery": 90})) is None  # days withheld, and no pool
    assert fires(one, report(100, topics={})) is None
    assert fires(one, report(0, topics={})) is True


# --- changes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "direction", "expected"),
    [
        (100, 151, "both", True),
        (100, 150, "both", False),
        (100, 49, "both", True),
        (100, 151, "down", False),
        (100, 49, "up", False),
        (0, 1, "up", True),
        (0, 0, "both", False),
    ],
)
def test_a_change_is_more_than_a_fraction_of_before(
    before: int, now: int, direction: str, expected: bool
) -> None:
    one = rule("change", by=0.5, direction=direction)
    assert fires(one, report(before), report(now)) is expected


def test_small_differences_can_be_left_out() -> None:
    one = rule("change", by=0.5, min_difference=10)
    assert fires(one, report(2), report(11)) is False
    assert fires(one, report(2), report(12)) is True


def test_days_can_be_compared_with_the_week_before() -> None:
    one = rule("change", by=0.5, against="same_weekday")
    assert fires(one, report(100), *[report(5)] * 6, report(120)) is False
    assert fires(one, report(100), *[report(120)] * 6, report(40)) is True


def test_nothing_is_compared_with_a_report_that_lacks_days() -> None:
    one = rule("change", by=0.5)
    assert fires(one, report(1, missing=["2024-03-10"]), report(100)) is None
    assert fires(one, None, report(100)) is None


# --- anomalies ----------------------------------------------------------------------------------


@given(st.lists(values, min_size=4, max_size=30), values)
def test_the_score_is_that_of_scipy(history: list[float], value: float) -> None:
    mad = float(median_abs_deviation(history))
    if mad > 1e-3:
        expected = 0.6745 * (value - float(np.median(history))) / mad
        assert robust_z(value, history) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(
    st.lists(st.integers(-1000, 1000), min_size=4, max_size=20),
    st.integers(-1000, 1000),
    st.integers(-1000, 1000),
    st.integers(1, 50),
)
def test_the_score_knows_neither_origin_nor_unit(
    history: list[int], value: int, shift: int, scale: int
) -> None:
    moved = [scale * (one + shift) for one in history]
    score = robust_z(value, history)
    assert robust_z(scale * (value + shift), moved) == pytest.approx(score)
    assert robust_z(-value, [-one for one in history]) == pytest.approx(-score)


def test_where_half_of_the_history_is_the_same_the_mean_deviation_counts() -> None:
    history = [10, 10, 10, 10, 10, 10, 12, 8]  # MAD is 0, the mean deviation 0.5
    assert robust_z(14, history) == pytest.approx(4 / (1.2533141 * 0.5))


def test_where_the_history_never_varied_any_other_value_is_far() -> None:
    assert robust_z(0.1 + 0.2, [0.3] * 8) == 0.0
    assert robust_z(1, [0] * 8) == inf
    assert robust_z(-1, [0] * 8) == -inf


def test_the_history_of_a_day_is_its_weekday() -> None:
    one = rule("anomaly")
    mondays = [98, 102, 99, 101, 100, 97, 103, 100, 99, 101]
    assert fires(one, *each_week(*mondays, 104)) is False
    assert fires(one, *each_week(*mondays, 130)) is True
    assert fires(one, *each_week(*mondays, 5000)) is True  # as usual on other days


def test_an_anomaly_needs_enough_history() -> None:
    one = rule("anomaly", min_history=8)
    assert fires(one, *each_week(98, 102, 99, 101, 100, 97, None, 103, 500)) is None
    assert fires(one, *each_week(98, 102, 99, 101, 100, 97, 99, 103, 500)) is True


@pytest.mark.parametrize(("direction", "expected"), [("up", True), ("down", False), ("both", True)])
def test_an_anomaly_has_a_direction(direction: str, expected: bool) -> None:
    one = rule("anomaly", direction=direction)
    assert fires(one, *each_week(98, 102, 99, 101, 100, 97, 99, 103, 500)) is expected


def test_weeks_that_lack_days_are_no_history() -> None:
    one = rule("anomaly", grain="weekly", min_history=4, history=5)
    whole, torn = [report(n) for n in (99, 101, 100, 98)], report(3, missing=["2024-02-01"])
    assert fires(one, *whole, torn, report(140), last="2024-W10") is True
    assert fires(one, *whole[1:], torn, report(140), last="2024-W10") is None


@pytest.mark.parametrize(
    ("threshold", "one_in"),
    [(3.5, {8: 21, 12: 41, 26: 150}), (5, {8: 58, 12: 170})],
)
def test_false_alarms_are_as_frequent_as_the_docs_say(
    threshold: float, one_in: dict[int, int]
) -> None:
    rng = np.random.default_rng(1)
    for earlier, expected in one_in.items():
        tries = 6000
        draws = rng.standard_normal((tries, earlier + 1)).tolist()
        false = sum(abs(robust_z(row[0], row[1:])) >= threshold for row in draws)
        low, high = binom.interval(0.999, tries, 1 / expected)
        assert low <= false <= high, (earlier, false)


def test_a_weekly_rhythm_gives_no_more_alarms_than_none_and_a_planted_jump_is_found() -> None:
    rng = np.random.default_rng(7)
    level = np.array([1000, 980, 960, 990, 1100, 400, 300])  # quiet weekends
    weeks, evaluated_days = 40, 26 * 7
    draws = rng.poisson(np.tile(level, weeks)).astype(float)
    planted = (weeks - 5) * 7 + 5  # a Saturday as busy as a weekday
    draws[planted] = 1000

    one = rule("anomaly")
    found = []
    for day in range(len(draws) - evaluated_days, len(draws)):
        earlier = draws[day - 84 : day + 1]
        reports = [report(number) for number in earlier]
        if fires(one, *reports, last="2024-03-11"):
            found.append(day)

    assert planted in found
    assert len(found) - 1 <= binom.ppf(0.999, evaluated_days, 1 / 170)


# --- what comes up ------------------------------------------------------------------------------


def weeks(before: dict[str, int], now: dict[str, int | tuple[int, int]], **more: Any) -> list[Any]:
    """Eight weekly reports of 1,000 conversations of topics, and one more."""
    earlier = report(1000, topics=before | {"parcel": 1000 - sum(before.values())})
    rest: Any = {"parcel": 1000 - sum(n if isinstance(n, int) else n[0] for n in now.values())}
    return [earlier] * 8 + [report(1000, topics=rest | now, **more)]


def emerged(reports: list[Any], **fields: Any) -> list[str]:
    found = evaluated(rule("emerging", grain="weekly", **fields), "2024-W10", *reports)
    return [one.value for one in found.alerts]


def test_a_topic_that_was_not_there_has_come_up() -> None:
    assert emerged(weeks({}, {"refund": 30})) == ["refund"]


def test_it_is_told_in_numbers() -> None:
    found = evaluated(
        rule("emerging", grain="weekly", message="Ask the shop."),
        "2024-W10",
        *weeks({"refund": 5}, {"refund": (60, 40)}),
    )
    (alert,) = found.alerts.values()

    assert alert.text.replace("\N{NO-BREAK SPACE}", " ") == (
        "Topic refund came up: 6.0 % of conversations (60 of 1,000, 40 users), after 0.5 % at "
        "most in the 8 weeks compared, in week 2024-W10. Ask the shop."
    )


@pytest.mark.parametrize(
    ("before", "now", "fields"),
    [
        ({}, {"refund": 19}, {}),  # a share too small
        ({}, {"refund": (30, 9)}, {}),  # users too few
        ({"refund": 11}, {"refund": 300}, {}),  # was something before
        ({"refund": 9}, {"refund": 40}, {}),  # has not grown enough
        ({"(other)": 100}, {"refund": 19}, {"min_share": 0.015}),  # may have been hidden
        ({}, {"(other)": 300}, {}),  # pooled
    ],
)
def test_nothing_has_come_up(
    before: dict[str, int], now: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert emerged(weeks(before, now), **fields) == []


def test_a_hidden_value_counts_as_one_fewer_than_the_users_that_would_show_it() -> None:
    hidden = weeks({"(other)": 100}, {"refund": 25})
    assert emerged(hidden) == ["refund"]  # 2.5 % after 0.4 % at most
    assert emerged(hidden, growth=6.25) == ["refund"]
    assert emerged(hidden, growth=6.26) == []


def test_few_conversations_are_chance_however_fast_they_grew() -> None:
    few = [report(50, topics={"parcel": 50})] * 8 + [report(50, topics={"parcel": 48, "refund": 2})]
    assert emerged(few, min_users=2) == []
    assert emerged(few, min_users=2, significance=0.1) == ["refund"]


def test_chance_is_that_of_the_binomial_test() -> None:
    n, total, before, total_before = 8, 1000, 3, 8000
    p = float(binom.sf(n - 1, n + before, total / (total + total_before)))
    reports = [
        report(1000, topics={"parcel": 1000 - (i < 3), **({"refund": 1} if i < 3 else {})})
        for i in range(8)
    ] + [report(1000, topics={"parcel": 992, "refund": n})]
    fields = {"min_users": 2, "min_share": 0.005, "max_share_before": 0.001}

    assert emerged(reports, significance=2 * p * 1.001, **fields) == ["refund"]
    assert emerged(reports, significance=2 * p * 0.999, **fields) == []


def test_half_of_the_periods_before_must_be_known() -> None:
    reports = weeks({}, {"refund": 30})
    assert emerged([None] * 4 + reports[4:]) == ["refund"]
    found = evaluated(rule("emerging", grain="weekly"), "2024-W10", *reports[5:])
    assert found.alerts == {}
    assert found.is_undecided(REFUND)


def test_steady_topics_hardly_ever_come_up() -> None:
    rng = np.random.default_rng(3)
    share = np.array([0.5, 0.3, 0.12, 0.05, 0.02, 0.006, 0.003, 0.001])
    alarms = 0
    for _ in range(200):
        reports = []
        for counts in rng.multinomial(700, share, size=9):
            topics = {f"t{i}": int(n) for i, n in enumerate(counts) if n >= 5}
            topics |= {"(other)": hidden} if (hidden := int(counts[counts < 5].sum())) else {}
            reports.append(report(700, topics=topics))
        alarms += bool(emerged(reports))
    assert alarms == 0


def test_the_whole_is_what_a_rule_without_a_dimension_is_about() -> None:
    assert list(evaluated(rule(threshold=1), DAY, report(2)).alerts) == [WHOLE]

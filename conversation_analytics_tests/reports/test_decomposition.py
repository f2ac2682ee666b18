"""Contributions add up, and intervals cover what they say they cover."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from conversation_analytics.reports.decomposition import (
    Both,
    Draws,
    Estimate,
    Part,
    estimated,
    holm,
    quantile_change,
)

GROUPS = 3
Row = tuple[int, int, float, float]
"""User, group, numerator, denominator."""

rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, GROUPS - 1), st.integers(0, 5), st.integers(1, 9)),
    min_size=1,
    max_size=25,
)


@dataclass(frozen=True)
class Sums:
    """Rows of a period."""

    user: np.ndarray
    group: np.ndarray
    top: np.ndarray
    bottom: np.ndarray


def drawn_of(now: Sums, before: Sums, groups: int) -> Draws:
    """In the groups, and all in one more."""
    group = np.concatenate([now.group, before.group])
    whole = np.full_like(group, groups)
    return Draws(now.user, before.user, np.stack([group, whole]), groups + 1)


def volume_parts(now: Sums, before: Sums, groups: int) -> list[Part]:
    return drawn_of(now, before, groups).volume(Both(now.top, before.top))[:groups]


def rate_parts(now: Sums, before: Sums, groups: int) -> list[Part]:
    """The last is of the whole."""
    return drawn_of(now, before, groups).rate(
        Both(now.top, before.top), Both(now.bottom, before.bottom)
    )


def sums(some: Sequence[Row]) -> Sums:
    user, group, top, bottom = zip(*some, strict=True)
    return Sums(
        np.array(user), np.array(group), np.array(top, dtype=float), np.array(bottom, dtype=float)
    )


def contribution(
    now: Sequence[Row], before: Sequence[Row], group: int, weight: Callable[[int], float]
) -> tuple[float, float]:
    """Mix and rate of a group by their definition, each user counting so many times."""

    def total(some: Sequence[Row], column: int, of: int | None = None) -> float:
        return sum(weight(row[0]) * row[column] for row in some if of is None or row[1] == of)

    whole = total(before, 2) / total(before, 3)
    w1, w0 = (total(some, 3, group) / total(some, 3) for some in (now, before))
    r0 = total(before, 2, group) / total(before, 3, group) if w0 else whole
    r1 = total(now, 2, group) / total(now, 3, group) if w1 else r0
    return (w1 - w0) * (r0 - whole), w1 * (r1 - r0)


@given(rows, rows)
@settings(max_examples=60)
def test_what_groups_contribute_to_a_rate_is_mix_and_rate_and_adds_up(
    now: list[Row], before: list[Row]
) -> None:
    *parts, whole = rate_parts(sums(now), sums(before), GROUPS)
    for group, part in enumerate(parts):
        assert (part.mix, part.rate) == pytest.approx(
            contribution(now, before, group, lambda _: 1), abs=1e-12
        )
        assert part.contribution.value == pytest.approx((part.mix or 0) + (part.rate or 0))
    rates = (sum(row[2] for row in some) / sum(row[3] for row in some) for some in (now, before))
    change = next(rates) - next(rates)
    assert sum(part.contribution.value for part in parts) == pytest.approx(change, abs=1e-12)
    assert whole.contribution.value == pytest.approx(change, abs=1e-12)


def width(influences: Sequence[float]) -> float:
    squares = [one**2 for one in influences]
    if not sum(squares):
        return 0
    freedom = sum(squares) ** 2 / sum(one**2 for one in squares)
    return float(student.ppf(0.975, freedom)) * math.sqrt(sum(squares))


@given(rows, rows)
@settings(max_examples=60)
def test_the_interval_of_a_rate_is_what_a_little_more_of_each_user_would_change(
    now: list[Row], before: list[Row]
) -> None:
    users = range(7)
    tiny = 1e-5

    def slope(user: int, group: int) -> float:
        def changed(by: float) -> float:
            return sum(contribution(now, before, group, lambda one: 1 + by * (one == user)))

        return (changed(tiny) - changed(-tiny)) / (2 * tiny)

    both = [*now, *before]
    rate = sum(row[2] for row in both) / sum(row[3] for row in both)
    for group, part in enumerate(rate_parts(sums(now), sums(before), GROUPS)[:GROUPS]):
        level = sum(row[2] - rate * row[3] for row in both if row[1] == group)
        level /= sum(row[3] for row in both)

        def alike(user: int, group: int = group, level: float = level) -> float:
            signed = [(row, 1, now) for row in now] + [(row, -1, before) for row in before]
            return sum(
                sign
                * ((row[2] - rate * row[3]) * (row[1] == group) - level * row[3])
                / sum(one[3] for one in period)
                for row, sign, period in signed
                if row[0] == user
            )

        candidates = [[slope(user, group) for user in users], [alike(user) for user in users]]
        larger = max(candidates, key=lambda some: sum(one**2 for one in some))
        interval = part.contribution.interval
        if sum(one**2 for one in larger) > 1e-12:
            assert interval is not None
            assert (interval[1] - interval[0]) / 2 == pytest.approx(width(larger), rel=1e-3)


@given(rows, rows)
@settings(max_examples=60)
def test_what_groups_contribute_to_a_sum_is_the_difference_by_users(
    now: list[Row], before: list[Row]
) -> None:
    parts = volume_parts(sums(now), sums(before), GROUPS)
    for group, part in enumerate(parts):
        by_user = [
            sum(row[2] for row in now if row[:2] == (user, group))
            - sum(row[2] for row in before if row[:2] == (user, group))
            for user in range(7)
        ]
        assert part.contribution.value == sum(by_user)
        assert (part.mix, part.rate) == (None, None)
        if part.contribution.interval is not None:
            low, high = part.contribution.interval
            assert (high - low) / 2 == pytest.approx(width(by_user))


def test_a_rate_of_nothing_has_no_parts() -> None:
    nothing = [(0, 0, 0.0, 0.0)]
    with pytest.raises(ZeroDivisionError):
        rate_parts(sums(nothing), sums([(0, 0, 1.0, 1.0)]), 1)


def test_one_busy_user_is_no_proof() -> None:
    many = sums([(user, 0, 1.0, 1.0) for user in range(30)])
    more = sums([*((user, 0, 1.0, 1.0) for user in range(30)), (99, 0, 40.0, 40.0)])
    (part,) = volume_parts(more, many, 1)
    assert part.contribution.value == 40
    assert not part.contribution.distinguishable
    spread = sums([(user, 0, 1.0, 1.0) for user in range(70)])
    assert volume_parts(spread, many, 1)[0].contribution.distinguishable


@pytest.mark.parametrize(("users", "told"), [(2, False), (10, True)])
def test_all_or_none_is_proof_only_of_enough_users(users: int, told: bool) -> None:
    none = sums([(user, 0, 0.0, 1.0) for user in range(users)])
    every = sums([(100 + user, 0, 1.0, 1.0) for user in range(users)])
    assert rate_parts(every, none, 1)[0].contribution.distinguishable == told


def test_where_nothing_varies_only_no_change_has_an_interval() -> None:
    assert estimated(0.0, np.zeros(3)) == Estimate(0.0, (0.0, 0.0), 1.0)
    assert estimated(1.0, np.zeros(3)) == Estimate(1.0, None, 1.0)


@pytest.mark.parametrize(
    ("ps", "told"),
    [
        ([], []),
        ([0.04], [True]),
        ([0.04, 0.04], [False, False]),
        ([0.04, 0.02], [True, True]),
        ([0.03, 0.001, 0.03], [False, True, False]),
        ([0.9, 0.01, 0.0001], [False, True, True]),
    ],
)
def test_of_many_values_only_those_are_told_that_all_can_be(
    ps: list[float], told: list[bool]
) -> None:
    assert holm(ps) == told


# What is true in simulations: shares of groups, and rates within them.
SHARES = np.array([0.5, 0.3, 0.2])
RATES = np.array([0.1, 0.3, 0.05])
LATER_SHARES = np.array([0.3, 0.5, 0.2])
LATER_RATES = np.array([0.2, 0.3, 0.1])
SIMULATIONS = 200


def drawn(
    rng: np.random.Generator, shares: np.ndarray, rates: np.ndarray, users: int = 150
) -> Sums:
    """Conversations of users, some busy, some who have more reason to complain."""
    busy = rng.geometric(1 / 3, users)
    who = np.repeat(rng.choice(2 * users, users, replace=False), busy)
    group = rng.choice(len(shares), len(who), p=shares)
    temper = rng.uniform(0.5, 1.5, 2 * users)
    top = rng.random(len(who)) < rates[group] * temper[who]
    return Sums(who, group, top.astype(float), np.ones(len(who)))


def test_intervals_of_contributions_cover_the_truth() -> None:
    rng = np.random.default_rng(7)
    before, now = SHARES @ RATES, LATER_SHARES @ LATER_RATES
    truth = (LATER_SHARES - SHARES) * (RATES - before) + LATER_SHARES * (LATER_RATES - RATES)
    covered = np.zeros(GROUPS + 1)
    for _ in range(SIMULATIONS):
        one, zero = drawn(rng, LATER_SHARES, LATER_RATES), drawn(rng, SHARES, RATES)
        found = [part.contribution for part in rate_parts(one, zero, GROUPS)]
        for place, (estimate, true) in enumerate(zip(found, [*truth, now - before], strict=True)):
            assert estimate.interval is not None
            covered[place] += estimate.interval[0] <= true <= estimate.interval[1]
    assert (covered / SIMULATIONS >= 0.92).all()
    assert (covered / SIMULATIONS <= 0.995).all()


def test_what_did_not_change_is_seldom_said_to_have() -> None:
    rng = np.random.default_rng(8)
    wrong = np.zeros(3)
    for _ in range(SIMULATIONS):
        one, zero = drawn(rng, SHARES, RATES), drawn(rng, SHARES, RATES)
        *parts, whole = [part.contribution for part in rate_parts(one, zero, GROUPS)]
        volumes = [part.contribution for part in volume_parts(one, zero, GROUPS)]
        wrong[0] += whole.distinguishable
        wrong[1] += any(holm([part.p or 0 for part in parts]))
        wrong[2] += any(holm([part.p or 0 for part in volumes]))
    assert (wrong / SIMULATIONS <= 0.08).all()
    assert wrong[0] / SIMULATIONS >= 0.02


def test_the_interval_of_a_quantile_covers_the_truth() -> None:
    rng = np.random.default_rng(9)
    share, users = 0.9, 120

    def values(scale: float) -> tuple[np.ndarray, np.ndarray]:
        who = np.repeat(np.arange(users), rng.geometric(1 / 4, users))
        own = rng.lognormal(0, 0.3, users)
        return scale * own[who] * rng.exponential(1, len(who)), who

    def level(scale: float) -> float:
        own = np.random.default_rng(0).lognormal(0, 0.3, 400_000)
        return scale * float(
            np.quantile(own * np.random.default_rng(1).exponential(1, 400_000), share)
        )

    truth, covered, told = level(2.0) - level(1.0), 0, 0
    for _ in range(SIMULATIONS):
        found = quantile_change(*values(2.0), *values(1.0), share)
        assert found.interval is not None
        covered += found.interval[0] <= truth <= found.interval[1]
        told += quantile_change(*values(1.0), *values(1.0), share).distinguishable
    assert 0.92 <= covered / SIMULATIONS <= 0.995
    assert told / SIMULATIONS <= 0.08


def test_too_few_values_have_no_interval_of_a_high_quantile() -> None:
    values, users = np.arange(10.0), np.arange(10)
    found = quantile_change(values + 5, users, values, users, 0.95)
    assert (found.value, found.interval, found.distinguishable) == (5, None, False)

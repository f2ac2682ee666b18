"""What is computed in another way where there is much of it comes to the same."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.periods import period_of
from conversation_analytics.reports import arrays, decomposition
from conversation_analytics.reports import measure as measuring
from conversation_analytics.reports.arrays import distinct, placed
from conversation_analytics.reports.decomposition import Both, Draws
from conversation_analytics.reports.measure import measure
from conversation_analytics_tests.reports.talks import Talk, facts

SIZE = 40
numbers = st.lists(st.integers(0, SIZE - 1)).map(lambda some: np.array(some, dtype=np.int64))
tables = pytest.mark.parametrize("times", [0, SIZE], ids=["sorted", "looked up"])


@tables
def test_distinct_numbers_are_those_there_are_in_order(times: int) -> None:
    @given(numbers)
    def check(some: np.ndarray) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(arrays, "_TABLE", times)
            assert distinct(some, SIZE).tolist() == sorted(set(some.tolist()))

    check()


@tables
def test_numbers_are_found_at_their_places(times: int) -> None:
    @given(numbers)
    def check(some: np.ndarray) -> None:
        rows = np.stack([some, some[::-1]])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(arrays, "_TABLE", times)
            found, place = placed(rows, SIZE)
        assert found.tolist() == sorted(set(some.tolist()))
        assert found[place].tolist() == rows.tolist()

    check()


def test_a_few_dimensions_at_a_time_say_what_all_at_once_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    talks = [
        Talk(f"u{n % 7}", ("orders", "bills")[n % 2], ("web", "app")[n % 3 > 0], cost="1")
        for n in range(20)
    ]
    found = facts(period_of("daily", date(2024, 1, 1)), talks)
    at_once = measure(found)
    monkeypatch.setattr(measuring, "_AT_ONCE", 1)
    assert measure(found).equals(at_once)


def test_a_few_groups_at_a_time_say_what_all_at_once_do(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    user, group = rng.integers(0, 30, 200), rng.integers(0, 9, (1, 200))
    top = rng.random(200)

    def parts() -> list[decomposition.Part]:
        draws = Draws(user[:90], user[90:], group, 9)
        return draws.rate(Both(top[:90], top[90:]), Both(np.ones(90), np.ones(110)))

    at_once = parts()
    monkeypatch.setattr(decomposition, "_AT_ONCE", 1)
    for one, other in zip(parts(), at_once, strict=True):
        assert one.contribution.interval == pytest.approx(other.contribution.interval)

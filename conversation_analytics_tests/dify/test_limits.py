"""Calls are spaced as told, whichever thread makes them."""

from __future__ import annotations

import pytest

from conversation_analytics.dify.limits import RateLimit


class Clock:
    """A clock that only moves by waiting."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def limit(self, per_minute: float | None) -> RateLimit:
        return RateLimit(per_minute, clock=lambda: self.now, sleep=self.sleep)


def starts(clock: Clock, limit: RateLimit, count: int) -> list[float]:
    found = []
    for _ in range(count):
        limit.wait()
        found.append(clock.now)
    return found


def test_calls_are_spaced_evenly() -> None:
    clock = Clock()
    assert starts(clock, clock.limit(30), 4) == [100, 102, 104, 106]


def test_without_a_limit_none_waits() -> None:
    clock = Clock()
    assert starts(clock, clock.limit(None), 3) == [100, 100, 100]


def test_time_in_which_nobody_called_is_not_made_up_for() -> None:
    clock = Clock()
    limit = clock.limit(60)
    limit.wait()
    clock.sleep(10)
    assert starts(clock, limit, 2) == [110, 111]


@pytest.mark.parametrize("per_minute", [None, 60])
def test_no_call_is_started_while_dify_wants_none(per_minute: float | None) -> None:
    clock = Clock()
    limit = clock.limit(per_minute)
    limit.hold(5)
    limit.hold(2)
    assert starts(clock, limit, 1) == [105]

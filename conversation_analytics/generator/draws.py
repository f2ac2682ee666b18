"""Cheap random draws.

Distributions are tables of quantiles, computed once: a draw is a look-up by one uniform number,
several times faster than the library's samplers and, unlike them, cut off at a known maximum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from statistics import NormalDist
from typing import TypeVar

Item = TypeVar("Item")

Random = Callable[[], float]
"""A source of uniform numbers from 0 to below 1."""

TABLE_SIZE = 1024


def pick(random: Random, items: Sequence[Item]) -> Item:
    """One of `items`, each as likely as any other."""
    return items[int(random() * len(items))]


def lognormal(median: float, sigma: float, *, low: float, high: float) -> tuple[float, ...]:
    """Quantiles of a lognormal distribution, clamped to [low, high]; draw with `pick`."""
    standard = NormalDist()
    return tuple(
        min(high, max(low, median * math.exp(sigma * standard.inv_cdf((n + 0.5) / TABLE_SIZE))))
        for n in range(TABLE_SIZE)
    )


def shares(weights: Sequence[float]) -> list[float]:
    """Running shares of `weights`, ending at 1, to look a uniform number up in by bisection."""
    total = math.fsum(weights)
    running = [weight / total for weight in accumulate(weights)]
    running[-1] = 1.0
    return running

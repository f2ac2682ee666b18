"""Finding things by the hash of a word or a pair of words."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.features import BUCKETS, Hashes, buckets

Places = NDArray[np.int64]


class HashTable:
    """The place of each of some hashes, each there once.

    Args:
        hashes: the hashes; their places are their indices.
    """

    def __init__(self, hashes: Hashes) -> None:
        self._order = np.argsort(hashes, kind="stable")
        self._sorted = hashes[self._order]

    @cached_property
    def _there(self) -> NDArray[np.bool_]:
        """Whether a bucket has any: most words of a text are in none that has."""
        there = np.zeros(BUCKETS, dtype=bool)
        there[buckets(self._sorted)] = True
        return there

    def find(self, hashes: Hashes) -> tuple[Places, Places]:
        """Which of some hashes are in the table, and their places in it."""
        likely = np.flatnonzero(self._there[buckets(hashes).view(np.int64)])
        wanted = hashes[likely]
        nearest = np.searchsorted(self._sorted, wanted)
        right = self._sorted[np.minimum(nearest, len(self._sorted) - 1)] == wanted
        return likely[right], self._order[nearest[right]]

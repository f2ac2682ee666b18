"""Finding things by the hash of a word: vectors, valences."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.features import BUCKETS, Hashes, buckets

_NOTHING = -1


class HashTable:
    """The place of each of some hashes.

    Of two in one bucket only the first is kept, so put those first that matter most.

    Args:
        hashes: the hashes; their places are their indices.
    """

    def __init__(self, hashes: Hashes) -> None:
        self.hashes = hashes

    @cached_property
    def _places(self) -> NDArray[np.int32]:
        places = np.full(BUCKETS, _NOTHING, dtype=np.int32)
        reverse = np.arange(len(self.hashes), dtype=np.int32)[::-1]
        places[buckets(self.hashes[::-1])] = reverse
        return places

    def find(self, hashes: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Which of some hashes are in the table, and their places in it."""
        places = self._places[buckets(hashes)]
        hits = np.flatnonzero(places != _NOTHING)
        places = places[hits]
        right = self.hashes[places] == hashes[hits]
        return hits[right], places[right]

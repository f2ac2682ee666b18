"""Arrays of numpy, as reports compute with them."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.int64]
Reals: TypeAlias = NDArray[np.float64]
Truths: TypeAlias = NDArray[np.bool_]

# Up to this many times the numbers, a table of all that there could be is faster than sorting.
_TABLE: Final = 32


def distinct(numbers: Numbers, size: int) -> Numbers:
    """The different ones of numbers below a size, in order."""
    if size > _TABLE * len(numbers):
        return np.unique(numbers)
    seen = np.zeros(size, dtype=bool)
    seen[numbers] = True
    return np.flatnonzero(seen)


def placed(numbers: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """The different ones of numbers below a size, in order, and the place of each among them."""
    if size > _TABLE * numbers.size:
        found, place = np.unique(numbers, return_inverse=True)
        return found, place.reshape(numbers.shape)
    seen = np.zeros(size, dtype=bool)
    seen[numbers.ravel()] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[numbers]

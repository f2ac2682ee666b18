"""Texts of words drawn at random: one is in every ninth text, another in a single one of a lake."""

from __future__ import annotations

import string

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COMMON = "invoice"
RARE = "zeppelin"

_WORDS = 10_000
_LONG = 12  # words a text has


def texts(rng: np.random.Generator, count: int, *, rare: bool) -> pa.Array:
    """Texts of about 80 letters, words of low number more often.

    Args:
        rng: draws them.
        count: how many.
        rare: whether the first has the word `RARE`.
    """
    numbers = (_WORDS * rng.random((_LONG, count)) ** 2).astype(np.int64)
    words = pa.array(_vocabulary())
    drawn = pc.binary_join_element_wise(*(words.take(pa.array(one)) for one in numbers), " ")
    return pa.concat_arrays([pa.array([RARE]), drawn[1:]]) if rare else drawn


def _vocabulary() -> list[str]:
    """`COMMON`, and words that mean nothing."""
    rng = np.random.default_rng(0)
    letters = np.array(list(string.ascii_lowercase))
    made = ("".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(_WORDS - 1))
    return [COMMON, *made]

"""Kinds of characters, for whole arrays of code points at once."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.scripts import UNSPACED, script_of

Codes = NDArray[np.uint32]
Kinds = NDArray[np.uint8]

SPACE: Final = 0
LETTER: Final = 1  # of a script that writes spaces between words, with its marks
DIGIT: Final = 2
GLYPH: Final = 3  # a letter of a script without such spaces
SYMBOL: Final = 4  # punctuation, emoji, anything else that shows
IGNORED: Final = 5  # zero width: joiners, direction marks, variation selectors
_UNKNOWN: Final = 255

_CODE_POINTS = 0x110000
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)


def code_points(text: str) -> Codes:
    """The code points of a text; half a surrogate pair is one of its own."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def kinds_of(codes: Codes) -> Kinds:
    """The kind of each code point."""
    table = _table()
    kinds: Kinds = table[codes]
    if (kinds == _UNKNOWN).any():
        for code in np.unique(codes[kinds == _UNKNOWN]).tolist():
            table[code] = _kind(code)
        kinds = table[codes]
    return kinds


@cache
def _table() -> Kinds:
    """The kinds known so far: asking Unicode for all of them would take half a second."""
    return np.full(_CODE_POINTS, _UNKNOWN, dtype=np.uint8)


def _kind(code: int) -> int:
    category = unicodedata.category(chr(code))
    if code in _VARIATION_SELECTORS:
        return IGNORED
    if category[0] in "LM":
        return GLYPH if script_of(code) in UNSPACED else LETTER
    if category[0] == "Z" or category == "Cc":
        return SPACE
    return {"N": DIGIT, "C": IGNORED}.get(category[0], SYMBOL)

"""Writing systems, for whole arrays of code points at once."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

NO_SCRIPT: Final = 0

# Unicode blocks by script, first and last code point; what many languages share comes first.
_BLOCKS: Final = {
    "Latin": ((0x0000, 0x024F), (0x1E00, 0x1EFF)),
    "Cyrillic": ((0x0400, 0x052F),),
    "Arabic": ((0x0600, 0x06FF), (0x0750, 0x077F)),
    "Devanagari": ((0x0900, 0x097F),),
    "Bengali": ((0x0980, 0x09FF),),
    "Han": ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF)),
    "Kana": ((0x3040, 0x30FF), (0x31F0, 0x31FF)),
    "Hangul": ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF)),
    "Thai": ((0x0E00, 0x0E7F),),
    "Lao": ((0x0E80, 0x0EFF),),
    "Tibetan": ((0x0F00, 0x0FFF),),
    "Myanmar": ((0x1000, 0x109F), (0xAA60, 0xAA7F)),
    "Khmer": ((0x1780, 0x17FF),),
    "Greek": ((0x0370, 0x03FF), (0x1F00, 0x1FFF)),
    "Hebrew": ((0x0590, 0x05FF),),
    "Armenian": ((0x0530, 0x058F),),
    "Georgian": ((0x10A0, 0x10FF), (0x1C90, 0x1CBF)),
    "Gurmukhi": ((0x0A00, 0x0A7F),),
    "Gujarati": ((0x0A80, 0x0AFF),),
    "Tamil": ((0x0B80, 0x0BFF),),
    "Telugu": ((0x0C00, 0x0C7F),),
    "Kannada": ((0x0C80, 0x0CFF),),
    "Malayalam": ((0x0D00, 0x0D7F),),
    "Sinhala": ((0x0D80, 0x0DFF),),
    "Ethiopic": ((0x1200, 0x137F),),
}
SCRIPTS: Final = ("none", *_BLOCKS)
"""Names by number."""

UNSPACED: Final = frozenset({"Han", "Kana", "Thai", "Lao", "Tibetan", "Myanmar", "Khmer"})
"""Scripts that put no spaces between words."""

LANGUAGE_OF: Final = {
    "Thai": "th",
    "Lao": "lo",
    "Tibetan": "bo",
    "Myanmar": "my",
    "Khmer": "km",
    "Greek": "el",
    "Hebrew": "he",
    "Armenian": "hy",
    "Georgian": "ka",
    "Gurmukhi": "pa",
    "Gujarati": "gu",
    "Tamil": "ta",
    "Telugu": "te",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Sinhala": "si",
    "Hangul": "ko",
    "Kana": "ja",
    "Han": "zh",
}
"""The language that a script tells by itself; Han with kana beside it is Japanese."""


def scripts_of(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The number of each code point's script; `NO_SCRIPT` for what is no letter or mark of one."""
    scripts: NDArray[np.uint8] = _table()[codes]
    return scripts


def script_of(code: int) -> str:
    """The name of a code point's script."""
    return SCRIPTS[int(_table()[code])]


@cache
def _table() -> NDArray[np.uint8]:
    table = np.zeros(0x110000, dtype=np.uint8)
    for number, blocks in enumerate(_BLOCKS.values(), start=1):
        for first, last in blocks:
            for code in range(first, last + 1):
                if unicodedata.category(chr(code))[0] in "LM":
                    table[code] = number
    return table

"""Writing systems, for whole arrays of code points at once."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.characters import Codes

NO_SCRIPT: Final = 0

# Unicode blocks of letters by script; what many languages share comes first.
_BLOCKS: Final = {
    "Latin": (
        (0x41, 0x5B),
        (0x61, 0x7B),
        (0xC0, 0xD7),
        (0xD8, 0xF7),
        (0xF8, 0x250),
        (0x1E00, 0x1F00),
    ),
    "Cyrillic": ((0x400, 0x530),),
    "Arabic": ((0x620, 0x660), (0x66E, 0x6D4), (0x6FA, 0x700), (0x750, 0x780)),
    "Devanagari": ((0x900, 0x966), (0x970, 0x980)),
    "Bengali": ((0x980, 0x9E6),),
    "Han": ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x323B0)),
    "Kana": ((0x3041, 0x3100), (0x31F0, 0x3200)),
    "Hangul": ((0x1100, 0x1200), (0x3131, 0x318F), (0xAC00, 0xD7B0)),
    "Thai": ((0xE01, 0xE3B), (0xE40, 0xE4F)),
    "Lao": ((0xE80, 0xED0),),
    "Myanmar": ((0x1000, 0x1040), (0x1050, 0x10A0)),
    "Khmer": ((0x1780, 0x17D4),),
    "Greek": ((0x370, 0x400), (0x1F00, 0x2000)),
    "Hebrew": ((0x591, 0x5F5),),
    "Armenian": ((0x531, 0x590),),
    "Georgian": ((0x10A0, 0x1100), (0x1C90, 0x1CC0)),
    "Gurmukhi": ((0xA01, 0xA66),),
    "Gujarati": ((0xA81, 0xAE6),),
    "Tamil": ((0xB82, 0xBE6),),
    "Telugu": ((0xC00, 0xC66),),
    "Kannada": ((0xC80, 0xCE6),),
    "Malayalam": ((0xD00, 0xD66),),
    "Sinhala": ((0xD81, 0xDE6),),
    "Ethiopic": ((0x1200, 0x1380),),
}
SCRIPTS: Final = ("none", *_BLOCKS)
"""Names by number."""

LANGUAGE_OF: Final = {
    "Thai": "th",
    "Lao": "lo",
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


def scripts_of(codes: Codes) -> NDArray[np.uint8]:
    """The number of each code point's script; `NO_SCRIPT` for what is no letter of one."""
    scripts: NDArray[np.uint8] = _table()[codes]
    return scripts


@cache
def _table() -> NDArray[np.uint8]:
    table = np.zeros(0x110000, dtype=np.uint8)
    for number, blocks in enumerate(_BLOCKS.values(), start=1):
        for start, end in blocks:
            table[start:end] = number
    return table

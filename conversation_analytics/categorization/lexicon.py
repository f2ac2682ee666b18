"""Feeling words: what those of a text add up to, with what turns and what strengthens them.

After VADER (Hutto and Gilbert 2014): each known word, emoji or pair of words has a valence; one
that follows a negation within three words counts the other way and less, one that follows an
intensifier more. Unlike VADER the sums are not the answer but what a model is fitted to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
"""The numbers that a lexicon gives for a text."""

_NEGATED: Final = np.float32(-0.74)  # VADER's, measured by raters
_REACH: Final = 3  # words between a negation and what it still turns; glyphs count as words
_MOST_WORDS: Final = 3

FEELING: Final = 0
NEGATION: Final = 1
INTENSIFIER: Final = 2
_NO_ROLE: Final = -1


@dataclass(frozen=True, eq=False)
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


class _Hits(NamedTuple):
    """Known words found, in order of text and place."""

    docs: NDArray[Any]
    first: NDArray[Any]  # number of its first word in the chunk
    last: NDArray[Any]  # and of its last
    roles: NDArray[Any]
    values: NDArray[Any]

    def of(self, role: int) -> _Hits:
        return _Hits(*(some[self.roles == role] for some in self))


class _Places(NamedTuple):
    """Words found that some lexicon knows, in order of text and place; see `_Hits`."""

    docs: NDArray[Any]
    first: NDArray[Any]
    last: NDArray[Any]
    words: NDArray[Any]  # the place of each among the words of all lexicons


class Lexicons:
    """Several lexicons, for whose words a text is searched once.

    Args:
        lexicons: the lexicons.
    """

    def __init__(self, lexicons: Sequence[Lexicon]) -> None:
        hashes = np.unique(np.concatenate([lexicon.hashes for lexicon in lexicons]))
        self._table = HashTable(hashes)
        # The last row is that of no lexicon.
        self._roles = np.full((len(lexicons) + 1, len(hashes)), _NO_ROLE, dtype=np.int8)
        self._values = np.zeros(self._roles.shape, dtype=np.int8)
        for number, lexicon in enumerate(lexicons):
            places = np.searchsorted(hashes, lexicon.hashes)
            self._roles[number, places] = lexicon.roles
            self._values[number, places] = lexicon.values

    def feelings(self, features: Features, chosen: Sequence[NDArray[np.int64]]) -> Floats:
        """Texts × `FEELINGS`, as often as lexicons are chosen, side by side.

        Args:
            features: what is in the texts.
            chosen: the number of a lexicon for each text; -1 for none, by which nothing is felt.
        """
        places = self._places(features)
        words = np.bincount(features.docs[features.words.starts], minlength=features.count)
        size = np.sqrt(words + 1).astype(np.float32)
        return np.hstack([_sums(_felt(self._hits(places, one)), size) for one in chosen])

    def _places(self, features: Features) -> _Places:
        parts = [self._of_kind(features, kind) for kind in features.kinds]
        found = _Places(*(np.concatenate(some) for some in zip(*parts, strict=True)))
        order = np.argsort(found.first, kind="stable")
        return _Places(*(some[order] for some in found))

    def _of_kind(self, features: Features, kind: Found) -> _Places:
        hits, places = self._table.find(kind.hashes)
        starts, ends = kind.starts[hits], kind.ends[hits]
        words = features.words.starts
        return _Places(
            features.docs[starts],
            np.searchsorted(words, starts),
            np.searchsorted(words, ends) - 1,
            places,
        )

    def _hits(self, places: _Places, lexicons: NDArray[np.int64]) -> _Hits:
        """What the lexicon chosen for each text knows."""
        docs, first, last, words = places
        own = lexicons[docs]
        roles = self._roles[own, words]
        known = np.flatnonzero(roles != _NO_ROLE)
        values = self._values[own[known], words[known]].astype(np.float32) / np.float32(10)
        return _Hits(docs[known], first[known], last[known], roles[known], values)


def _felt(hits: _Hits) -> _Hits:
    """The feelings, turned and strengthened by what precedes them."""
    feelings = hits.of(FEELING)
    values = feelings.values * _strength(feelings, hits.of(INTENSIFIER))
    values[_turned(feelings, hits.of(NEGATION))] *= _NEGATED
    return feelings._replace(values=values)


def _sums(felt: _Hits, size: Floats) -> Floats:
    """Texts × `FEELINGS`.

    Args:
        felt: the feelings.
        size: the root of how many words a text has, and one.
    """
    count = len(size)
    sums = np.zeros((count, len(FEELINGS)), dtype=np.float32)
    if not len(felt.docs):
        return sums
    up, down = np.maximum(felt.values, 0), np.maximum(-felt.values, 0)
    positive, negative, ups, downs = (
        np.bincount(felt.docs, weights=some, minlength=count)
        for some in (up, down, up > 0, down > 0)
    )
    owners, firsts = np.unique(felt.docs, return_index=True)
    lasts = np.append(firsts[1:], len(felt.docs)) - 1
    sums[:, 0] = positive / size
    sums[:, 1] = negative / size
    sums[:, 2] = (positive - negative) / size
    sums[owners, 3] = np.maximum(np.maximum.reduceat(felt.values, firsts), 0)
    sums[owners, 4] = np.minimum(np.minimum.reduceat(felt.values, firsts), 0)
    sums[owners, 5] = felt.values[lasts]
    sums[:, 6] = np.minimum(ups, _MOST_WORDS)
    sums[:, 7] = np.minimum(downs, _MOST_WORDS)
    sums[:, 8] = np.tanh((positive - negative) / 4)
    return sums


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

"""One pass over texts for every model: their words, pairs of words and pieces of words, hashed.

A chunk of texts is one array of code points, and every step a NumPy operation on all of it, so
that the pass costs about as much per character as reading it. Words are hashed by a polynomial
over their code points; features are those hashes put into `BUCKETS` (the hashing trick,
Weinberger et al. 2009), so models need no vocabulary and hold no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.characters import (
    DIGIT,
    IGNORED,
    LETTER,
    SPACE,
    Codes,
    Kinds,
    code_points,
    kinds_of,
)
from conversation_analytics.categorization.text import normalized

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

FEATURES_VERSION: Final = "2"
"""Changes whenever the same text may give other features: models fit one version."""

BUCKET_BITS: Final = 20
BUCKETS: Final = 1 << BUCKET_BITS

_GRAMS = (2, 3, 4, 5)
_SORTED_TEXTS: Final = 1 << (31 - BUCKET_BITS)  # at once
_LONGEST_WORD = 64  # a longer run of letters is no word, and is cut here
_APOSTROPHE = ord("'")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIXER = np.uint64(0xD6E8FEB86659FD93)
_SPREADER = np.uint64(0x9FB21C651E98DF25)
_HALF = np.uint64(32)


class Found(NamedTuple):
    """Features of one kind, in the order of the texts.

    Attributes:
        hashes: of each.
        starts: place of its first code point in the chunk.
        ends: place behind its last.
    """

    hashes: Hashes
    starts: Places
    ends: Places

    def between(self, start: int, stop: int) -> Found:
        """Those whose code points lie in a range, as seen from its start."""
        low, high = np.searchsorted(self.starts, (start, stop)).tolist()
        return Found(
            self.hashes[low:high], self.starts[low:high] - start, self.ends[low:high] - start
        )

    def only(self, chosen: NDArray[np.bool_]) -> Found:
        """Some of them, at the same places."""
        return Found(self.hashes[chosen], self.starts[chosen], self.ends[chosen])


class Entries(NamedTuple):
    """Texts and what they have.

    Attributes:
        docs: int32, the text, ascending.
        buckets: int32, the bucket of a feature it has.
    """

    docs: NDArray[np.int32]
    buckets: NDArray[np.int32]

    def parted(self, groups: NDArray[np.int64], count: int) -> list[Entries]:
        """What groups of texts have, in which texts have numbers of their own.

        Args:
            groups: the number of each text's group.
            count: groups.
        """
        order = np.argsort(groups, kind="stable")
        firsts = offsets(self.docs, len(groups) + 1)
        sizes = np.diff(firsts)[order]
        ends = np.cumsum(sizes)
        texts = np.bincount(groups, minlength=count)
        before = np.cumsum(texts) - texts
        own = (np.arange(len(groups)) - np.repeat(before, texts)).astype(np.int32)
        docs = np.repeat(own, sizes)
        buckets = self.buckets[
            np.arange(len(docs)) + np.repeat(firsts[order] - ends + sizes, sizes)
        ]
        bounds = np.append(0, ends)[np.append(before, len(groups))].tolist()
        return [Entries(docs[low:high], buckets[low:high]) for low, high in pairwise(bounds)]


_NO_ENTRIES: Final = Entries(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32))


@dataclass(frozen=True)
class Features:
    """What is in a chunk of texts.

    Attributes:
        count: texts.
        codes: code points of all texts, each between single spaces.
        docs: the text each of them belongs to.
        words: single words, glyphs and symbols.
        pairs: words with the next one.
        grams: pieces of words, by length.
        entries: text and bucket of every feature, each once a text, in ascending order.
    """

    count: int
    codes: Codes
    docs: NDArray[np.int32]
    words: Found
    pairs: Found
    grams: tuple[Found, ...]
    entries: Entries

    @property
    def kinds(self) -> tuple[Found, ...]:
        """Every kind of feature."""
        return (self.words, self.pairs, *self.grams)

    def between(self, first: int, end: int) -> Features:
        """The features of some texts that follow each other."""
        start, stop = np.searchsorted(self.docs, (first, end)).tolist()
        low, high = np.searchsorted(self.entries.docs, (first, end)).tolist()
        words, pairs, *grams = (kind.between(start, stop) for kind in self.kinds)
        return Features(
            end - first,
            self.codes[start:stop],
            self.docs[start:stop] - np.int32(first),
            words,
            pairs,
            tuple(grams),
            Entries(self.entries.docs[low:high] - np.int32(first), self.entries.buckets[low:high]),
        )

    def only(self, chosen: NDArray[np.bool_]) -> Features:
        """The features of some texts, which get numbers of their own."""
        numbers = (np.cumsum(chosen) - 1).astype(np.int32)
        words, pairs, *grams = (kind.only(chosen[self.docs[kind.starts]]) for kind in self.kinds)
        there = chosen[self.entries.docs]
        entries = Entries(numbers[self.entries.docs[there]], self.entries.buckets[there])
        count = int(np.count_nonzero(chosen))
        return Features(count, self.codes, numbers[self.docs], words, pairs, tuple(grams), entries)

    def joined(self, owners: NDArray[np.int64], count: int) -> Features:
        """The features of texts put together, without pairs of words of two texts.

        Args:
            owners: the number of the whole that each text is part of, ascending.
            count: wholes.
        """
        numbers = owners.astype(np.int32)
        docs = numbers[self.docs]
        own = Entries(numbers[self.entries.docs], self.entries.buckets)
        return replace(self, count=count, docs=docs, entries=_distinct([own], count))

    @cached_property
    def empty(self) -> NDArray[np.bool_]:
        """Which texts have no word, glyph or symbol."""
        words = np.bincount(self.docs[self.words.starts], minlength=self.count)
        empty: NDArray[np.bool_] = words == 0
        return empty

    def written(self, start: int, end: int) -> str:
        """The text of a feature."""
        return self.codes[start:end].tobytes().decode("utf-32-le", "surrogatepass")


def offsets(owners: NDArray[np.int32], count: int) -> Places:
    """Where each text's part of something begins, and behind the last where it ends."""
    return np.searchsorted(owners, np.arange(count + 1))


def buckets(hashes: Hashes) -> Hashes:
    """The bucket of each hash: its highest bits, which are the best mixed."""
    return hashes >> np.uint64(64 - BUCKET_BITS)


def extract(texts: Sequence[str]) -> Features:
    """The features of texts, of which a chunk should have a few million characters at most."""
    prepared = [normalized(text).replace("’", "'") for text in texts]
    lengths = np.fromiter(map(len, prepared), dtype=np.int64, count=len(prepared))
    codes = code_points(f" {'  '.join(prepared)} " if prepared else "")
    docs = np.repeat(np.arange(len(prepared), dtype=np.int32), lengths + 2)
    codes, kinds, docs = _tidied(codes, docs)
    values = (codes.astype(np.uint64) + np.uint64(1)) * _SPREADER
    values ^= values >> _HALF
    words, unmixed = _words(values, kinds)
    pairs = _pairs(unmixed, words, docs)
    grams = tuple(_grams(values, kinds))
    found = [
        Entries(docs[kind.starts], buckets(kind.hashes).astype(np.int32))
        for kind in (words, pairs, *grams)
    ]
    entries = _distinct(found, len(prepared))
    return Features(len(prepared), codes, docs, words, pairs, grams, entries)


def _tidied(codes: Codes, docs: NDArray[np.int32]) -> tuple[Codes, Kinds, NDArray[np.int32]]:
    """Without what does not show, spaces that follow spaces, and characters said thrice."""
    kinds = kinds_of(codes)
    shows = kinds != IGNORED
    if not shows.all():
        codes, kinds, docs = codes[shows], kinds[shows], docs[shows]
    keep = np.ones(len(codes), dtype=bool)
    space = kinds == SPACE
    keep[1:] = ~(space[1:] & space[:-1] & (docs[1:] == docs[:-1]))
    thrice = (codes[2:] == codes[1:-1]) & (codes[2:] == codes[:-2]) & (kinds[2:] != DIGIT)
    keep[2:] &= ~(thrice & ~space[2:])
    codes, kinds, docs = codes[keep], kinds[keep], docs[keep]
    codes[kinds == SPACE] = ord(" ")
    inner = np.flatnonzero(codes[1:-1] == _APOSTROPHE) + 1
    inner = inner[(kinds[inner - 1] == LETTER) & (kinds[inner + 1] == LETTER)]
    kinds[inner] = LETTER
    return codes, kinds, docs


def _words(values: Hashes, kinds: Kinds) -> tuple[Found, Hashes]:
    """Runs of letters and digits; other characters alone. And their hashes before mixing."""
    wordy = (kinds == LETTER) | (kinds == DIGIT)
    places = np.flatnonzero(kinds != SPACE)
    begins = np.ones(len(places), dtype=bool)
    begins[1:] = ~(wordy[places[1:]] & wordy[places[1:] - 1])
    if not len(places):
        nothing = np.zeros(0, dtype=np.int64)
        return Found(nothing.astype(np.uint64), nothing, nothing), nothing.astype(np.uint64)
    firsts = np.flatnonzero(begins)
    counts = np.diff(firsts, append=len(places))
    starts = places[firsts]
    inside = np.minimum(places - np.repeat(starts, counts), _LONGEST_WORD - 1)
    hashes = np.add.reduceat(values[places] * _POWERS[inside], firsts)
    return Found(_mixed(hashes, 1), starts, starts + counts), hashes


def _pairs(hashes: Hashes, words: Found, docs: NDArray[np.int32]) -> Found:
    owners = docs[words.starts]
    together = np.flatnonzero(owners[1:] == owners[:-1])
    pairs = hashes[together] * _MULTIPLIER + hashes[together + 1]
    return Found(_mixed(pairs, 2), words.starts[together], words.ends[together + 1])


def _grams(values: Hashes, kinds: Kinds) -> Iterator[Found]:
    """Pieces of each length, with a space only at their ends; single glyphs are words already."""
    space = kinds == SPACE
    before = np.cumsum(space, dtype=np.int32)  # spaces up to and with each place
    rolling = values
    for size in range(2, _GRAMS[-1] + 1):
        rolling = rolling[:-1] * _MULTIPLIER + values[size - 1 :]
        if len(rolling) == 0 or size > len(values):
            starts = np.zeros(0, dtype=np.int64)
        elif size == 2:
            starts = np.flatnonzero(~(space[:-1] & space[1:]))
        else:
            last = len(values) - size
            starts = np.flatnonzero(before[size - 2 : last + size - 1] == before[: last + 1])
        if size in _GRAMS:
            yield Found(_mixed(rolling[starts], size + 1), starts, starts + size)


def _distinct(found: Sequence[Entries], count: int) -> Entries:
    """Each entry once, in order; those found of so many texts, in order of their texts.

    Text and bucket are one number of 32 bits where texts are looked at a few at a time, and such
    numbers are sorted twice as fast as longer ones.
    """
    firsts = np.arange(0, count, _SORTED_TEXTS, dtype=np.int32)
    bounds = [np.searchsorted(one.docs, np.append(firsts, count)).tolist() for one in found]
    parts = []
    for place, first in enumerate(firsts):
        some = [
            Entries(one.docs[at[place] : at[place + 1]], one.buckets[at[place] : at[place + 1]])
            for one, at in zip(found, bounds, strict=True)
        ]
        parts.append(_distinct_few(some, first))
    return Entries(*map(np.concatenate, zip(_NO_ENTRIES, *parts, strict=True)))


def _distinct_few(found: Sequence[Entries], first: np.int32) -> Entries:
    keys = np.concatenate([((one.docs - first) << BUCKET_BITS) | one.buckets for one in found])
    keys.sort()
    new = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    keys = keys[new]
    return Entries((keys >> BUCKET_BITS) + first, keys & np.int32(BUCKETS - 1))


def _mixed(hashes: Hashes, kind: int) -> Hashes:
    """Hashes whose bits all depend on all bits, other ones for each kind of feature."""
    mixed = (hashes ^ np.uint64(kind * int(_MIXER) % 2**64)) * _MIXER
    mixed ^= mixed >> _HALF
    mixed *= _MIXER
    return mixed ^ (mixed >> _HALF)


def _powers() -> Hashes:
    powers = np.ones(_LONGEST_WORD, dtype=np.uint64)
    np.multiply.accumulate(np.full(_LONGEST_WORD - 1, _MULTIPLIER, dtype=np.uint64), out=powers[1:])
    return powers


_POWERS: Final = _powers()

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
from typing import Final, NamedTuple, TypeVar

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


class Entries(NamedTuple):
    """Texts and what they have.

    Attributes:
        docs: int32, the text.
        buckets: int32, the bucket of a feature it has.
    """

    docs: NDArray[np.int32]
    buckets: NDArray[np.int32]


_Columns = TypeVar("_Columns", Found, Entries)


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

    def split(self, groups: NDArray[np.uint16], count: int) -> list[Features]:
        """The features of groups of texts, in which texts have numbers of their own.

        Args:
            groups: the number of each text's group.
            count: groups.
        """
        if count == 1:
            return [self]
        sizes = np.bincount(groups, minlength=count)
        order = np.argsort(groups, kind="stable")
        numbers = np.empty(len(groups), dtype=np.int32)
        numbers[order] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        docs = numbers[self.docs]
        kinds = [_parted(kind, groups[self.docs[kind.starts]], count) for kind in self.kinds]
        found = Entries(numbers[self.entries.docs], self.entries.buckets)
        entries = _parted(found, groups[self.entries.docs], count)
        return [
            Features(int(size), self.codes, docs, words, pairs, tuple(grams), own)
            for size, own, (words, pairs, *grams) in zip(
                sizes, entries, zip(*kinds, strict=True), strict=True
            )
        ]

    def joined(self, owners: NDArray[np.int64], count: int) -> Features:
        """The features of texts put together, without pairs of words of two texts.

        Args:
            owners: the number of the whole that each text is part of, ascending.
            count: wholes.
        """
        numbers = owners.astype(np.int32)
        docs = numbers[self.docs]
        keys = _keys(numbers[self.entries.docs], self.entries.buckets.astype(np.uint64))
        return replace(self, count=count, docs=docs, entries=_distinct(keys))

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
    entries = _entries((words, pairs, *grams), docs)
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


def _entries(kinds: Sequence[Found], docs: NDArray[np.int32]) -> Entries:
    keys = [_keys(docs[kind.starts], buckets(kind.hashes)) for kind in kinds]
    return _distinct(np.concatenate(keys))


def _parted(columns: _Columns, groups: NDArray[np.uint16], count: int) -> list[_Columns]:
    """The rows of each group, in their order."""
    order = np.argsort(groups, kind="stable")
    bounds = np.cumsum(np.bincount(groups, minlength=count))[:-1]
    parts = zip(*(np.split(column[order], bounds)[:count] for column in columns), strict=True)
    return [type(columns)(*part) for part in parts]


def _keys(docs: NDArray[np.int32], found: Hashes) -> Hashes:
    return (docs.astype(np.uint64) << np.uint64(BUCKET_BITS)) | found


def _distinct(keys: Hashes) -> Entries:
    """Each once, in order; sorts the keys."""
    keys.sort()
    first = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    keys = keys[first]
    found = (keys >> np.uint64(BUCKET_BITS), keys & np.uint64(BUCKETS - 1))
    return Entries(*(half.astype(np.int32) for half in found))


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

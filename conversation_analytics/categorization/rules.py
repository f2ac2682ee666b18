"""What a taxonomy's keywords and patterns say of texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.features import Features, Hashes, extract, offsets
from conversation_analytics.categorization.lookup import HashTable
from conversation_analytics.categorization.taxonomy import Section

Counts = NDArray[np.float32]

_PATTERN_WORDS: Final = 2.0  # what a pattern counts for, in words


class _Phrase(NamedTuple):
    """A keyword as the hashes of its words, glyphs and symbols."""

    label: int
    text: str
    words: Hashes
    key: np.uint64  # of its first two words together, or of its only one


class _Found(NamedTuple):
    """Phrases in texts."""

    docs: NDArray[np.int32]
    phrases: NDArray[np.int64]


@dataclass(frozen=True)
class Rules:
    """Keywords and patterns of a section's labels.

    A keyword is found where its words follow each other, whatever their case and what is around
    them; in scripts without spaces, wherever its characters do. A pattern is a regular
    expression over the text as it is, whatever its case.

    Attributes:
        section: the labels.
    """

    section: Section

    @cached_property
    def _phrases(self) -> list[_Phrase]:
        texts = [(n, one) for n, label in enumerate(self.section.labels) for one in label.keywords]
        return list(_phrases(texts))

    @cached_property
    def _keys(self) -> tuple[Hashes, NDArray[np.int64], NDArray[np.int64]]:
        """The distinct keys; the phrases in order of their keys; where each key's phrases start."""
        keys = np.array([phrase.key for phrase in self._phrases], dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        distinct, starts = np.unique(keys[order], return_index=True)
        return distinct, order, np.append(starts, len(keys))

    @cached_property
    def _written(self) -> tuple[NDArray[np.int64], Hashes]:
        """How many words each phrase has, and phrases × words."""
        lengths = np.array([len(phrase.words) for phrase in self._phrases], dtype=np.int64)
        written = np.zeros((len(lengths), int(lengths.max(initial=0))), dtype=np.uint64)
        for row, phrase in zip(written, self._phrases, strict=True):
            row[: len(phrase.words)] = phrase.words
        return lengths, written

    @cached_property
    def _table(self) -> HashTable:
        return HashTable(self._keys[0])

    @cached_property
    def _patterns(self) -> list[tuple[int, re.Pattern[str]]]:
        return [
            (number, re.compile(pattern, re.IGNORECASE))
            for number, label in enumerate(self.section.labels)
            for pattern in label.patterns
        ]

    def matched(self, texts: Sequence[str], features: Features) -> Counts:
        """Texts × labels: how many words of the label's keywords and patterns a text has.

        Each keyword counts once a text, so that a long one outweighs a short one.
        """
        counts = np.zeros((features.count, len(self.section.labels)), dtype=np.float32)
        found = self._find(features)
        count = max(len(self._phrases), 1)
        docs, phrases = np.divmod(np.unique(found.docs * np.int64(count) + found.phrases), count)
        labels = np.array([phrase.label for phrase in self._phrases], dtype=np.int64)
        np.add.at(counts, (docs, labels[phrases]), self._written[0][phrases].astype(np.float32))
        for label, pattern in self._patterns:
            for doc, text in enumerate(texts):
                if pattern.search(text):
                    counts[doc, label] += _PATTERN_WORDS
        return counts

    def explain(self, text: str) -> dict[str, list[str]]:
        """The keywords and patterns a text has, by label."""
        why: dict[str, list[str]] = {}
        names = self.section.names
        for number in np.unique(self._find(extract([text])).phrases).tolist():
            phrase = self._phrases[number]
            why.setdefault(names[phrase.label], []).append(phrase.text)
        for label, pattern in self._patterns:
            if pattern.search(text):
                why.setdefault(names[label], []).append(pattern.pattern)
        return why

    def _find(self, features: Features) -> _Found:
        if not self._phrases:
            return _Found(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64))
        words = features.words
        parts = []
        for kind in (words, features.pairs):
            hits, keys = self._table.find(kind.hashes)
            first = np.searchsorted(words.starts, kind.starts[hits])
            parts.append(self._candidates(first, keys))
        firsts, phrases = (np.concatenate(some) for some in zip(*parts, strict=True))
        whole = self._whole(features, firsts, phrases)
        return _Found(features.docs[words.starts[firsts[whole]]], phrases[whole])

    def _candidates(
        self, firsts: NDArray[np.int64], keys: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of the first word, and phrase, for each phrase that begins as something does."""
        _, order, starts = self._keys
        counts = starts[keys + 1] - starts[keys]
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(firsts, counts), order[np.repeat(starts[keys], counts) + inside]

    def _whole(
        self, features: Features, firsts: NDArray[np.int64], phrases: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Which candidates go on as their phrase does, in the same text."""
        words, owners = features.words.hashes, features.docs[features.words.starts]
        lengths, written = self._written
        whole = np.arange(len(firsts))
        for place in range(int(lengths.max(initial=0))):
            first, phrase = firsts[whole], phrases[whole]
            word = np.minimum(first + place, len(words) - 1)
            there = (words[word] == written[phrase, place]) & (owners[word] == owners[first])
            whole = whole[there & (first + place < len(words)) | (lengths[phrase] <= place)]
        return whole


def _phrases(texts: Sequence[tuple[int, str]]) -> Iterator[_Phrase]:
    features = extract([text for _, text in texts])
    words = features.words
    owners = features.docs[words.starts]
    starts = offsets(owners, len(texts))
    pair_starts = offsets(features.docs[features.pairs.starts], len(texts))
    for number, (label, text) in enumerate(texts):
        own = words.hashes[starts[number] : starts[number + 1]]
        if len(own):
            key = own[0] if len(own) == 1 else features.pairs.hashes[pair_starts[number]]
            yield _Phrase(label, text, own, key)

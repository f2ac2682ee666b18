"""fastText's language models (Joulin et al. 2016), asked about many texts in one go.

Reads the file of a quantised model and says what fastText itself says, which looks at one text at
a time and takes several times as long: the pieces of all words are hashed together, by the bytes
of their characters, and their vectors are added up by one product of matrices. See `fasttext`'s
`dictionary.cc`, `productquantizer.cc` and `loss.cc` for what is done here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.errors import ModelUnusable

Floats = NDArray[np.float32]
Places = NDArray[np.int64]
Allowed = NDArray[np.bool_]

_MAGIC: Final = (793712314, 12)  # and the version of the format
_HIERARCHICAL_SOFTMAX: Final = 1
_CENTROIDS: Final = 256
_LABEL: Final = "__label__"
_END: Final = "</s>"  # stands at the end of every text
_OFFSET, _PRIME = np.uint32(2166136261), np.uint32(16777619)  # FNV-1a
_UNLIKELY: Final = np.float32(1e-5)
_CERTAIN: Final = np.float32(80)  # an outcome whose exponential is still a number
_LONGEST_CHARACTER: Final = 4  # bytes


class _Pieces(NamedTuple):
    """Something that words of texts are made of.

    Attributes:
        owners: the text of each, ascending.
        rows: the row of its vector.
    """

    owners: NDArray[np.int32]
    rows: NDArray[np.int32]


@dataclass(frozen=True)
class FastTextModel:
    """A model of labels.

    Attributes:
        labels: the labels, without their prefix.
        words: row of the vector of each word.
        rows: int32, row of the vector of a piece of a word, by its hash; -1 for none.
        sizes: characters of the shortest pieces and of the longest.
        vectors: float32, words and pieces × dimensions.
        nodes: float32, inner nodes of the tree of labels × dimensions.
        levels: for each level of the tree, from the top: inner nodes, and the places of what is
            left and right below them; labels have the places before all inner nodes.
    """

    labels: tuple[str, ...]
    words: Mapping[str, int]
    rows: NDArray[np.int32]
    sizes: tuple[int, int]
    vectors: Floats
    nodes: Floats
    levels: tuple[tuple[Places, Places, Places], ...]

    def likeliest(
        self, texts: Sequence[str], allowed: Allowed | None = None
    ) -> tuple[Places, Floats]:
        """The number of the likeliest label of each text, and how likely it is.

        Args:
            texts: the texts.
            allowed: texts × labels, which labels a text can have; all if not given.
        """
        from scipy.sparse import csr_matrix

        # Not BLAS, whose rounding depends on how many texts there are.
        outcomes = csr_matrix(self.nodes) @ self._meanings(texts).T
        right = 1 / (1 + np.exp(np.minimum(-outcomes, _CERTAIN)))
        likely = np.ones((len(self.labels) + len(self.nodes), len(texts)), dtype=np.float32)
        # fastText adds up logarithms, each of a little more than the probability.
        turns = 1 - right + _UNLIKELY, right + _UNLIKELY
        for nodes, *below in self.levels:
            for some, more in zip(below, turns, strict=True):
                likely[some] = likely[nodes] * more[nodes - len(self.labels)]
        likely = likely[: len(self.labels)]
        if allowed is not None:
            likely *= allowed.T
        best = likely.argmax(axis=0)
        return best, likely[best, np.arange(len(texts))]

    def _meanings(self, texts: Sequence[str]) -> Floats:
        """Texts × dimensions: the mean of the vectors of all that a text is made of."""
        from scipy.sparse import csr_matrix

        sums = np.zeros((len(texts), self.vectors.shape[1]), dtype=np.float32)
        counts = np.zeros(len(texts), dtype=np.int64)
        for owners, rows in self._pieces(texts):
            bounds = np.searchsorted(owners, np.arange(len(texts) + 1))
            there = csr_matrix(
                (np.ones(len(rows), dtype=np.float32), rows, bounds),
                shape=(len(texts), len(self.vectors)),
            )
            sums += there @ self.vectors
            counts += np.diff(bounds)
        means: Floats = sums / np.maximum(counts, 1).astype(np.float32)[:, None]
        return means

    def _pieces(self, texts: Sequence[str]) -> Iterator[_Pieces]:
        split = [text.replace("\0", " ").split() for text in texts]
        yield self._known([[*words, _END] for words in split])
        apart = "".join(f" {'  '.join(words)} " for words in split if words)
        characters = _characters(apart.encode("utf-8", "replace"))
        lengths = np.fromiter(map(len, split), dtype=np.int32, count=len(split))
        owners = np.repeat(np.arange(len(split), dtype=np.int32), lengths)[characters.words]
        buckets = np.uint32(len(self.rows))
        for size, hashes in characters.hashes(*self.sizes):
            whole = characters.words[: len(hashes)] == characters.words[size - 1 :]
            own, chosen = owners[: len(whole)][whole], hashes[whole]
            rows = self.rows[chosen - chosen // buckets * buckets]  # faster than a remainder
            there = rows >= 0
            yield _Pieces(own[there], rows[there])

    def _known(self, split: Sequence[Sequence[str]]) -> _Pieces:
        """The words that have vectors of their own."""
        lengths = np.fromiter(map(len, split), dtype=np.int64, count=len(split))
        found = [self.words.get(word, -1) for words in split for word in words]
        rows = np.array(found, dtype=np.int32)
        owners = np.repeat(np.arange(len(split), dtype=np.int32), lengths)
        return _Pieces(owners[rows >= 0], rows[rows >= 0])


class _Characters(NamedTuple):
    """Characters of words, each word between `<` and `>`.

    Attributes:
        words: the word of each.
        bytes: uint32, the first byte of each, with its sign as fastText has it.
        further: characters of two, of three and of four bytes or more, with their last such byte.
    """

    words: NDArray[np.int32]
    bytes: NDArray[np.uint32]
    further: tuple[tuple[Places, NDArray[np.uint32]], ...]

    def hashes(self, shortest: int, longest: int) -> Iterator[tuple[int, NDArray[np.uint32]]]:
        """Sizes, and the hashes (FNV-1a) of as many characters from each on."""
        hashes = np.full(len(self.bytes) + 1, _OFFSET)
        for size in range(1, min(longest, len(self.bytes)) + 1):
            hashes = (hashes[:-1] ^ self.bytes[size - 1 :]) * _PRIME
            for places, more in self.further:
                first = np.searchsorted(places, size - 1)
                begins = places[first:] - (size - 1)
                hashes[begins] = (hashes[begins] ^ more[first:]) * _PRIME
            if size >= shortest:
                yield size, hashes


def _characters(encoded: bytes) -> _Characters:
    """The characters of words in UTF-8, each word between spaces of its own."""
    data = np.frombuffer(encoded, dtype=np.uint8).copy()
    spaces = np.flatnonzero(data == ord(" "))
    data[spaces[0::2]], data[spaces[1::2]] = ord("<"), ord(">")
    begins = np.zeros(len(data), dtype=np.int32)
    begins[spaces[0::2]] = 1
    firsts = np.flatnonzero((data & 0xC0) != 0x80)
    signed = data.view(np.int8).astype(np.int32).view(np.uint32)
    lengths = np.diff(firsts, append=len(data))
    longer = [(place, np.flatnonzero(lengths > place)) for place in range(1, _LONGEST_CHARACTER)]
    return _Characters(
        (np.cumsum(begins, dtype=np.int32) - 1)[firsts],
        signed[firsts],
        tuple((some, signed[firsts[some] + place]) for place, some in longer if len(some)),
    )


class _File:
    """The bytes of a file, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def numbers(self, form: str) -> tuple[Any, ...]:
        """Numbers by their `struct` form."""
        found = struct.unpack_from(f"<{form}", self._data, self._place)
        self._place += struct.calcsize(f"<{form}")
        return found

    def array(self, form: str, *shape: int) -> NDArray[Any]:
        """An array by the form of its numbers."""
        found = np.frombuffer(self._data, f"<{form}", int(np.prod(shape)), self._place)
        self._place += found.nbytes
        return found.reshape(shape)

    def word(self) -> str:
        """A word that ends with a null byte."""
        end = self._data.index(b"\0", self._place)
        found = self._data[self._place : end]
        self._place = end + 1
        return found.decode("utf-8", "replace")


def read(file: Path) -> FastTextModel:
    """Read a model.

    Raises:
        ModelUnusable: the file is no quantised fastText model with hierarchical softmax.
    """
    data = _File(file.read_bytes())
    try:
        return _read(data)
    except (struct.error, ValueError) as error:
        raise ModelUnusable(f"{file} is no fastText model that can be read: {error}") from error


def _read(data: _File) -> FastTextModel:
    if (found := data.numbers("ii")) != _MAGIC:
        raise ValueError(f"it begins with {found}, not with {_MAGIC}")
    dimensions, *_, word_pairs, loss, _, pieces, shortest, longest, _, _ = data.numbers("12id")
    if loss != _HIERARCHICAL_SOFTMAX or word_pairs != 1:
        raise ValueError("its labels are in no tree, or it looks at pairs of words")
    _, word_count, label_count, _, kept = data.numbers("iiiqq")
    words = [(data.word(), *data.numbers("qb")) for _ in range(word_count + label_count)]
    rows = np.full(pieces, -1, dtype=np.int32)
    hashes, places = data.array("i4", kept, 2).T
    rows[hashes] = places + word_count
    if data.numbers("?") != (True,):
        raise ValueError("it is not quantised")
    vectors = _vectors(data)
    data.numbers("?qq")
    return FastTextModel(
        labels=tuple(word.removeprefix(_LABEL) for word, _, _ in words[word_count:]),
        words={word: row for row, (word, _, _) in enumerate(words[:word_count])},
        rows=rows,
        sizes=(shortest, longest),
        vectors=vectors,
        nodes=data.array("f4", label_count, dimensions)[: label_count - 1],
        levels=tuple(_levels([count for _, count, _ in words[word_count:]])),
    )


def _vectors(data: _File) -> Floats:
    """The vectors, each kept as a length and as the numbers of the centroids of its parts."""
    has_lengths, count, _, size = data.numbers("?qqi")
    codes = data.array("u1", count, size // count)
    vectors = _centroids(data, codes)
    if has_lengths:
        vectors *= _centroids(data, data.array("u1", count, 1))
    return vectors


def _centroids(data: _File, codes: NDArray[np.uint8]) -> Floats:
    """Rows of as many parts as there are codes in a row."""
    dimensions, parts, width, last = data.numbers("4i")
    if width != last:
        raise ValueError("its vectors have parts of different lengths")
    centroids = data.array("f4", parts, _CENTROIDS, width)
    return centroids[np.arange(parts), codes].reshape(len(codes), dimensions)


def _levels(counts: Sequence[int]) -> Iterator[tuple[Places, Places, Places]]:
    """The Huffman tree of labels by how frequent they are, the most frequent first."""
    size = len(counts)
    total = [*counts, *[10**15] * (size - 1)]
    leaf, node, below = size - 1, size, []
    for parent in range(size, 2 * size - 1):
        pair = []
        for _ in range(2):
            if leaf >= 0 and total[leaf] < total[node]:
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(node)
                node += 1
        total[parent] = total[pair[0]] + total[pair[1]]
        below.append(pair)
    level = [2 * size - 2]
    while level:
        left, right = zip(*(below[parent - size] for parent in level), strict=True)
        yield np.array(level), np.array(left), np.array(right)
        level = [one for one in (*left, *right) if one >= size]

"""What in a text speaks for a label, in words that people can read."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.characters import GLYPH, kinds_of
from conversation_analytics.categorization.features import BUCKETS, Features, buckets
from conversation_analytics.categorization.linear import Floats, Vocabulary

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class Evidence(NamedTuple):
    """Something that speaks for a label, or against it.

    Attributes:
        text: a word or a pair of words, a stretch of text without spaces, or what else a
            model goes by.
        weight: what it adds to the label's score.
    """

    text: str
    weight: float


class Weighed(Protocol):
    """A model with a weight for each bucket and label."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The buckets known."""
        ...

    @property
    def weights(self) -> Floats | csr_matrix:
        """Buckets × labels."""
        ...


def evidence_of(
    model: Weighed, features: Features, label: int, besides: Mapping[str, float]
) -> list[Evidence]:
    """What speaks for a label in a text, the most telling first.

    Args:
        model: the model.
        features: of one text.
        label: the label's number.
        besides: what else adds to its score.
    """
    row = model.vocabulary.matrix(features)
    chosen = model.weights[row.indices][:, [label]]
    weights = chosen if isinstance(chosen, np.ndarray) else chosen.toarray()
    by_bucket = np.zeros(BUCKETS)
    by_bucket[model.vocabulary.buckets[row.indices]] = row.data * weights.ravel()
    found: defaultdict[str, float] = defaultdict(float)
    for text, weight in (*besides.items(), *_by_word(features, by_bucket)):
        found[text] += weight
    return [Evidence(*one) for one in sorted(found.items(), key=lambda one: -one[1])]


def _by_word(features: Features, weights: NDArray[np.float64]) -> Iterator[tuple[str, float]]:
    """Words and pairs of words with their weights; a piece of a word counts for the word.

    Where no spaces part words, a glyph tells nobody anything: there stretches of text are told
    whose glyphs all speak for the label, or all against it, each with what a pair adds to it.
    """
    found = np.concatenate([buckets(kind.hashes) for kind in features.kinds])
    weights = weights / np.maximum(np.bincount(found, minlength=BUCKETS), 1)
    words, pairs = features.words, features.pairs
    of_words = np.zeros(len(words.starts))
    for kind in (words, *features.grams):
        middles = (kind.starts + kind.ends) // 2
        owners = np.searchsorted(words.starts, middles, side="right") - 1
        np.add.at(of_words, owners, weights[buckets(kind.hashes)])
    of_pairs = weights[buckets(pairs.hashes)]
    firsts = np.searchsorted(words.starts, pairs.starts)
    joined = _joined(features)[firsts + 1]
    for sides in (firsts[joined], firsts[joined] + 1):
        np.add.at(of_words, sides, of_pairs[joined] / 2)
    begins = np.flatnonzero(_begins(features, of_words))
    ends = words.ends[np.append(begins[1:], len(words.ends)) - 1] if len(begins) else begins
    sums = np.add.reduceat(of_words, begins) if len(begins) else of_words
    apart = ~joined
    bearers = _bearers(features)
    borne = words.starts[np.searchsorted(bearers, bearers)]
    for starts, stops, values in (
        (words.starts[begins], ends, sums),
        (borne[firsts[apart]], pairs.ends[apart], of_pairs[apart]),
    ):
        places = zip(starts.tolist(), stops.tolist(), values.tolist(), strict=True)
        yield from ((features.written(start, end), value) for start, end, value in places)


def _joined(features: Features) -> NDArray[np.bool_]:
    """Which words are glyphs right behind a glyph."""
    words = features.words
    glyphs = kinds_of(features.codes[words.starts]) == GLYPH
    joined = np.zeros(len(glyphs), dtype=bool)
    joined[1:] = glyphs[1:] & glyphs[:-1] & (words.starts[1:] == words.ends[:-1])
    return joined


def _begins(features: Features, weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which words begin what is told: all but glyphs that go on as the glyph before."""
    joined, bearers = _joined(features), _bearers(features)
    speaks = np.bincount(bearers, weights) > 0
    same = np.zeros(len(weights), dtype=bool)
    same[1:] = speaks[bearers[1:]] == speaks[bearers[:-1]]
    return ~(joined & same)


def _bearers(features: Features) -> NDArray[np.int64]:
    """Number of the letter that each word is, or is a mark of: a vowel of Thai stays with it."""
    codes = features.codes[features.words.starts].tolist()
    marks = np.array([unicodedata.category(chr(code))[0] == "M" for code in codes], dtype=bool)
    numbers: NDArray[np.int64] = np.cumsum(~(marks & _joined(features))) - 1
    return numbers

"""What in a text speaks for a label, in words that people can read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.features import BUCKETS, Features, buckets
from conversation_analytics.categorization.linear import Floats, Vocabulary

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class Evidence(NamedTuple):
    """Something that speaks for a label, or against it.

    Attributes:
        text: a word or a pair of words, or what else a model goes by.
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
    """Words and pairs of words with their weights; a piece of a word counts for the word."""
    found = np.concatenate([buckets(kind.hashes) for kind in features.kinds])
    weights = weights / np.maximum(np.bincount(found, minlength=BUCKETS), 1)
    words = features.words
    of_words = np.zeros(len(words.starts))
    for kind in (words, *features.grams):
        middles = (kind.starts + kind.ends) // 2
        owners = np.searchsorted(words.starts, middles, side="right") - 1
        np.add.at(of_words, owners, weights[buckets(kind.hashes)])
    pairs = (features.pairs, weights[buckets(features.pairs.hashes)])
    for kind, values in ((words, of_words), pairs):
        places = zip(kind.starts.tolist(), kind.ends.tolist(), values.tolist(), strict=True)
        yield from ((features.written(start, end), value) for start, end, value in places)

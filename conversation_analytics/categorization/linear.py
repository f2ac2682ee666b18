"""Linear models over hashed features: how they are kept, and how they score texts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.features import BUCKETS, Entries, Features, offsets

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]
Dense = NDArray[np.float32]


@dataclass(frozen=True)
class Vocabulary:
    """The buckets that a model knows.

    Attributes:
        buckets: int32, ascending.
        rarity: float32, the weight of each: by how few texts have it (inverse document frequency),
            or by how few labels do.
    """

    buckets: NDArray[np.int32]
    rarity: Floats

    @cached_property
    def _places(self) -> NDArray[np.int32]:
        places = np.full(BUCKETS, -1, dtype=np.int32)
        places[self.buckets] = np.arange(len(self.buckets), dtype=np.int32)
        return places

    def matrix(self, features: Features) -> csr_matrix:
        """Texts × known buckets: the rarity of what a text has, each row of length 1."""
        return self.rows(features.entries, features.count)

    def rows(self, entries: Entries, count: int) -> csr_matrix:
        """`matrix` of so many texts of which there are only the entries."""
        from scipy.sparse import csr_matrix

        places = self._places.take(entries.buckets)
        known = np.flatnonzero(places >= 0)
        docs, places = entries.docs[known], places[known]
        values = self.rarity[places]
        squares = np.bincount(docs, weights=values * values, minlength=count)
        lengths = np.sqrt(np.where(squares == 0, 1, squares)).astype(np.float32)
        bounds = offsets(docs, count).astype(np.int32)
        values /= np.repeat(lengths, np.diff(bounds))
        return csr_matrix((values, places, bounds), shape=(count, len(self.buckets)))


@dataclass(frozen=True)
class LinearModel:
    """Scores of labels, linear in a text's features.

    Attributes:
        labels: the labels.
        vocabulary: the buckets known.
        weights: float32, buckets × labels.
        dense: float32, further numbers of a text × labels.
        bias: float32, of each label.
    """

    labels: tuple[str, ...]
    vocabulary: Vocabulary
    weights: Floats
    dense: Floats
    bias: Floats

    def scores(self, matrix: csr_matrix, dense: Dense) -> Floats:
        """Texts × labels; the highest tells the label.

        Args:
            matrix: `Vocabulary.matrix` of the texts.
            dense: float32, texts × further numbers.
        """
        scores: Floats = matrix @ self.weights + self.about(dense) + self.bias
        return scores

    def about(self, dense: Dense) -> Floats:
        """Texts × labels: what further numbers of texts add to the scores."""
        added: Floats = dense @ self.dense
        return added


def softmax(scores: NDArray[Any]) -> NDArray[Any]:
    """Rows as probabilities."""
    raised: NDArray[Any] = np.exp(scores - scores.max(axis=1, keepdims=True))
    raised /= raised.sum(axis=1, keepdims=True)
    return raised

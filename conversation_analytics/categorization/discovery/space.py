"""Where texts lie by what they say: latent semantic analysis of their hashed features.

TF-IDF over the words, pairs and pieces that all models of this room share, so that scripts without
spaces need no words of their own, then a truncated SVD (Deerwester et al. 1990), computed by random
projections (Halko et al. 2011) from a fixed seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.discovery.texts import Vectors, chunks
from conversation_analytics.categorization.features import BUCKETS, extract
from conversation_analytics.categorization.linear import Vocabulary

_DIMENSIONS: Final = 50
_LEAST: Final = 5  # texts that must have a feature for it to tell anything
_ITERATIONS: Final = 5
_SEED: Final = 0


@dataclass(frozen=True)
class Space:
    """A space of texts.

    Attributes:
        vocabulary: the features it knows.
        axes: float32, features × dimensions.
    """

    vocabulary: Vocabulary
    axes: NDArray[np.float32]

    def place(self, texts: Sequence[str]) -> Vectors:
        """A vector of length 1 for every text, of zeros where nothing is known."""
        parts = [self.vocabulary.matrix(extract(chunk)) @ self.axes for chunk in chunks(texts)]
        return unit(np.concatenate([np.zeros((0, self.axes.shape[1]), np.float32), *parts]))


def fit_space(texts: Sequence[str]) -> Space:
    """The space in which texts differ most; of no dimension if nothing tells them apart."""
    from scipy.sparse import vstack
    from sklearn.utils.extmath import randomized_svd

    vocabulary = _vocabulary(texts)
    dimensions = min(_DIMENSIONS, len(vocabulary.buckets) - 1, len(texts) - 1)
    if dimensions < 1:
        return Space(vocabulary, np.zeros((len(vocabulary.buckets), 0), dtype=np.float32))
    matrix = vstack([vocabulary.matrix(extract(chunk)) for chunk in chunks(texts)], format="csr")
    _, _, axes = randomized_svd(matrix, dimensions, n_iter=_ITERATIONS, random_state=_SEED)
    return Space(vocabulary, np.ascontiguousarray(axes.T, dtype=np.float32))


def unit(vectors: Vectors) -> Vectors:
    """Vectors of length 1; those of zeros stay so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    scaled: Vectors = vectors / lengths
    return scaled


def _vocabulary(texts: Sequence[str]) -> Vocabulary:
    having = np.zeros(BUCKETS, dtype=np.int64)
    for chunk in chunks(texts):
        having += np.bincount(extract(chunk).entries.buckets, minlength=BUCKETS)
    known = np.flatnonzero(having >= _LEAST).astype(np.int32)
    rarity = np.log((1 + len(texts)) / (1 + having[known])) + 1
    return Vocabulary(known, rarity.astype(np.float32))

"""Kernel models: scores of labels by how like a text is to each of the texts learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from conversation_analytics.categorization.linear import Dense, Floats, Vocabulary

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_MOST: Final = np.float32(6)  # how much the same vector counts; the same features count 1
_NARROWNESS: Final = np.float32(0.375)  # how fast likeness falls with the squared distance
_LEAST: Final = np.float32(0.03)  # how far least squares are off where a label is unlikely
_BLOCK: Final = 1_000  # texts compared in one go


@dataclass(frozen=True)
class KernelModel:
    """Scores of labels, linear in a text's features and in its likeness to known texts.

    What is linear is how likely each label is, as least squares have it; the scores are logarithms
    of that. Likeness finds labels whose texts are of several kinds, which no linear model of a
    text's numbers does. It costs as many comparisons as texts are known.

    Attributes:
        labels: the labels.
        vocabulary: the buckets known.
        weights: float32, buckets × labels, what each adds to how likely a label is.
        known: float32, known texts × further numbers.
        shares: float32, known texts × labels, what each adds by its likeness.
    """

    labels: tuple[str, ...]
    vocabulary: Vocabulary
    weights: Floats
    known: Dense
    shares: Floats

    def scores(self, matrix: csr_matrix, dense: Dense) -> Floats:
        """Texts × labels; the highest tells the label. See `LinearModel.scores`."""
        likely: Floats = matrix @ self.weights + self.about(dense)
        likely += np.float32(1 / len(self.labels))
        np.maximum(likely, 0, out=likely)
        scores: Floats = np.log(likely + _LEAST)
        return scores

    def about(self, dense: Dense) -> Floats:
        """Texts × labels: what further numbers of texts add to how likely each label is."""
        added = np.empty((len(dense), len(self.labels)), dtype=np.float32)
        for start in range(0, len(dense), _BLOCK):
            block = slice(start, start + _BLOCK)
            added[block] = likeness(dense[block], self.known) @ self.shares
        return added


def likeness(dense: Dense, known: Dense) -> Floats:
    """Texts × known texts: a Gaussian of how far their vectors lie apart.

    Args:
        dense: float32, texts × further numbers.
        known: the same of known texts.
    """
    like: Floats = 2 * dense @ known.T
    like -= np.square(dense).sum(axis=1)[:, None]
    like -= np.square(known).sum(axis=1)
    like *= _NARROWNESS
    np.exp(like, out=like)
    like *= _MOST
    return like

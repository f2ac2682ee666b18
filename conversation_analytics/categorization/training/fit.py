"""Fitting a linear model: multinomial logistic regression by L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.features import BUCKETS, Entries
from conversation_analytics.categorization.linear import Dense, Floats, Vocabulary, softmax

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_ITERATIONS = 60
_MEMORY = 5  # steps L-BFGS remembers: each holds all weights


@dataclass(frozen=True)
class Weights:
    """What was fitted: float32, buckets × labels, further numbers × labels, labels."""

    sparse: Floats
    dense: Floats
    bias: Floats


def vocabulary_of(buckets: NDArray[np.int32], count: int, *, least: int) -> Vocabulary:
    """The buckets that at least so many texts have, and how rare each is.

    Args:
        buckets: those of all texts, each once a text.
        count: texts.
        least: texts that must have a bucket for it to be known.
    """
    texts = np.bincount(buckets, minlength=BUCKETS)
    known = np.flatnonzero(texts >= least).astype(np.int32)
    return Vocabulary(known, _rarity(texts[known], count).astype(np.float32))


def telling_vocabulary(
    entries: Entries, labels: NDArray[np.int64], count: int, *, least: int, most: int, rare: bool
) -> Vocabulary:
    """The buckets that tell most of labels, and how unevenly labels have each.

    That is the log-count ratio of Wang and Manning (2012) for the label it tells most of; it is
    the surer the more texts have the bucket.

    Args:
        entries: texts and their buckets.
        labels: number of each text's label.
        count: labels.
        least: texts that must have a bucket for it to be known.
        most: buckets known.
        rare: whether a bucket counts by how few texts have it as well.
    """
    known = np.flatnonzero(np.bincount(entries.buckets, minlength=BUCKETS) >= least)
    owners = labels[entries.docs]
    texts = np.array(
        [np.bincount(entries.buckets[owners == n], minlength=BUCKETS)[known] for n in range(count)]
    )
    own, others = texts + 1, texts.sum(axis=0) - texts + 1
    shares = own / own.sum(axis=1, keepdims=True), others / others.sum(axis=1, keepdims=True)
    ratios = np.abs(np.log(shares[0] / shares[1])).max(axis=0)
    having = texts.sum(axis=0)
    kept = np.sort(np.argsort(-ratios * np.sqrt(having), kind="stable")[:most])
    weight = ratios * _rarity(having, len(labels)) if rare else ratios
    return Vocabulary(known[kept].astype(np.int32), weight[kept].astype(np.float32))


def _rarity(texts: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Inverse document frequency, smoothed as scikit-learn does."""
    rarity: NDArray[np.float64] = np.log((1 + count) / (1 + texts)) + 1
    return rarity


def fit(
    matrix: csr_matrix,
    dense: Dense,
    labels: NDArray[np.int64],
    count: int,
    *,
    strength: float,
    importance: Floats | None = None,
) -> Weights:
    """The weights that make the labels likeliest, held back by their squares.

    Args:
        matrix: texts × known buckets.
        dense: texts × further numbers.
        labels: number of each text's label.
        count: labels.
        strength: how much the texts count against the squares of the weights (scikit-learn's C).
        importance: how much each text counts; all the same if not given.
    """
    from scipy.optimize import minimize

    texts, columns = matrix.shape
    numbers = dense.shape[1]
    transposed = matrix.T.tocsr()
    wanted = np.zeros((texts, count), dtype=np.float32)
    wanted[np.arange(texts), labels] = 1
    weight = np.ones(texts, np.float32) if importance is None else importance
    penalty = np.float32(1 / strength)
    shape = (columns + numbers + 1, count)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(shape).astype(np.float32)
        sparse, more, bias = weights[:columns], weights[columns:-1], weights[-1]
        likely = softmax(matrix @ sparse + dense @ more + bias)
        missed = np.log(np.maximum(likely[np.arange(texts), labels], 1e-30))
        squares = float((weights[:-1] ** 2).sum())
        error = (likely - wanted) * weight[:, None]
        gradient = np.concatenate(
            [
                transposed @ error + penalty * sparse,
                dense.T @ error + penalty * more,
                error.sum(axis=0, keepdims=True),
            ]
        )
        return float(-(missed * weight).sum()) + float(
            penalty
        ) / 2 * squares, gradient.ravel().astype(np.float64)

    found = minimize(
        loss,
        np.zeros(shape[0] * shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _ITERATIONS, "maxcor": _MEMORY},
    )
    weights = found.x.reshape(shape).astype(np.float32)
    return Weights(weights[:columns], weights[columns:-1], weights[-1])

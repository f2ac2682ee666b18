"""Fitting a kernel model: ridge regression on how like texts are to each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.kernel import likeness
from conversation_analytics.categorization.linear import Dense, Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_MOST_COMPARED: Final = 15_000  # texts, each with each: 900 MB, which are solved in place
_LANDMARKS: Final = 5_000  # texts that all are compared with where there are more
_PENALTY: Final = 1.0
_JITTER: Final = 1e-3  # keeps landmarks that are the same from making products singular
_BLOCK: Final = 1_000  # texts compared in one go


def fit_ridge(
    matrix: csr_matrix, dense: Dense, labels: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], Floats]:
    """What texts add to how likely labels are of texts like them, beside an even chance.

    Kernel ridge regression (Saunders et al. 1998). The kernel is the product of two texts'
    features and the likeness of their further numbers. Very many texts are compared with some of
    them only, the landmarks (subset of regressors, a Nyström approximation: Smola and Schölkopf
    2000).

    Args:
        matrix: texts × known buckets.
        dense: texts × further numbers.
        labels: number of each text's label.
        count: labels.

    Returns:
        The landmarks' numbers, of all texts if they are not very many; float32, landmarks ×
        labels, what each adds.
    """
    landmarks = _landmarks(labels)
    buckets, near = matrix[landmarks].T.tocsr(), dense[landmarks]
    wanted = np.full((len(labels), count), -1 / count, dtype=np.float32)
    wanted[np.arange(len(labels)), labels] += 1

    def compared(texts: slice | NDArray[np.int64]) -> Floats:
        kernel = likeness(dense[texts], near)
        kernel += (matrix[texts] @ buckets).toarray()
        return kernel

    if len(landmarks) == len(labels):
        kernel = np.empty((len(labels), len(labels)), dtype=np.float32)
        for block in _blocks(len(labels)):
            kernel[block] = compared(block)
        return landmarks, _solved(kernel, wanted, _PENALTY)
    products = _PENALTY * compared(landmarks)
    sums = np.zeros((len(landmarks), count), dtype=np.float32)
    for block in _blocks(len(labels)):
        kernel = compared(block)
        products += kernel.T @ kernel
        sums += kernel.T @ wanted[block]
    return landmarks, _solved(products, sums, _JITTER)


def _landmarks(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of texts, of each label as many as are due to it."""
    if len(labels) <= _MOST_COMPARED:
        return np.arange(len(labels))
    order = np.argsort(labels, kind="stable")
    return np.sort(order[np.linspace(0, len(order) - 1, _LANDMARKS).astype(np.int64)])


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))


def _solved(products: Floats, sums: Floats, ridge: float) -> Floats:
    """What times the products, with a ridge, makes the sums; the products are overwritten."""
    from scipy.linalg import cho_factor, cho_solve

    products[np.diag_indices_from(products)] += np.float32(ridge)
    factor = cho_factor(products.T, overwrite_a=True, check_finite=False)
    solved: Floats = cho_solve(factor, sums, check_finite=False)
    return solved

"""Kernel models: how like texts are, and what is learnt by that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge

from conversation_analytics.categorization import kernel
from conversation_analytics.categorization.kernel import KernelModel, likeness
from conversation_analytics.categorization.linear import Floats, Vocabulary
from conversation_analytics.categorization.training import ridge
from conversation_analytics.categorization.training.ridge import fit_ridge

RNG = np.random.default_rng(1)
LABELS = np.arange(60) % 3
DENSE = (np.eye(3)[LABELS] + RNG.normal(size=(60, 3)) / 3).astype(np.float32)
FEATURES = csr_matrix(RNG.random((60, 8)).astype(np.float32) / 3)

vectors = arrays(np.float32, (4, 3), elements=st.floats(-2, 2, width=32))


@given(vectors, vectors)
def test_likeness_is_a_gaussian_of_the_distance(some: Floats, others: Floats) -> None:
    assert likeness(some, others) == pytest.approx(6 * RBF((4 / 3) ** 0.5)(some, others), abs=1e-4)


def test_texts_are_scored_alike_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Vocabulary(np.zeros(0, np.int32), np.zeros(0, np.float32))
    shares = RNG.random((60, 2)).astype(np.float32)
    model = KernelModel(("a", "b"), nothing, np.zeros((0, 2), np.float32), DENSE, shares)
    whole = model.about(DENSE)
    monkeypatch.setattr(kernel, "_BLOCK", 7)
    assert model.about(DENSE) == pytest.approx(whole, rel=1e-5)


def kernel_of(features: csr_matrix, dense: Floats) -> Floats:
    like: Floats = (features @ features.T).toarray() + likeness(dense, dense)
    return like


def test_what_is_learnt_is_kernel_ridge_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ridge, "_BLOCK", 7)
    landmarks, shares = fit_ridge(FEATURES, DENSE, LABELS, 3)
    assert landmarks.tolist() == list(range(60))
    wanted = np.eye(3)[LABELS] - 1 / 3
    theirs = KernelRidge(alpha=1.0, kernel="precomputed").fit(kernel_of(FEATURES, DENSE), wanted)
    assert shares == pytest.approx(theirs.dual_coef_, abs=1e-4)


def test_of_very_many_texts_some_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of them, compared with all, give nearly the scores of all; alone they do not."""
    like = kernel_of(FEATURES, DENSE)
    _, exact = fit_ridge(FEATURES, DENSE, LABELS, 3)
    monkeypatch.setattr(ridge, "_MOST_COMPARED", 59)
    monkeypatch.setattr(ridge, "_LANDMARKS", 21)
    landmarks, shares = fit_ridge(FEATURES, DENSE, LABELS, 3)
    assert np.bincount(LABELS[landmarks]).tolist() == [7, 7, 7]
    alone = fit_ridge(FEATURES[landmarks], DENSE[landmarks], LABELS[landmarks], 3)[1]
    gaps = [np.abs(like[:, landmarks] @ found - like @ exact).mean() for found in (shares, alone)]
    assert gaps[0] < min(0.03, gaps[1] / 2)

"""Confidence that means what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.calibration import (
    calibrate,
    expected_calibration_error,
    threshold_for,
)
from conversation_analytics.categorization.linear import softmax


def drawn(temperature: float, shift: list[float], texts: int = 20_000) -> tuple:
    """Scores, and labels as likely as the scores say at a temperature and with a shift."""
    random = np.random.default_rng(7)
    scores = random.normal(size=(texts, 3)).astype(np.float32) * 2
    likely = softmax(scores / temperature + np.array(shift))
    labels = (random.random((texts, 1)) > likely.cumsum(axis=1)).sum(axis=1)
    return scores, np.minimum(labels, 2)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("shift", [[0.0, 0.0, 0.0], [1.0, 0.0, -1.0]])
def test_the_scale_and_the_shift_of_scores_are_found(
    temperature: float, shift: list[float]
) -> None:
    scores, labels = drawn(temperature, shift)
    found = calibrate(scores, labels)
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert found.shift == pytest.approx(shift, abs=0.12)
    confidence = found.probabilities(scores).max(axis=1)
    right = found.probabilities(scores).argmax(axis=1) == labels
    assert expected_calibration_error(confidence, right) < 0.02


def test_the_error_is_how_far_confidence_and_truth_lie_apart() -> None:
    right = np.array([True, True, True, False])
    assert expected_calibration_error(np.full(4, 0.75), right) == pytest.approx(0)
    assert expected_calibration_error(np.full(4, 0.95), right) == pytest.approx(0.2)
    assert expected_calibration_error(np.array([1.0, 1.0, 0.5, 0.5]), right) == pytest.approx(0)
    assert expected_calibration_error(np.zeros(0), np.zeros(0, dtype=bool)) == 0


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30),
    st.floats(0.1, 1),
)
def test_above_the_threshold_enough_is_right_and_a_lower_one_would_not_do(
    answers: list[tuple[float, bool]], precision: float
) -> None:
    confidence, right = (np.array(some) for some in zip(*answers, strict=True))
    threshold = threshold_for(confidence, right, precision)
    kept = confidence >= threshold
    if kept.any():
        assert right[kept].mean() >= precision
    for lower in confidence[confidence < threshold]:
        assert right[confidence >= lower].mean() < precision

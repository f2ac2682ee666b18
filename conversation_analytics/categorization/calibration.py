"""Confidence that means what it says: of texts labelled with 0.8, eight in ten are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.linear import Floats, softmax

_BINS: Final = 15
_LEAST_TEMPERATURE: Final = 0.05
_NEVER: Final = 1.01  # a confidence that no answer has


@dataclass(frozen=True)
class Calibration:
    """How scores become probabilities: softmax(scores / temperature + shift).

    Temperature scaling (Guo et al. 2017) with a shift for each label, since models are fitted as
    if all labels were equally frequent and texts are not like that.

    Attributes:
        temperature: above 1 where scores promise too much.
        shift: float32, of each label.
    """

    temperature: float
    shift: Floats

    def probabilities(self, scores: Floats) -> Floats:
        """Rows as probabilities."""
        return softmax(scores / np.float32(self.temperature) + self.shift)


def calibrate(scores: Floats, labels: NDArray[np.int64]) -> Calibration:
    """The calibration that makes the labels likeliest.

    Args:
        scores: texts × labels, of a model that was not fitted to these texts.
        labels: number of each text's label.
    """
    from scipy.optimize import minimize

    texts, count = scores.shape
    rows, exact = np.arange(texts), scores.astype(np.float64)  # fine enough to differentiate

    def loss(free: NDArray[np.float64]) -> float:
        likely = softmax(exact * free[0] + free[1:])
        return float(-np.log(np.maximum(likely[rows, labels], 1e-12)).mean())

    start = np.concatenate([[1.0], np.zeros(count)])
    bounds = [(1e-3, 1 / _LEAST_TEMPERATURE), *[(-10.0, 10.0)] * count]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    shift = found[1:] - found[1:].mean()
    return Calibration(float(1 / found[0]), shift.astype(np.float32))


def expected_calibration_error(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """How far confidence and the share of right answers lie apart, over bins of equal width.

    The expected calibration error of Naeini et al. (2015), with 15 bins.
    """
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    count = np.bincount(bins, minlength=_BINS)
    gap = np.abs(
        np.bincount(bins, weights=confidence, minlength=_BINS)
        - np.bincount(bins, weights=right.astype(float), minlength=_BINS)
    )
    return float(gap[count > 0].sum() / max(len(confidence), 1))


def threshold_for(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], precision: float
) -> float:
    """The least confidence from which on at least that share of the answers is right.

    Returns:
        A threshold; above 1 where no confidence is enough.
    """
    order = np.argsort(-confidence, kind="stable")
    there = confidence[order]
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    last_of_equals = np.append(there[1:] < there[:-1], len(there) > 0)
    enough = np.flatnonzero((share >= precision) & last_of_equals[: len(there)])
    return float(there[enough[-1]]) if len(enough) else _NEVER

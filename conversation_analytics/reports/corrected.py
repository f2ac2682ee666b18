"""Shares of labels that a model gave, corrected by how often it is known to confuse them.

With p the shares of true labels and P how often each is said to be which, labels are said with the
shares pP. The p of greatest likelihood is found by expectation maximisation, which keeps it a
share (Saerens, Latinne and Decaestecker 2002, Neural Comput. 14:21, here of labels said; of two
labels it is the estimator of Rogan and Gladen 1978, Am. J. Epidemiol. 107:71, cut off at 0 and 1).
Intervals come from drawing both samples again, with a fixed seed: what was said, and each row of
the confusion from its posterior, with one text's weight spread over all labels as prior.

It is right as far as conversations are confused as the labelled texts were: these should be like
them, and chosen by their true labels or at random, not by what was said of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.confusion import Confusion
from conversation_analytics.categorization.decisions import UNKNOWN

FEWEST_TEXTS: Final = 20
"""Labelled texts that a label needs, that any are corrected."""

WORST_CONDITION: Final = 20.0
"""How much errors of shares may grow at worst: the condition number of the confusion."""

_LEVEL: Final = 0.95
_DRAWS: Final = 500
_SEED: Final = 0
_STEPS: Final = 5_000
_SETTLED: Final = 1e-7  # change of a share in a step

Reals: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Corrected:
    """The share of a label.

    Attributes:
        label: the label; `unknown` is what has none of the others.
        said: how often it was said.
        share: how often it is true.
        interval: 95 %.
    """

    label: str
    said: float
    share: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Correction:
    """The shares of all labels of a task.

    Attributes:
        task: the task.
        model_version: whose confusion was measured.
        data: on which texts.
        shares: of each label; empty if they cannot be corrected.
        reason: why they cannot be; null if they were.
    """

    task: str
    model_version: str
    data: str
    shares: tuple[Corrected, ...] = ()
    reason: str | None = None

    def as_document(self) -> dict[str, Any]:
        """As a report says it."""
        return {
            "model_version": self.model_version,
            "data": self.data,
            "reason": self.reason,
            "shares": [
                {
                    "value": one.label,
                    "said": one.said,
                    "share": one.share,
                    "interval": list(one.interval),
                }
                for one in self.shares
            ]
            or None,
        }


def corrected_shares(
    said: Mapping[str, int], confusion: Confusion, model_version: str | None = None
) -> Correction:
    """How often labels are true, from how often they were said.

    Args:
        said: conversations by the label they were given, `unknown` if none. Labels that are pooled
            cannot be corrected, so only counts of whole labels that may be published are of use.
        confusion: how often which label is said of which.
        model_version: of what gave the labels, if known; must be that of the confusion.
    """
    counts = {label: count for label, count in said.items() if count}
    reason: str | None
    if model_version not in (None, confusion.model_version):
        reason = f"labels are of model {model_version}, the confusion of {confusion.model_version}"
    else:
        reason = _unmeasured(counts, confusion) or _ill_conditioned(confusion)
    if reason is not None:
        return Correction(confusion.task, confusion.model_version, confusion.data, reason=reason)
    labels = np.array(confusion.labels, dtype=object)
    truths = np.flatnonzero(confusion.counts.sum(axis=1) > 0)
    measured = confusion.counts[truths]
    seen = np.array([counts.get(label, 0) for label in labels])
    share = _likeliest(seen[None], _rows(measured)[None])[0]
    rng = np.random.default_rng(_SEED)
    again = rng.multinomial(seen.sum(), seen / seen.sum(), size=_DRAWS)
    prior = 1 / measured.shape[1]
    matrices = np.stack([rng.dirichlet(row + prior, size=_DRAWS) for row in measured], axis=1)
    tails = [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]
    low, high = np.quantile(_likeliest(again, matrices), tails, axis=0)
    shares = tuple(
        Corrected(
            labels[n],
            float(seen[n] / seen.sum()),
            float(share[place]),
            (float(min(low[place], share[place])), float(max(high[place], share[place]))),
        )
        for place, n in enumerate(truths.tolist())
    )
    return Correction(confusion.task, confusion.model_version, confusion.data, shares)


def _unmeasured(counts: Mapping[str, int], confusion: Confusion) -> str | None:
    """What about the labels that were said was not measured, if anything."""
    if not counts:
        return "no conversation has a label"
    if strange := sorted(set(counts) - set(confusion.labels)):
        return f"how {strange[0]!r} is confused was not measured"
    texts = dict(zip(confusion.labels, confusion.counts.sum(axis=1).tolist(), strict=True))
    few = [
        label
        for label, count in texts.items()
        if count < FEWEST_TEXTS and (count or (label in counts and label != UNKNOWN))
    ]
    if few:
        return f"{few[0]!r} has {texts[few[0]]} labelled texts of the {FEWEST_TEXTS} that it takes"
    uses = dict(zip(confusion.labels, confusion.counts.sum(axis=0).tolist(), strict=True))
    if never := sorted(label for label in counts if not uses[label]):
        return f"{never[0]!r} was said of no labelled text"
    return None


def _ill_conditioned(confusion: Confusion) -> str | None:
    """Whether too little can be told of truth."""
    matrix = _rows(confusion.counts[confusion.counts.sum(axis=1) > 0])
    values = np.linalg.svd(matrix, compute_uv=False)
    if values[0] > WORST_CONDITION * values[-1]:
        return "labels are confused so often that what is said hardly tells what is true"
    return None


def _rows(counts: NDArray[np.int64]) -> Reals:
    """How often each true label is said to be which."""
    shares: Reals = counts / counts.sum(axis=1, keepdims=True)
    return shares


def _likeliest(seen: NDArray[np.int64], matrices: Reals) -> Reals:
    """Draws × true labels: the shares of greatest likelihood, by expectation maximisation.

    Args:
        seen: draws × labels said, how often.
        matrices: draws × true labels × labels said, how often each is said to be which.
    """
    observed = seen / seen.sum(axis=1, keepdims=True)
    shares = np.full(matrices.shape[:2], 1 / matrices.shape[1])
    for _ in range(_STEPS):
        expected = np.einsum("dt,dts->ds", shares, matrices)
        ratio = np.divide(observed, expected, out=np.zeros_like(observed), where=observed > 0)
        better = shares * np.einsum("dts,ds->dt", matrices, ratio)
        moved = np.abs(better - shares).max()
        shares = better
        if moved < _SETTLED:
            break
    return shares

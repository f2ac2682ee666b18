"""How well labels, their confidence and the honesty to give none hold against labelled texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.calibration import expected_calibration_error
from conversation_analytics.categorization.decisions import Decision

OUT_OF_SCOPE: Final = frozenset({"oos", "out_of_scope", "unknown"})
"""Labels in data that say a text has none of the labels."""

Names = NDArray[np.str_]
Truths = NDArray[np.bool_]


@dataclass(frozen=True)
class Figures:
    """What was measured on some texts.

    All are of the texts that have a label, but for the last two. The first five ask for the
    likeliest label, given or not; a text of which nothing is known counts as wrong.

    Attributes:
        texts: how many.
        accuracy: share of them whose likeliest label is right.
        macro_f1: mean of the labels' F1.
        macro_recall: mean of the labels' recall.
        ece: expected calibration error of the confidence.
        coverage: share of them that were given a label.
        precision: share of the given labels that are right; null if none was given.
        accuracy_given: share of them that were given the right label.
        out_of_scope: texts that have none of the labels.
        out_of_scope_recall: share of those that were given none; null if there are none.
    """

    texts: int
    accuracy: float | None
    macro_f1: float | None
    macro_recall: float | None
    ece: float | None
    coverage: float | None
    precision: float | None
    accuracy_given: float | None
    out_of_scope: int
    out_of_scope_recall: float | None


@dataclass(frozen=True)
class Evaluation:
    """What was measured on labelled texts.

    Attributes:
        overall: on all of them.
        languages: on those of each language.
        confusion: true label, label said, and how often, of labels that differ; the most first.
        reasons: why texts with a label were given none, and how often.
    """

    overall: Figures
    languages: dict[str, Figures] = field(default_factory=dict)
    confusion: list[tuple[str, str, int]] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)


def likeliest(decision: Decision) -> str:
    """The label of a decision, or the one it would have been."""
    if not decision.abstained:
        return decision.label
    details: dict[str, Any] = dict(decision.details or {})
    return str(details.get("candidate", ""))


def evaluate(true: Sequence[str], said: Sequence[Decision], languages: Sequence[str]) -> Evaluation:
    """Compare decisions with labels.

    Args:
        true: what each text was labelled as.
        said: what was decided of each.
        languages: what each is written in.
    """
    truth, found = np.array(true, dtype=str), np.array([likeliest(one) for one in said], dtype=str)
    given = np.array([not one.abstained for one in said], dtype=bool)
    confidence = np.array([one.confidence for one in said], dtype=np.float64)
    written = np.array(languages, dtype=str)

    def figures(some: Truths) -> Figures:
        return _figures(truth[some], found[some], given[some], confidence[some])

    scoped = ~np.isin(truth, sorted(OUT_OF_SCOPE))
    wrong = scoped & (truth != found)
    pairs = zip(truth[wrong].tolist(), found[wrong].tolist(), strict=True)
    confusion = Counter(pairs).most_common()
    why = Counter(str(said[n].reason) for n in np.flatnonzero(scoped & ~given).tolist())
    return Evaluation(
        overall=figures(np.ones(len(truth), dtype=bool)),
        languages={code: figures(written == code) for code in np.unique(written).tolist()},
        confusion=[(one, other, count) for (one, other), count in confusion],
        reasons=dict(why.most_common()),
    )


def _figures(truth: Names, found: Names, given: Truths, confidence: NDArray[np.float64]) -> Figures:
    scoped = ~np.isin(truth, sorted(OUT_OF_SCOPE))
    outside = int((~scoped).sum())
    refused = _share(~given[~scoped])
    truth, found, given, confidence = (
        truth[scoped],
        found[scoped],
        given[scoped],
        confidence[scoped],
    )
    right = truth == found
    recall, f1 = _by_label(truth, found)
    return Figures(
        texts=len(truth),
        accuracy=_share(right),
        macro_f1=_mean(f1),
        macro_recall=_mean(recall),
        ece=expected_calibration_error(confidence, right) if len(truth) else None,
        coverage=_share(given),
        precision=_share(right[given]),
        accuracy_given=_share(right & given),
        out_of_scope=outside,
        out_of_scope_recall=refused,
    )


def _by_label(truth: Names, found: Names) -> tuple[list[float], list[float]]:
    """Recall and F1 of each label that texts have."""
    are, said = Counter(truth.tolist()), Counter(found.tolist())
    right = Counter(truth[truth == found].tolist())
    recall = [right[label] / count for label, count in are.items()]
    f1 = [2 * right[label] / (count + said[label]) for label, count in are.items()]
    return recall, f1


def _share(some: Truths) -> float | None:
    return float(some.mean()) if len(some) else None


def _mean(some: Sequence[float]) -> float | None:
    return float(np.mean(some)) if some else None

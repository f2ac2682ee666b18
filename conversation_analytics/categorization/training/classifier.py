"""Training a classifier from few examples of each label, or from a file with thousands."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.calibration import Calibration, threshold_for
from conversation_analytics.categorization.classifier import (
    CentroidModel,
    Classifier,
    Measured,
    Model,
)
from conversation_analytics.categorization.encoders import TextEncoder
from conversation_analytics.categorization.features import Features, extract
from conversation_analytics.categorization.kernel import KernelModel
from conversation_analytics.categorization.labelled import Labelled, Task
from conversation_analytics.categorization.language import languages_of
from conversation_analytics.categorization.linear import (
    Dense,
    Floats,
    LinearModel,
    Vocabulary,
    softmax,
)
from conversation_analytics.categorization.text import as_read
from conversation_analytics.categorization.training.fit import Weights, fit, vocabulary_of
from conversation_analytics.categorization.training.ridge import fit_ridge
from conversation_analytics.errors import LabelledDataInvalid

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MEASURED_FROM: Final = 20
"""Texts of a language from which on what they tell holds for it."""

_NEVER_OUT: Final = -1  # the fold of what is always learnt from
_STRENGTH: Final = 10.0
_FOLDS: Final = 5
_ENOUGH_SCORED: Final = 2_000  # texts: more folds would cost more than they tell
_PRECISION: Final = 0.8
_ATYPICAL: Final = 0.05  # share of the examples not worth an answer, the least sure ones
_MANY_TEXTS: Final = 2_000  # from which on what only one text has tells nothing
_JITTER: Final = 1e-4  # keeps texts that are the same from making products singular
_MOST_WEIGHTS: Final = 12_000_000  # which L-BFGS holds a dozen times, in double precision
_LEAST: Final = 1e-12  # probability
_SHARPNESS: Final = 10.0  # of a cosine, for scores to be of the size that fitted ones have

Numbers = NDArray[np.int64]


class _Examples(NamedTuple):
    """Texts to learn from: what is in them, and the number of each one's label.

    And whether texts are to be compared with them (see `TextEncoder.compares`).
    """

    features: Features
    dense: Dense
    labels: Numbers
    compared: bool


def train_classifier(
    rows: Sequence[Labelled],
    task: Task,
    encoder: TextEncoder,
    *,
    hints: Sequence[Labelled] = (),
    precision: float = _PRECISION,
) -> Classifier:
    """A classifier of a task.

    It is measured by cross-validation. What is measured makes its scores probabilities, by a
    temperature alone: examples are not as frequent as what is asked, so no label is to be favoured.
    And it says which answers not to give: those less sure than it takes for so many of the others
    to be right, and those less sure than nearly all answers for examples are, since texts without
    any of the labels are like that (Hendrycks and Gimpel 2017) and few have examples of such.

    Labels with one example take no part in measuring, since without it nothing would be known of
    them; a language of which that leaves fewer than `MEASURED_FROM` texts is not measured.

    Args:
        rows: texts with labels of the task, as frequent as they are.
        task: the task.
        encoder: makes further numbers of texts.
        hints: more to learn from that is not like what is asked, such as keywords: by these nothing
            is measured.
        precision: the share of the answers that should be right.

    Raises:
        LabelledDataInvalid: the rows have fewer than two labels.
    """
    asked = len(rows)
    rows = [*rows, *_other(hints, rows, task)]
    names = tuple(sorted({row.labels[task] for row in rows}))
    if len(names) < 2:
        raise LabelledDataInvalid(f"texts of two labels of {task} are needed to tell them apart")
    numbers = {name: number for number, name in enumerate(names)}
    texts = [row.text for row in rows]
    features = extract(texts)
    labels = np.array([numbers[row.labels[task]] for row in rows], dtype=np.int64)
    examples = _Examples(features, encoder.of(texts, features), labels, encoder.compares)
    model = _fitted(examples, np.arange(len(rows)), names)
    folds = np.full(len(rows), _NEVER_OUT)
    folds[:asked] = folds_of(texts[:asked], labels[:asked], _FOLDS)
    scored, scores = _unseen_scores(examples, folds, names)
    if not len(scored):
        return Classifier(model, encoder, Calibration(1.0, np.zeros(len(names), np.float32)), {})
    calibration = _by_temperature(scores, labels[scored])
    confidence = calibration.probabilities(scores).max(axis=1)
    right = scores.argmax(axis=1) == labels[scored]
    spoken = np.array(_languages([rows[n] for n in scored.tolist()]))
    measured = {
        code: _measured(confidence[spoken == code], right[spoken == code], precision)
        for code in np.unique(spoken).tolist()
        if (spoken == code).sum() >= MEASURED_FROM
    }
    return Classifier(model, encoder, calibration, measured)


def _measured(confidence: Floats, right: NDArray[np.bool_], precision: float) -> Measured:
    threshold = threshold_for(confidence, right, precision)
    least = float(np.quantile(confidence, _ATYPICAL))
    return Measured(len(right), float(right.mean()), max(threshold, least))


def folds_of(texts: Sequence[str], labels: Numbers, count: int) -> Numbers:
    """The fold of each text: the texts of a label spread evenly, in whatever order they come.

    Returns:
        Numbers from 0; -1 for the only text of a label.
    """
    keys = [_hash(text) for text in texts]
    order = np.array(sorted(range(len(texts)), key=lambda n: (labels[n], keys[n])), dtype=np.int64)
    folds = np.zeros(len(texts), dtype=np.int64)
    folds[order] = np.arange(len(texts)) % count
    folds[np.bincount(labels)[labels] == 1] = _NEVER_OUT
    return folds


def _other(hints: Sequence[Labelled], rows: Sequence[Labelled], task: Task) -> list[Labelled]:
    """The hints that are no rows: nothing is to be measured by what was learnt from."""
    known = {(row.labels[task], as_read(row.text)) for row in rows}
    return [hint for hint in hints if (hint.labels[task], as_read(hint.text)) not in known]


def _unseen_scores(
    examples: _Examples, folds: Numbers, names: tuple[str, ...]
) -> tuple[Numbers, Floats]:
    """Texts, and their scores by models that did not learn from them."""
    scored: list[Numbers] = []
    scores: list[Floats] = []
    for fold in range(_FOLDS):
        out, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        out = out[:: max(1, len(out) // _ENOUGH_SCORED)]
        if len(out) and len(rest):
            model = _fitted(examples, rest, names)
            matrix = model.vocabulary.matrix(examples.features)[out]
            scored.append(out)
            scores.append(model.scores(matrix, examples.dense[out]))
        if sum(map(len, scored)) >= _ENOUGH_SCORED:
            break
    if not scored:
        return np.zeros(0, dtype=np.int64), np.zeros((0, len(names)), dtype=np.float32)
    return np.concatenate(scored), np.concatenate(scores)


def _fitted(examples: _Examples, chosen: Numbers, names: tuple[str, ...]) -> Model:
    """A model of some of the examples."""
    entries = examples.features.entries
    among = np.zeros(examples.features.count, dtype=bool)
    among[chosen] = True
    least = 2 if len(chosen) >= _MANY_TEXTS else 1
    buckets = entries.buckets[among[entries.docs]]
    vocabulary = vocabulary_of(buckets, len(chosen), least=least)
    matrix = vocabulary.matrix(examples.features)[chosen]
    dense, labels = examples.dense[chosen], examples.labels[chosen]
    if (matrix.shape[1] + dense.shape[1]) * len(names) > _MOST_WEIGHTS:
        return _centroids(matrix, dense, labels, vocabulary, names)
    if examples.compared:
        known, sums = fit_ridge(matrix, dense, labels, len(names))
        return KernelModel(names, vocabulary, matrix[known].T @ sums, dense[known], sums)
    solve = fit if len(chosen) >= _MANY_TEXTS else _fit_few
    weights = solve(matrix, dense, labels, len(names), strength=_STRENGTH)
    return LinearModel(names, vocabulary, weights.sparse, weights.dense, weights.bias)


def _fit_few(
    matrix: csr_matrix, dense: Dense, labels: Numbers, count: int, *, strength: float
) -> Weights:
    """What `fit` finds, sooner where texts are fewer than buckets.

    The best weights are sums of the texts (the representer theorem, Kimeldorf and Wahba 1970), so
    it is enough to fit on as many numbers of a text as there are texts, whose products are the
    texts' own: a Cholesky factor of these products.
    """
    from scipy.linalg import solve_triangular
    from scipy.sparse import csr_matrix

    products = (matrix @ matrix.T).toarray() + dense @ dense.T
    products[np.diag_indices_from(products)] += _JITTER
    factor = np.linalg.cholesky(products).astype(np.float32)
    nothing = csr_matrix(np.zeros((len(labels), 0), dtype=np.float32))
    few = fit(nothing, factor, labels, count, strength=strength)
    sums = solve_triangular(factor, few.dense, lower=True, trans="T").astype(np.float32)
    return Weights(matrix.T @ sums, dense.T @ sums, few.bias)


def _centroids(
    matrix: csr_matrix,
    dense: Dense,
    labels: Numbers,
    vocabulary: Vocabulary,
    names: tuple[str, ...],
) -> CentroidModel:
    """The middles of labels' texts, of length 1: nearest centroids (Rocchio 1971)."""
    from scipy.sparse import csr_matrix, diags

    shape = (len(labels), len(names))
    ones = np.ones(len(labels), dtype=np.float32)
    members = csr_matrix((ones, (np.arange(len(labels)), labels)), shape=shape)
    sparse, more = (matrix.T @ members).tocsc(), dense.T @ members
    squares = np.asarray(sparse.multiply(sparse).sum(axis=0)).ravel() + (more**2).sum(axis=0)
    scale = (_SHARPNESS / np.sqrt(np.where(squares == 0, 1, squares))).astype(np.float32)
    return CentroidModel(names, vocabulary, (sparse @ diags(scale)).tocsr(), more * scale)


def _by_temperature(scores: Floats, labels: Numbers) -> Calibration:
    """The temperature (Guo et al. 2017) that makes the labels likeliest.

    One more answer, as sure as the others are, is taken to be wrong, in the manner of Platt (1999):
    else examples that are easily told apart would make every answer certain.
    """
    from scipy.optimize import minimize_scalar

    rows, exact = np.arange(len(labels)), scores.astype(np.float64)

    def loss(logarithm: float) -> float:
        likely = softmax(exact / np.exp(logarithm))
        missed = np.log(np.maximum(likely[rows, labels], _LEAST)).sum()
        wrong = np.log(max(1 - likely.max(axis=1).mean(), _LEAST))
        return -float(missed + wrong)

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x
    return Calibration(float(np.exp(found)), np.zeros(scores.shape[1], dtype=np.float32))


def _languages(rows: Sequence[Labelled]) -> list[str]:
    told = languages_of([row.text for row in rows])
    return [row.language or by.code for row, by in zip(rows, told, strict=True)]


def _hash(text: str) -> bytes:
    return blake2b(as_read(text).encode("utf-8", "surrogatepass"), digest_size=8).digest()

"""Which of a task's labels a text has, learnt from examples, and how likely that is right.

A text is scored by its hashed features and by what its encoder says it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.calibration import Calibration
from conversation_analytics.categorization.encoders import TextEncoder
from conversation_analytics.categorization.features import BUCKETS, Features, buckets
from conversation_analytics.categorization.linear import Dense, Floats, LinearModel, Vocabulary

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MEANING: Final = "(meaning)"
"""Stands for what an encoder says a text is about."""


@dataclass(frozen=True)
class CentroidModel:
    """Scores of labels by how near a text is to their middle: for more labels than can be fitted.

    Attributes:
        labels: the labels.
        vocabulary: the buckets known.
        weights: buckets × labels, few of them other than zero.
        dense: float32, further numbers of a text × labels.
    """

    labels: tuple[str, ...]
    vocabulary: Vocabulary
    weights: csr_matrix
    dense: Floats

    def scores(self, matrix: csr_matrix, dense: Dense) -> Floats:
        """Texts × labels; the highest tells the label. See `LinearModel.scores`."""
        scores: Floats = (matrix @ self.weights).toarray() + dense @ self.dense
        return scores


class Evidence(NamedTuple):
    """Something that speaks for a label, or against it.

    Attributes:
        text: a word or a pair of words; `MEANING` for the text as a whole.
        weight: what it adds to the label's score.
    """

    text: str
    weight: float


class Measured(NamedTuple):
    """What a classifier was worth, in a language, on examples that it had not learnt from.

    Attributes:
        texts: how many those were.
        accuracy: share of them whose likeliest label was right.
        threshold: the least probability worth an answer; above 1 where none is.
    """

    texts: int
    accuracy: float
    threshold: float


@dataclass(frozen=True)
class Classifier:
    """A model of a task's labels.

    Attributes:
        model: its weights.
        encoder: makes the model's further numbers.
        calibration: what its scores are worth.
        measured: what it was worth, by language; it is not to be asked in any other.
    """

    model: LinearModel | CentroidModel
    encoder: TextEncoder
    calibration: Calibration
    measured: Mapping[str, Measured]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels."""
        return self.model.labels

    def scores(self, texts: Sequence[str], features: Features) -> Floats:
        """Texts × labels; the highest tells the label.

        Args:
            texts: the texts.
            features: what is in them.
        """
        matrix = self.model.vocabulary.matrix(features)
        return self.model.scores(matrix, self.encoder.of(texts, features))

    def probabilities(self, texts: Sequence[str], features: Features) -> Floats:
        """Texts × labels: how likely each label is. For the arguments see `scores`."""
        return self.calibration.probabilities(self.scores(texts, features))

    def evidence(self, texts: Sequence[str], features: Features, label: str) -> list[Evidence]:
        """What speaks for a label in a text, the most telling first.

        Args:
            texts: one text.
            features: what is in it.
            label: the label.
        """
        number = self.labels.index(label)
        row = self.model.vocabulary.matrix(features)
        weights = self.model.weights[row.indices][:, [number]]
        weights = weights if isinstance(weights, np.ndarray) else weights.toarray()
        by_bucket = np.zeros(BUCKETS)
        by_bucket[self.model.vocabulary.buckets[row.indices]] = row.data * weights.ravel()
        about = self.encoder.of(texts, features) @ self.model.dense[:, number]
        found = {MEANING: float(about[0])}
        for text, weight in _by_word(features, by_bucket):
            found[text] = found.get(text, 0.0) + weight
        order = sorted(found.items(), key=lambda one: -one[1])
        return [Evidence(text, weight) for text, weight in order]


def _by_word(features: Features, weights: NDArray[np.float64]) -> Iterator[tuple[str, float]]:
    """Words and pairs of words with their weights; a piece of a word counts for the word."""
    found = np.concatenate([buckets(kind.hashes) for kind in features.kinds])
    weights = weights / np.maximum(np.bincount(found, minlength=BUCKETS), 1)
    words = features.words
    of_words = np.zeros(len(words.starts))
    for kind in (words, *features.grams):
        middles = (kind.starts + kind.ends) // 2
        owners = np.searchsorted(words.starts, middles, side="right") - 1
        np.add.at(of_words, owners, weights[buckets(kind.hashes)])
    pairs = (features.pairs, weights[buckets(features.pairs.hashes)])
    for kind, values in ((words, of_words), pairs):
        places = zip(kind.starts.tolist(), kind.ends.tolist(), values.tolist(), strict=True)
        yield from ((features.written(start, end), value) for start, end, value in places)

"""Which of a task's labels a text has, learnt from examples, and how likely that is right.

A text is scored by its hashed features and by what its encoder says it is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from conversation_analytics.categorization.calibration import Calibration
from conversation_analytics.categorization.encoders import TextEncoder
from conversation_analytics.categorization.evidence import Evidence, evidence_of
from conversation_analytics.categorization.features import Features
from conversation_analytics.categorization.kernel import KernelModel
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
        scores: Floats = (matrix @ self.weights).toarray() + self.about(dense)
        return scores

    def about(self, dense: Dense) -> Floats:
        """Texts × labels: what further numbers of texts add to the scores."""
        added: Floats = dense @ self.dense
        return added


Model: TypeAlias = LinearModel | KernelModel | CentroidModel
"""What scores texts."""


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

    model: Model
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
        about = self.model.about(self.encoder.of(texts, features))[0, number]
        return evidence_of(self.model, features, number, {MEANING: float(about)})

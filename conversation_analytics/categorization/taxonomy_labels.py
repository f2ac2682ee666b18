"""Intents and topics of texts: a taxonomy's keywords first, then a model of its examples."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from conversation_analytics.categorization.classifier import Classifier
from conversation_analytics.categorization.decisions import (
    UNKNOWN,
    Decision,
    Decisions,
    Objects,
    nulls,
    objects,
    there,
    together,
)
from conversation_analytics.categorization.encoders import TextEncoder, word_encoder
from conversation_analytics.categorization.features import FEATURES_VERSION, Features, extract
from conversation_analytics.categorization.labelled import Labelled
from conversation_analytics.categorization.language import UNDETERMINED
from conversation_analytics.categorization.linear import Floats
from conversation_analytics.categorization.rules import Rules
from conversation_analytics.categorization.taxonomy import Section
from conversation_analytics.categorization.trained import trained
from conversation_analytics.categorization.training.classifier import train_classifier
from conversation_analytics.errors import LabelledDataInvalid

LABELLER_VERSION: Final = "3"
"""Changes whenever the same taxonomy may give a text another label."""

_KEPT: Final = 8  # labellers in a process
_PRIOR_PRECISION: Final = 0.8  # of keywords before any example speaks for or against them
_PRIOR_WEIGHT: Final = 5.0  # in examples
_MOST_TOPICS: Final = 3  # of a text
_CLEARLY: Final = 0.5  # a further topic is more likely there than not
_CANDIDATES: Final = 5
_EVIDENCE: Final = 10
_PARTS_OF_NAMES: Final = re.compile(r"[._/&-]+")


@dataclass(frozen=True)
class TaxonomyLabeller:
    """Labels texts with the intents or the topics of a taxonomy.

    Where keywords or patterns tell a label, they decide, in every language: the label of which a
    text has the most words, the likelier one of equals. Else the model does, in languages that it
    was measured in. An intent is one a text; topics can be several.

    Attributes:
        section: the labels.
        precision: float32, how often each label's keywords are right (see `_precision`).
        classifier: the model; none if fewer than two labels have examples.
        version: names everything that decides which text gets which label.
    """

    section: Section
    precision: Floats
    classifier: Classifier | None
    version: str

    @classmethod
    def from_labelled(
        cls, section: Section, rows: Sequence[Labelled], encoder: TextEncoder | None = None
    ) -> TaxonomyLabeller:
        """A labeller that learns from labelled texts instead of the taxonomy's examples.

        Args:
            section: the labels.
            rows: texts with labels of the section's task.
            encoder: what texts are about; the word vectors that ship if not given.

        Raises:
            LabelledDataInvalid: a row has a label that the section has not.
            ModelUnusable: there are no word vectors.
        """
        encoder = encoder or word_encoder()
        task = section.task
        used = {row.labels[task] for row in rows}
        if strange := sorted(used - set(section.names)):
            raise LabelledDataInvalid(
                f"{strange[0]!r} is no {task} of the taxonomy: add it there, or leave its texts out"
            )
        said = [[row.labels[task], row.text, row.language] for row in rows]
        parts = [
            LABELLER_VERSION,
            section.version,
            FEATURES_VERSION,
            encoder.name,
            encoder.version,
            said,
        ]
        version = blake2b(orjson.dumps(parts), digest_size=6).hexdigest()
        classifier = None
        if len(used) > 1:
            hints = hints_of(section, used)
            classifier = trained(
                f"{task}_{version}",
                encoder,
                lambda: train_classifier(rows, task, encoder, hints=hints),
            )
        return cls(section, _precision(section, rows), classifier, version)

    @property
    def languages(self) -> frozenset[str]:
        """Those in which the model was measured, and so labels texts."""
        return frozenset(self.classifier.measured) if self.classifier else frozenset()

    def label(self, texts: Sequence[str], features: Features, languages: Objects) -> Decisions:
        """What is said of each text, by its number: at least one label.

        Args:
            texts: the texts.
            features: what is in them.
            languages: what each is written in.
        """
        if not self.section.labels:
            nothing = Decision(UNKNOWN, 0.0, "rule", "below_threshold")
            return Decisions.of((number, 0, nothing) for number in range(len(texts)))
        matched = self._rules.matched(texts, features)
        likely = self._probabilities(texts, features)
        thresholds = np.array([self._thresholds.get(one, np.nan) for one in languages.tolist()])
        measured = ~np.isnan(thresholds)
        told = np.asarray(matched.any(axis=1))
        # Words count in whole numbers, so what the model says decides between equals only.
        usable = np.where(measured[:, None], likely, 0)
        best = np.where(told, (matched + 0.5 * usable).argmax(axis=1), likely.argmax(axis=1))
        rows = np.arange(features.count)
        confidence = np.where(told, self.precision[best], likely[rows, best]).astype(np.float64)
        reasons = nulls(features.count)
        reasons[confidence < thresholds] = "below_threshold"
        reasons[~measured] = "unmeasured_language" if self.classifier else "below_threshold"
        if self.classifier:
            reasons[languages == UNDETERMINED] = "too_short"
        reasons[features.empty] = "empty_text"
        reasons[told] = None
        main = self._decisions(rows, best, confidence, reasons, told)
        if self.section.task != "topic":
            return main
        further = self._further(best, matched, usable, ~main.abstained)
        return together([main, further])

    def explain(self, text: str) -> dict[str, Any]:
        """Why a text gets its labels.

        Returns:
            `keywords` and patterns found, by label; the likeliest labels as `candidates`, with
            the model's confidence; `features`, what spoke most for the first of them; the
            `thresholds` that the confidence of an answer must reach, by language.
        """
        features = extract([text])
        why: dict[str, Any] = {"keywords": self._rules.explain(text)}
        if self.classifier is None:
            return {**why, "candidates": [], "features": [], "thresholds": {}}
        (likely,) = self.classifier.probabilities([text], features)
        order = np.argsort(-likely, kind="stable")[:_CANDIDATES].tolist()
        names = self.classifier.labels
        evidence = self.classifier.evidence([text], features, names[order[0]])
        return {
            **why,
            "candidates": [
                {"label": names[n], "confidence": round(float(likely[n]), 4)} for n in order
            ],
            "features": [
                {"text": one.text, "weight": round(one.weight, 4)}
                for one in evidence[:_EVIDENCE]
                if one.weight > 0
            ],
            "thresholds": self._thresholds,
        }

    @cached_property
    def _rules(self) -> Rules:
        return Rules(self.section)

    @cached_property
    def _names(self) -> Objects:
        return objects(self.section.names)

    @cached_property
    def _ancestors(self) -> Objects:
        """What the details of each label's decisions say of what it is part of."""
        above = [list(self.section.ancestors(name)) for name in self.section.names]
        return objects([{"ancestors": names} if names else None for names in above])

    @cached_property
    def _candidates(self) -> Objects:
        """And what they say where the label is only the likeliest."""
        both = zip(self.section.names, self._ancestors.tolist(), strict=True)
        return objects([{"candidate": name, **(above or {})} for name, above in both])

    @cached_property
    def _columns(self) -> NDArray[np.int64]:
        """The number in the section of each of the model's labels."""
        numbers = {name: number for number, name in enumerate(self.section.names)}
        labels = self.classifier.labels if self.classifier else ()
        return np.array([numbers[name] for name in labels], dtype=np.int64)

    def _probabilities(self, texts: Sequence[str], features: Features) -> Floats:
        """Texts × labels of the section; zero where the model knows nothing."""
        likely = np.zeros((features.count, len(self.section.labels)), dtype=np.float32)
        if self.classifier is not None:
            likely[:, self._columns] = self.classifier.probabilities(texts, features)
        return likely

    @cached_property
    def _thresholds(self) -> dict[str, float]:
        measured = self.classifier.measured if self.classifier else {}
        return {language: one.threshold for language, one in measured.items()}

    def _decisions(
        self,
        texts: NDArray[np.int64],
        labels: NDArray[np.int64],
        confidence: NDArray[np.float64],
        reasons: Objects,
        by_rule: NDArray[np.bool_],
    ) -> Decisions:
        """The main decision on each of some texts, from the number of its likeliest label."""
        given = ~there(reasons)
        nothing = ~given & ((reasons == "empty_text") | (confidence == 0))
        details = np.where(given, self._ancestors[labels], self._candidates[labels])
        details[nothing] = None
        rule = by_rule if self.classifier else np.ones(len(texts), dtype=bool)
        return Decisions(
            texts,
            np.zeros_like(texts),
            np.where(given, self._names[labels], UNKNOWN),
            np.where(nothing, 0.0, confidence),
            np.where(rule, "rule", "model").astype(object),
            reasons,
            details,
        )

    def _further(
        self,
        best: NDArray[np.int64],
        matched: Floats,
        likely: Floats,
        labelled: NDArray[np.bool_],
    ) -> Decisions:
        """The other labels, of texts that have one, that are more likely there than not."""
        confidence = np.where(matched > 0, self.precision, likely)
        confidence[np.arange(len(best)), best] = 0
        texts, labels = np.nonzero((confidence >= _CLEARLY) & labelled[:, None])
        likelier = (-likely[texts, labels], -matched[texts, labels], -confidence[texts, labels])
        order = np.lexsort((*likelier, texts))
        texts, labels = texts[order], labels[order]
        ranks = 1 + np.arange(len(texts)) - np.searchsorted(texts, texts)
        few = ranks < _MOST_TOPICS
        texts, labels, ranks = texts[few], labels[few], ranks[few]
        sure = confidence[texts, labels].astype(np.float64)
        reasons = nulls(len(texts))
        found = self._decisions(texts, labels, sure, reasons, matched[texts, labels] > 0)
        return replace(found, ranks=ranks)


@lru_cache(maxsize=_KEPT)
def taxonomy_labeller(section: Section, encoder: TextEncoder | None = None) -> TaxonomyLabeller:
    """A labeller that learns from a taxonomy's own examples, once in a process.

    Args:
        section: the labels.
        encoder: what texts are about; the word vectors that ship if not given.

    Raises:
        ModelUnusable: there are no word vectors.
    """
    return TaxonomyLabeller.from_labelled(section, examples_of(section), encoder)


def examples_of(section: Section) -> list[Labelled]:
    """A section's examples as labelled texts."""
    return [
        Labelled(text, {section.task: label.name})
        for label in section.labels
        for text in label.examples
    ]


def hints_of(section: Section, used: Collection[str]) -> list[Labelled]:
    """Labels' names and keywords as labelled texts: the model learns from them too.

    Args:
        section: the labels.
        used: those that have examples; of others a name without keywords teaches nothing.
    """
    return [
        Labelled(text, {section.task: label.name})
        for label in section.labels
        if label.keywords or label.name in used
        for text in (_PARTS_OF_NAMES.sub(" ", label.name), *label.keywords)
    ]


def _precision(section: Section, rows: Sequence[Labelled]) -> Floats:
    """How often each label's keywords are right, as the rows tell.

    The mean of a Beta distribution: a label's own hits are added to what is known of all labels
    together, and those to a guess, so that a keyword without a hit is trusted as the others are.
    """
    count = len(section.labels)
    if not count:
        return np.zeros(0, dtype=np.float32)
    texts = [row.text for row in rows]
    matched = Rules(section).matched(texts, extract(texts))
    numbers = {name: number for number, name in enumerate(section.names)}
    labels = np.array([numbers[row.labels[section.task]] for row in rows], dtype=np.int64)
    told = np.asarray(matched.any(axis=1))
    found = matched.argmax(axis=1)[told]
    hits = np.bincount(found, minlength=count)
    right = np.bincount(found[found == labels[told]], minlength=count)
    guess = _PRIOR_WEIGHT * _PRIOR_PRECISION
    pooled = (right.sum() + guess) / (hits.sum() + _PRIOR_WEIGHT)
    precision: Floats = (right + _PRIOR_WEIGHT * pooled) / (hits + _PRIOR_WEIGHT)
    return precision.astype(np.float32)

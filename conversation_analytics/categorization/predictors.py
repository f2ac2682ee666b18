"""What decides about texts when it is measured: one function a task, all of the same shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Final, TypeAlias

import numpy as np

from conversation_analytics.categorization.decisions import Decision, Decisions, objects
from conversation_analytics.categorization.encoders import TextEncoder
from conversation_analytics.categorization.evaluation import OUT_OF_SCOPE
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.labelled import Labelled
from conversation_analytics.categorization.labelling import felt, told
from conversation_analytics.categorization.language import languages_of
from conversation_analytics.categorization.sentiment import SentimentModel
from conversation_analytics.categorization.taxonomy import Label, Section, TaxonomyTask
from conversation_analytics.categorization.taxonomy_labels import TaxonomyLabeller
from conversation_analytics.categorization.training.classifier import folds_of

Predictor: TypeAlias = Callable[[Sequence[str], Sequence[str]], list[Decision]]
"""Texts and their languages → what is decided of each."""

Learner: TypeAlias = Callable[[Sequence[Labelled]], Predictor]
"""Labelled texts → a predictor that learnt from them."""

_CHUNK: Final = 2_000  # texts looked at in one go


def by_language(texts: Sequence[str], languages: Sequence[str]) -> list[Decision]:
    """The language of texts, whatever they are said to be in."""
    del languages
    return _firsts(told(languages_of(texts)), len(texts))


def by_sentiment(model: SentimentModel) -> Predictor:
    """A predictor of sentiment, which knows nothing of languages that the model does not."""

    def predict(texts: Sequence[str], languages: Sequence[str]) -> list[Decision]:
        features, written_in = extract(texts), objects(languages)
        likely = model.probabilities(written_in, features)
        return _firsts(felt(likely, written_in, features.empty), len(texts))

    return predict


def by_taxonomy(labeller: TaxonomyLabeller) -> Predictor:
    """A predictor of a taxonomy's labels: the first one it gives."""

    def predict(texts: Sequence[str], languages: Sequence[str]) -> list[Decision]:
        decided = labeller.label(texts, extract(texts), objects(languages))
        return _firsts(decided, len(texts))

    return predict


def _firsts(decisions: Decisions, count: int) -> list[Decision]:
    """The main decision on each of so many texts."""
    return [first for first, *_ in decisions.of_each(count)]


def learner(
    task: TaxonomyTask,
    encoder: TextEncoder,
    section: Section | None = None,
    shots: int | None = None,
) -> Learner:
    """What makes a predictor of labelled texts; those without any of the labels teach nothing.

    Args:
        task: the task.
        encoder: what texts are about.
        section: the labels and their keywords; the texts' labels, without any, if not given.
        shots: texts of each label to learn from; all if not given.
    """

    def learn(rows: Sequence[Labelled]) -> Predictor:
        rows = [row for row in rows if row.labels[task] not in OUT_OF_SCOPE]
        rows = rows if shots is None else _few(rows, task, shots)
        names = sorted({row.labels[task] for row in rows})
        own = section or Section(task, tuple(Label(name) for name in names))
        return by_taxonomy(TaxonomyLabeller.from_labelled(own, rows, encoder))

    return learn


def decide(
    predict: Predictor, rows: Sequence[Labelled], languages: Sequence[str]
) -> Iterator[Decision]:
    """What a predictor says of texts, chunk by chunk."""
    for start in range(0, len(rows), _CHUNK):
        some = slice(start, start + _CHUNK)
        yield from predict([row.text for row in rows[some]], languages[some])


def decide_unseen(
    learn: Learner,
    rows: Sequence[Labelled],
    languages: Sequence[str],
    task: TaxonomyTask,
    folds: int,
) -> Iterator[tuple[int, Decision]]:
    """What is said of each text by a predictor that learnt from the other folds: cross-validation.

    Folds may share texts that are often said, as the past and the future do.

    Args:
        learn: makes a predictor of labelled texts.
        rows: the texts.
        languages: what each is written in.
        task: the task.
        folds: how many parts the texts are cut into.

    Yields:
        The place of a text, and what is said of it.
    """
    truth = [row.labels[task] for row in rows]
    numbers = {name: number for number, name in enumerate(sorted(set(truth)))}
    labels = np.array([numbers[label] for label in truth], dtype=np.int64)
    parts = np.maximum(folds_of([row.text for row in rows], labels, folds), 0)
    for part in range(folds):
        places = np.flatnonzero(parts == part).tolist()
        out = [rows[place] for place in places]
        predict = learn([rows[place] for place in np.flatnonzero(parts != part).tolist()])
        decided = decide(predict, out, [languages[place] for place in places])
        yield from zip(places, decided, strict=True)


def without(rows: Sequence[Labelled], others: Sequence[Labelled]) -> list[Labelled]:
    """The rows whose text is none of the others'."""
    known = {row.text for row in others}
    return [row for row in rows if row.text not in known]


def _few(rows: Sequence[Labelled], task: TaxonomyTask, count: int) -> list[Labelled]:
    """So many texts of each label, by the hashes of their texts: always the same ones."""
    taken: Counter[str] = Counter()
    few = []
    for row in sorted(rows, key=lambda row: blake2b(row.text.encode("utf-8", "replace")).digest()):
        taken[row.labels[task]] += 1
        if taken[row.labels[task]] <= count:
            few.append(row)
    return few

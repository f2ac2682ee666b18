"""Whether a translation gets the labels of its original: a signal of quality that costs nothing.

The same local models label both. They err in each language in their own way, so what tells is a
share that is higher than that of other languages, or than it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from conversation_analytics.categorization.decisions import Decisions, objects
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.labeller import Labeller
from conversation_analytics.categorization.labelling import felt
from conversation_analytics.translation.summary import COMPARED

_AT_ONCE: Final = 5_000

Labels = Mapping[str, str]
"""By task, those of one text; without the tasks for which it has none."""


def compared(
    labeller: Labeller, translations: pa.Table, categories: pa.Table
) -> dict[str, Counter[str]]:
    """How often the labels of originals and translations were compared, and how often they differ.

    Args:
        labeller: labels the translations.
        translations: of a day, with the columns of `schemas.TRANSLATIONS`.
        categories: the day's, with the labels of the originals.

    Returns:
        By the original's language the counts ``sentiment_compared``, ``sentiment_differing``,
        ``intent_compared`` and ``intent_differing``; those that are 0 are left out.
    """
    of_messages = pc.and_(
        pc.equal(translations["status"], "succeeded"), translations["message_id"].is_valid()
    )
    rows = translations.filter(of_messages)
    names = ("message_id", "source_language", "target_language", "text")
    ids, languages, targets, texts = (rows[name].to_pylist() for name in names)
    before = _of_originals(categories, rows["message_id"])
    after = _of_translations(labeller, list(zip(texts, targets, strict=True)))
    found: dict[str, Counter[str]] = {}
    for id_, language, translated in zip(ids, languages, after, strict=True):
        original = before.get(id_, {})
        counts = found.setdefault(language, Counter())
        for task in original.keys() & translated.keys():
            counts[f"{task}_compared"] += 1
            counts[f"{task}_differing"] += original[task] != translated[task]
    return {language: +counts for language, counts in found.items()}


def _of_originals(categories: pa.Table, messages: pa.ChunkedArray) -> dict[str, dict[str, str]]:
    """The labels of some messages, by their ids."""
    told = pc.and_(pc.equal(categories["rank"], 0), pc.invert(categories["abstained"]))
    asked = pc.and_(
        pc.is_in(categories["task"], pa.array(COMPARED)),
        pc.is_in(categories["message_id"], messages, skip_nulls=True),
    )
    rows = categories.filter(pc.and_(told, asked))
    columns = (rows[name].to_pylist() for name in ("message_id", "task", "label"))
    found: dict[str, dict[str, str]] = {}
    for id_, task, label in zip(*columns, strict=True):
        found.setdefault(id_, {})[task] = label
    return found


def _of_translations(labeller: Labeller, written: Sequence[tuple[str, str]]) -> list[Labels]:
    """The labels of texts with their languages; the same text is labelled once."""
    distinct = iter(dict.fromkeys(written))
    labels: dict[tuple[str, str], Labels] = {}
    while some := list(islice(distinct, _AT_ONCE)):
        labels |= zip(some, _labels(labeller, some), strict=True)
    return [labels[one] for one in written]


def _labels(labeller: Labeller, written: Sequence[tuple[str, str]]) -> list[Labels]:
    texts = [text for text, _ in written]
    languages = objects([target.partition("-")[0].lower() for _, target in written])
    features = extract(texts)
    likely = labeller.sentiment.probabilities(languages, features)
    decided = {
        "sentiment": felt(likely, languages, features.empty),
        "intent": labeller.intents.label(texts, features, languages),
    }
    found: list[dict[str, str]] = [{} for _ in written]
    for task, decisions in decided.items():
        first = decisions.rows(_given(decisions))
        for number, label in zip(first.numbers.tolist(), first.labels.tolist(), strict=True):
            found[number][task] = label
    return list(found)


def _given(decisions: Decisions) -> NDArray[np.bool_]:
    """The main labels, where one is given."""
    given: NDArray[np.bool_] = (decisions.ranks == 0) & ~decisions.abstained
    return given

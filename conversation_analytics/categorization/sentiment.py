"""Whether a text is negative, neutral or positive, in the languages where that was measured.

Every language has a model of its own over the features that all share, over what the feeling words
of the language and those of English add up to (see `lexicon`), since people mix English into
whatever they write, and over how much is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.artefact import SHIPPED, Artefact, load
from conversation_analytics.categorization.calibration import Calibration
from conversation_analytics.categorization.decisions import Objects
from conversation_analytics.categorization.features import Features
from conversation_analytics.categorization.lexicon import Lexicon
from conversation_analytics.categorization.linear import Dense, Floats, LinearModel, Vocabulary
from conversation_analytics.categorization.scripts import NO_SCRIPT, SCRIPTS, scripts_of

LABELS: Final = ("negative", "neutral", "positive")
EVERYWHERE: Final = ("english", "vader")
"""Lexicons that are looked up in every language, by their names in the model's file."""

# Languages whose texts were in one of their scripts alone: what is in another was not measured.
_MEASURED_IN: Final = {"hi": "Latin"}
_USUAL_SIZE: Final = np.float32(5)  # logarithm of the features of a short message


@dataclass(frozen=True)
class Head:
    """The model of a language.

    Attributes:
        model: its weights.
        lexicons: whose feelings are the first of its further numbers, in order.
    """

    model: LinearModel
    lexicons: tuple[Lexicon, ...]

    def scores(self, features: Features) -> Floats:
        """Texts × `LABELS`; the highest tells the label."""
        matrix = self.model.vocabulary.matrix(features)
        return self.model.scores(matrix, numbers_of(self.lexicons, features))


@dataclass(frozen=True)
class SentimentModel:
    """Models of sentiment.

    Attributes:
        version: names their content.
        heads: by language.
        calibrations: by language, what the head's scores are worth.
        about: what is said of them: scores by language, data, licences.
    """

    version: str
    heads: Mapping[str, Head]
    calibrations: Mapping[str, Calibration]
    about: Mapping[str, Any]

    @property
    def languages(self) -> frozenset[str]:
        """Those whose accuracy was measured."""
        return frozenset(self.heads)

    def probabilities(self, languages: Objects, features: Features) -> Floats:
        """Texts × `LABELS`; not numbers where the language, as it is written, was not measured.

        Args:
            languages: what each text is written in.
            features: what is in them.
        """
        found = np.full((features.count, len(LABELS)), np.nan, dtype=np.float32)
        names, groups = np.unique(languages, return_inverse=True)
        parts = features.split(groups.astype(np.uint16), len(names))
        for number, (language, part) in enumerate(zip(names.tolist(), parts, strict=True)):
            if language in self.heads:
                scores = self.heads[language].scores(part)
                likely = self.calibrations[language].probabilities(scores)
                if language in _MEASURED_IN:
                    likely[~_mostly(part, _MEASURED_IN[language])] = np.nan
                found[groups == number] = likely
        return found


def _mostly(features: Features, script: str) -> NDArray[np.bool_]:
    """Which texts have at least half of their words in a script."""
    scripts = scripts_of(features.codes[features.words.starts])
    docs = features.docs[features.words.starts]
    letters, own = (
        np.bincount(docs[some], minlength=features.count)
        for some in (scripts != NO_SCRIPT, scripts == SCRIPTS.index(script))
    )
    mostly: NDArray[np.bool_] = 2 * own >= letters
    return mostly


def numbers_of(lexicons: Sequence[Lexicon], features: Features) -> Dense:
    """Texts × what each lexicon's words add up to, side by side, and how much is written.

    A row of a matrix does not tell that, since all have length 1; yet long texts feel otherwise.
    """
    entries = np.bincount(features.entries.docs, minlength=features.count)
    size = np.log1p(entries).astype(np.float32)[:, None]
    return np.hstack(
        [*(lexicon.feelings(features) for lexicon in lexicons), size, (size - _USUAL_SIZE) ** 2]
    )


@cache
def sentiment_model(folder: Path = SHIPPED) -> SentimentModel:
    """The model in a folder, read once.

    Raises:
        ModelUnusable: see `artefact.load`.
    """
    file = load(folder, "sentiment")
    names = {name.partition(".lexicon.")[0] for name in file.arrays if ".lexicon." in name}
    lexicons = {name: _lexicon(file, name) for name in names}
    shared = [lexicons[name] for name in EVERYWHERE]
    heads = {
        language: Head(
            _linear(file, language),
            (*([lexicons[language]] if language in lexicons else []), *shared),
        )
        for language in file.about["languages"]
    }
    calibrations = {
        language: Calibration(facts["temperature"], np.array(facts["shift"], dtype=np.float32))
        for language, facts in file.about["languages"].items()
    }
    return SentimentModel(file.version, heads, calibrations, file.about)


def _lexicon(file: Artefact, name: str) -> Lexicon:
    hashes, roles, values = (
        file.arrays[f"{name}.lexicon.{part}"] for part in ("hashes", "roles", "values")
    )
    return Lexicon(hashes, roles, values)


def _linear(file: Artefact, language: str) -> LinearModel:
    def array(part: str) -> NDArray[Any]:
        return file.arrays[f"{language}.{part}"]

    return LinearModel(
        labels=LABELS,
        vocabulary=Vocabulary(
            np.cumsum(array("bucket_steps"), dtype=np.int32), array("rarity").astype(np.float32)
        ),
        weights=array("weights").astype(np.float32) * array("weight_scale"),
        dense=array("dense"),
        bias=array("bias"),
    )

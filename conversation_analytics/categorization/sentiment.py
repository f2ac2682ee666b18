"""Whether a text is negative, neutral or positive, in the languages where that was measured.

Every language has a model of its own over the features that all share, over what the feeling words
of the language and those of English add up to (see `lexicon`), since people mix English into
whatever they write, and over how much is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.artefact import SHIPPED, Artefact, load
from conversation_analytics.categorization.calibration import Calibration
from conversation_analytics.categorization.decisions import Objects
from conversation_analytics.categorization.features import Entries, Features
from conversation_analytics.categorization.lexicon import Lexicon, Lexicons
from conversation_analytics.categorization.linear import Dense, Floats, LinearModel, Vocabulary
from conversation_analytics.categorization.scripts import NO_SCRIPT, SCRIPTS, scripts_of

Numbers = NDArray[np.int64]

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

    def scores(self, entries: Entries, numbers: Dense) -> Floats:
        """Texts × `LABELS`; the highest tells the label.

        Args:
            entries: what the texts have.
            numbers: `numbers_of` the texts.
        """
        matrix = self.model.vocabulary.rows(entries, len(numbers))
        return self.model.scores(matrix, numbers)


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
        numbers = self._numbers(names, groups, features)
        parts = features.entries.parted(groups, len(names))
        for number, (language, entries) in enumerate(zip(names.tolist(), parts, strict=True)):
            if language in self.heads:
                head, own = self.heads[language], groups == number
                scores = head.scores(entries, numbers[own, -len(head.model.dense) :])
                likely = self.calibrations[language].probabilities(scores)
                if language in _MEASURED_IN:
                    likely[~_mostly(features, _MEASURED_IN[language])[own]] = np.nan
                found[own] = likely
        return found

    def _numbers(self, names: Objects, groups: Numbers, features: Features) -> Dense:
        """`numbers_of` texts of several languages; none of the first if one has no own lexicon."""
        own = np.array([self._own.get(name, -1) for name in names.tolist()], dtype=np.int64)
        shared = range(len(self._own), len(self._own) + len(EVERYWHERE))
        chosen = [own[groups], *(np.full(features.count, number) for number in shared)]
        return _numbers(self._lexicons, chosen, features)

    @cached_property
    def _own(self) -> dict[str, int]:
        """The number of each language's own lexicon."""
        own = [name for name, head in self.heads.items() if len(head.lexicons) > len(EVERYWHERE)]
        return {language: number for number, language in enumerate(own)}

    @cached_property
    def _lexicons(self) -> Lexicons:
        own = [self.heads[language].lexicons[0] for language in self._own]
        shared = next(iter(self.heads.values())).lexicons[-len(EVERYWHERE) :]
        return Lexicons([*own, *shared])


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
    chosen = [np.full(features.count, number) for number in range(len(lexicons))]
    return _numbers(Lexicons(lexicons), chosen, features)


def _numbers(lexicons: Lexicons, chosen: Sequence[Numbers], features: Features) -> Dense:
    entries = np.bincount(features.entries.docs, minlength=features.count)
    size = np.log1p(entries).astype(np.float32)[:, None]
    return np.hstack([lexicons.feelings(features, chosen), size, (size - _USUAL_SIZE) ** 2])


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

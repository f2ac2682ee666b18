"""The sentiment model: trained from a labelled file, kept in one, read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conversation_analytics.categorization.decisions import objects
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.labelled import Labelled
from conversation_analytics.categorization.linear import Floats
from conversation_analytics.categorization.sentiment import (
    LABELS,
    SentimentModel,
    sentiment_model,
)
from conversation_analytics.categorization.training.sentiment import believed, main

SAID = {
    "en": {
        "negative": ["the {} is awful", "I hate this {}", "what a bad {}"],
        "neutral": ["where is the {}", "the {} opens at nine", "I am at the {}"],
        "positive": ["I love the {}", "what a great {}", "the {} is good 😀"],
    },
    "es": {
        "negative": ["odio el {}", "el {} es malo", "qué {} tan feo"],
        "neutral": ["dónde está el {}", "el {} abre a las nueve", "estoy en el {}"],
        "positive": ["amo el {}", "el {} es bueno", "qué {} tan bonito"],
    },
}
THINGS = ["hotel", "bar", "taxi", "mail", "plan", "menu", "chat", "bus", "bot", "app"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model trained on a few made-up sentences."""
    folder = tmp_path_factory.mktemp("sentiment")
    rows = [
        {"text": said.format(thing), "sentiment": label, "language": language}
        for language, labels in SAID.items()
        for label, sentences in labels.items()
        for said in sentences
        for thing in THINGS
    ]
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    words = {"en": {"hate": -3, "great": 3}, "es": {"odio": -3, "bueno": 3, "😀": 2}}
    for language, list_ in words.items():
        entries = {word: {"coeff": value} for word, value in list_.items()}
        (folder / f"build-{language}.json").write_text(json.dumps(entries), "utf-8")
    for part in ("one", "two"):
        (folder / part).mkdir()
        main(data=folder / "data.jsonl", word_lists=folder, out=folder / part)
    return folder


def labels_of(folder: Path, language: str, texts: list[str]) -> list[str]:
    likely = likelihoods(sentiment_model(folder), language, texts)
    return [LABELS[n] for n in likely.argmax(axis=1)]


def likelihoods(model: SentimentModel, language: str, texts: list[str]) -> Floats:
    return model.probabilities(objects([language] * len(texts)), extract(texts))


def test_a_model_read_back_tells_what_it_was_taught(folder: Path) -> None:
    assert sentiment_model(folder / "one").languages == {"en", "es"}
    assert labels_of(
        folder / "one", "en", ["I hate this shop", "where is the shop", "what a great shop"]
    ) == ["negative", "neutral", "positive"]
    assert labels_of(
        folder / "one", "es", ["odio el sol", "dónde está el sol", "el sol es bueno"]
    ) == ["negative", "neutral", "positive"]


def test_every_language_says_how_well_it_does_on_texts_it_was_not_taught(folder: Path) -> None:
    model = sentiment_model(folder / "one")
    for language, facts in model.about["languages"].items():
        assert facts["texts"] == 90
        assert facts["macro_f1"] > 0.9
        texts = [said.format("shop") for label in SAID[language].values() for said in label]
        likely = likelihoods(model, language, texts)
        assert likely.sum(axis=1) == pytest.approx(np.ones(len(texts)))
        assert likely.max(axis=1).mean() > 0.6


def test_the_same_file_gives_the_same_model(folder: Path) -> None:
    assert sentiment_model(folder / "one").version == sentiment_model(folder / "two").version


def test_rows_whose_labels_are_not_believed_are_left_out_and_no_others() -> None:
    def rows(source: str, split: str, language: str) -> list[Labelled]:
        return [Labelled(str(n), {}, language, source, split) for n in range(925)]

    others = [*rows("umsab", "test", "hi"), *rows("umsab", "train", "de"), *rows("own", "", "hi")]
    kept = believed([*rows("umsab", "train", "hi"), *others])
    assert [row.text for row in kept[: -len(others)]] == ["920", "921", "922", "923", "924"]
    assert kept[-len(others) :] == others

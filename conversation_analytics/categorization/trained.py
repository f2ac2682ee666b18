"""Classifiers trained on this machine, kept as model files: reading one costs no training.

They lie in the user's cache folder (`XDG_CACHE_HOME`, else ``~/.cache``), named by everything that
decides what they are. Whatever is missing or damaged there is trained anew.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.artefact import Artefact, load, save
from conversation_analytics.categorization.calibration import Calibration
from conversation_analytics.categorization.classifier import (
    CentroidModel,
    Classifier,
    Measured,
    Model,
)
from conversation_analytics.categorization.encoders import TextEncoder
from conversation_analytics.categorization.kernel import KernelModel
from conversation_analytics.categorization.linear import LinearModel, Vocabulary
from conversation_analytics.errors import ModelUnusable

logger = logging.getLogger(__name__)

_MOST_FILES: Final = 20  # of the last models made; each has a few megabytes


def cache_folder() -> Path:
    """Where trained models are kept."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "conversation-analytics" / "models"


def trained(name: str, encoder: TextEncoder, train: Callable[[], Classifier]) -> Classifier:
    """A classifier that was trained before, or is trained now and kept.

    Args:
        name: names everything that decides what it is.
        encoder: which it was or is trained with.
        train: trains it.
    """
    folder = cache_folder()
    try:
        return _unpacked(load(folder, name), encoder)
    except ModelUnusable as error:
        logger.debug("%s", error)
    logger.info("training %s, to be kept in %s", name, folder)
    classifier = train()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save(folder, name, *_packed(classifier))
        _forget_old(folder)
    except OSError as error:
        logger.warning("%s is not kept, and is trained again next time: %s", name, error)
    return classifier


def _forget_old(folder: Path) -> None:
    files = sorted(folder.glob("*.npz"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[_MOST_FILES:]:
        file.unlink(missing_ok=True)


def _packed(classifier: Classifier) -> tuple[Mapping[str, Any], Mapping[str, NDArray[Any]]]:
    model = classifier.model
    about = {
        "labels": model.labels,
        "measured": {code: list(facts) for code, facts in classifier.measured.items()},
        "temperature": classifier.calibration.temperature,
    }
    arrays = {
        "shift": classifier.calibration.shift,
        "buckets": model.vocabulary.buckets,
        "rarity": model.vocabulary.rarity,
    }
    return about, arrays | _model_arrays(model)


def _model_arrays(model: Model) -> dict[str, NDArray[Any]]:
    """What a model has beside its labels and its vocabulary."""
    if isinstance(model, LinearModel):
        return {"weights": model.weights, "dense": model.dense, "bias": model.bias}
    if isinstance(model, KernelModel):
        return {"weights": model.weights, "known": model.known, "shares": model.shares}
    sparse = {name: getattr(model.weights, name) for name in ("data", "indices", "indptr")}
    return {**sparse, "dense": model.dense}


def _unpacked(file: Artefact, encoder: TextEncoder) -> Classifier:
    about, arrays = file.about, file.arrays
    model = _model(tuple(about["labels"]), arrays)
    calibration = Calibration(about["temperature"], arrays["shift"].astype(np.float32))
    measured = {language: Measured(*facts) for language, facts in about["measured"].items()}
    return Classifier(model, encoder, calibration, measured)


def _model(labels: tuple[str, ...], arrays: Mapping[str, NDArray[Any]]) -> Model:
    vocabulary = Vocabulary(arrays["buckets"], arrays["rarity"])
    if "bias" in arrays:
        parts = (arrays[name] for name in ("weights", "dense", "bias"))
        return LinearModel(labels, vocabulary, *parts)
    if "known" in arrays:
        parts = (arrays[name] for name in ("weights", "known", "shares"))
        return KernelModel(labels, vocabulary, *parts)
    from scipy.sparse import csr_matrix

    sparse = (arrays["data"], arrays["indices"], arrays["indptr"])
    shape = (len(vocabulary.buckets), len(labels))
    return CentroidModel(labels, vocabulary, csr_matrix(sparse, shape=shape), arrays["dense"])

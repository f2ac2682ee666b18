"""Word vectors: what a text is about, as the sum of what its words are about.

The vectors are distilled from a sentence encoder (see `training.vectors`): the sum of a text's
words is as near as it can be to what the encoder makes of the whole, at a thousandth of the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.artefact import SHIPPED, load
from conversation_analytics.categorization.features import Features, Hashes, offsets
from conversation_analytics.categorization.lookup import HashTable

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class WordVectors:
    """Vectors of words.

    Attributes:
        hashes: of each word, the most frequent first.
        values: int8, words × dimensions: its vector over `scale`, weighted down if frequent.
        scale: of each dimension.
        version: names their content; empty if they are of no file.
    """

    hashes: Hashes
    values: NDArray[np.int8]
    scale: NDArray[np.float32]
    version: str = ""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.values.shape[1])

    @cached_property
    def _table(self) -> HashTable:
        return HashTable(self.hashes)

    def of(self, features: Features) -> Vectors:
        """A vector for every text, as long as the share of its words that are known.

        So the few names and loan words that are known of another language say little.
        """
        from scipy.sparse import csr_matrix

        hits, places = self._table.find(features.words.hashes)
        owners = features.docs[features.words.starts[hits]]
        counts = csr_matrix(
            (np.ones(len(hits), dtype=np.float32), places, offsets(owners, features.count)),
            shape=(features.count, len(self.hashes)),
        )
        sums: Vectors = (counts @ self._floats) * self.scale
        lengths = np.linalg.norm(sums, axis=1)
        known = np.bincount(owners, minlength=features.count)
        words = np.bincount(features.docs[features.words.starts], minlength=features.count)
        shares = known / np.maximum(words, 1)
        sums *= (shares / np.where(lengths == 0, 1, lengths)).astype(np.float32)[:, None]
        return sums

    @cached_property
    def _floats(self) -> Vectors:
        return self.values.astype(np.float32)


@cache
def word_vectors(folder: Path = SHIPPED) -> WordVectors:
    """The vectors in a folder, read once.

    Raises:
        ModelUnusable: see `artefact.load`.
    """
    file = load(folder, "words")
    hashes, values, scale = (file.arrays[part] for part in ("hashes", "values", "scale"))
    return WordVectors(hashes, values, scale, file.version)

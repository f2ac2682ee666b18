"""The conversations that fit no topic, in an order that does not depend on how they came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from conversation_analytics.categorization.language import UNDETERMINED

Places = NDArray[np.int64]
Vectors = NDArray[np.float32]

COLUMNS: Final = ("conversation_id", "user_id", "started_at", "text", "language")

LONGEST: Final = 1_000
"""Characters of a text that are looked at: what it is about is said there."""

_CHUNK: Final = 500_000  # characters: what their features take is some 150 MB


@dataclass(frozen=True)
class Conversations:
    """Conversations in the order of their ids; a place is the number of one.

    Attributes:
        table: `COLUMNS` of each.
        vectors: float32, conversations × dimensions, what each is about; null if only its words
            tell.
    """

    table: pa.Table
    vectors: Vectors | None = None

    @classmethod
    def of(cls, table: pa.Table, vectors: Vectors | None = None) -> Conversations:
        """Conversations in any order.

        Args:
            table: has `COLUMNS`: `text` is what the user wrote, the first messages joined;
                conversations without a `user_id` count as of one user, those without a `language`
                as of one language; an empty text is as good as none.
            vectors: a row of numbers for each row of the table, from any encoder.

        Raises:
            ValueError: a column is missing, an id is missing or there twice, or the vectors do
                not fit the rows.
        """
        if missing := [name for name in COLUMNS if name not in table.column_names]:
            raise ValueError(f"the conversations lack the columns {', '.join(missing)}")
        table = table.select(list(COLUMNS))
        ids = table["conversation_id"]
        if ids.null_count:
            raise ValueError(f"{ids.null_count} conversations have no conversation_id")
        order = pc.sort_indices(ids)
        table = table.take(order)
        ids = table["conversation_id"]
        if len(pc.unique(ids)) < len(ids):
            twice = next(
                row["values"] for row in pc.value_counts(ids).to_pylist() if row["counts"] > 1
            )
            raise ValueError(f"the conversation {twice!r} is there more than once")
        if vectors is not None:
            vectors = _fitting(vectors, len(ids))[order.to_numpy()]
        return cls(table, vectors)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def ids(self, places: Places) -> list[str]:
        """The ids of some."""
        found: list[str] = self.table["conversation_id"].take(places).to_pylist()
        return found

    def texts(self, places: Places) -> list[str]:
        """The beginnings of some texts; empty if without a letter, as pictures and numbers are."""
        found = pc.utf8_slice_codeunits(self.table["text"].take(places), 0, LONGEST).to_pylist()
        return [text if text and any(map(str.isalpha, text)) else "" for text in found]

    @cached_property
    def users(self) -> Places:
        """The number of each one's user; those without one have the same."""
        codes = self.table["user_id"].cast(pa.string()).combine_chunks().dictionary_encode().indices
        found: Places = codes.fill_null(len(self)).to_numpy(zero_copy_only=False).astype(np.int64)
        return found

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """A hash of each one's id: the same in every run, and in no order that means anything."""
        ids = self.table["conversation_id"].to_pylist()
        digests = b"".join(blake2b(str(one).encode(), digest_size=8).digest() for one in ids)
        return np.frombuffer(digests, dtype=">u8").astype(np.uint64)

    @cached_property
    def languages(self) -> dict[str, Places]:
        """The places of each language's, by language."""
        given = [one or UNDETERMINED for one in self.table["language"].to_pylist()]
        names, numbers = np.unique(np.array(given, dtype=object).astype(str), return_inverse=True)
        return {str(name): np.flatnonzero(numbers == n) for n, name in enumerate(names)}

    def sample(self, places: Places, most: int) -> Places:
        """At most so many of some, in order: those whose hashes are the lowest."""
        if len(places) <= most:
            return places
        return np.sort(places[np.argsort(self.hashes[places], kind="stable")[:most]])


def chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Texts in runs short enough to have all their features at once."""
    start, size = 0, 0
    for place, text in enumerate(texts):
        size += len(text)
        if size > _CHUNK and place > start:
            yield texts[start:place]
            start, size = place, len(text)
    if start < len(texts):
        yield texts[start:]


def _fitting(vectors: Vectors, rows: int) -> Vectors:
    if vectors.ndim != 2 or len(vectors) != rows:
        raise ValueError(f"vectors of the shape {vectors.shape} do not fit {rows} conversations")
    if not np.isfinite(vectors).all():
        raise ValueError("the vectors must be finite numbers")
    return vectors.astype(np.float32)

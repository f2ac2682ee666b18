"""Texts on local disk: appended in any order, read back by place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from conversation_analytics.partitions import Int64s

# Rows of a day mostly lie near each other: what one read brings along serves the next ones.
_READ_AHEAD = 16 * 1024


class Spool:
    """A file of texts, one after another.

    Args:
        path: where it is made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._size = 0

    def append(self, texts: pa.StringArray) -> tuple[pa.Array, pa.Array]:
        """Write texts, none of which is null; tells the place and the size of each, in bytes."""
        _, offsets, data = texts.buffers()
        count = len(texts)
        bounds: Int64s = np.zeros(1, np.int64)
        if count:
            bounds = np.frombuffer(offsets, np.int32, count + 1, texts.offset * 4).astype(np.int64)
        if data is not None:
            self._file.write(memoryview(data)[bounds[0] : bounds[-1]])
        places = bounds[:-1] + (self._size - bounds[0])
        self._size += int(bounds[-1] - bounds[0])
        return pa.array(places), pa.array(np.diff(bounds))

    def read(self, places: pa.ChunkedArray, sizes: pa.ChunkedArray) -> pa.Array:
        """The texts at some places, in the order of the places given."""
        self._file.flush()
        texts = [b""] * len(places)
        at, size = places.to_numpy(), sizes.to_numpy()
        with self._path.open("rb", buffering=_READ_AHEAD) as file:
            for row in np.argsort(at).tolist():
                file.seek(at[row])
                texts[row] = file.read(size[row])
        return pa.array(texts, pa.binary()).cast(pa.string())

    def close(self) -> None:
        """Let go of the file; it is not removed."""
        self._file.close()

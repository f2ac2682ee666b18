"""Texts on local disk: appended in any order, read back by place."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from conversation_analytics.partitions import Int64s

_CHUNK_BYTES = 2**30


class Spool:
    """A file of texts, one after another.

    Args:
        path: where it is made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._size = 0

    def append(self, texts: pa.LargeStringArray) -> tuple[pa.Array, pa.Array]:
        """Write texts, none of which is null; tells the place and the size of each, in bytes."""
        _, offsets, data = texts.buffers()
        count = len(texts)
        bounds: Int64s = np.zeros(1, np.int64)
        if count:
            bounds = np.frombuffer(offsets, np.int64, count + 1, texts.offset * 8)
        if data is not None:
            self._file.write(memoryview(data)[bounds[0] : bounds[-1]])
        places = bounds[:-1] + (self._size - bounds[0])
        self._size += int(bounds[-1] - bounds[0])
        return pa.array(places), pa.array(np.diff(bounds))

    def read(self, places: pa.ChunkedArray, sizes: pa.ChunkedArray) -> pa.ChunkedArray:
        """The texts at some places, in the order of the places given."""
        self._file.flush()
        at, size = places.to_numpy(), sizes.to_numpy()
        order = np.argsort(at)
        texts = self._read_sorted(at[order], size[order])
        turns = np.argsort(order)
        # Arrow's ordinary texts end at 2 GiB; a row is far smaller.
        ends = np.flatnonzero(np.diff(np.cumsum(size) // _CHUNK_BYTES)) + 1
        chunks = [texts.take(pa.array(part)).cast(pa.string()) for part in np.split(turns, ends)]
        return pa.chunked_array(chunks, pa.string())

    def _read_sorted(self, at: Int64s, size: Int64s) -> pa.LargeStringArray:
        """The texts at places that go up; those that follow each other are read as one."""
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)])
        data = memoryview(bytearray(int(offsets[-1])))
        breaks = np.flatnonzero(at[1:] != at[:-1] + size[:-1]) + 1
        bounds = [0, *breaks.tolist(), len(at)] if len(at) else []
        with self._path.open("rb") as file:
            for first, end in pairwise(bounds):
                file.seek(at[first])
                file.readinto(data[offsets[first] : offsets[end]])
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.large_string(), len(at), buffers)

    def close(self) -> None:
        """Let go of the file; it is not removed."""
        self._file.close()

"""Rows as MongoDB documents."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bson import encode
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from conversation_analytics.errors import StorageError
from conversation_analytics.partitions import day_key
from conversation_analytics.schemas import TableSchema
from conversation_analytics.storage.mongo_client import Document

LARGEST_DOCUMENT = 16 * 1024 * 1024
_WHOLE = "*"
_CHUNK = 4096


def documents(
    table: pa.Table, schema: TableSchema, *, day: date | str, epoch: int
) -> Iterator[Document]:
    """The rows of a day as documents, in row order.

    A document has `_id` (see `identities`), every column of the schema, `partition`
    (``YYYY-MM-DD`` of a day) and `epoch`. Dates are texts of that form. Times are naive datetimes
    in UTC, as BSON takes them, cut to milliseconds, all it can hold: the lake keeps the
    microseconds. Integers are 64 bit, decimals
    `Decimal128` with the scale of their column, `attributes` the JSON text it is in the lake.
    """
    names = ["_id", *schema.names, "partition", "epoch"]
    marks = (repeat(day if isinstance(day, str) else day_key(day)), repeat(Int64(epoch)))
    for start in range(0, table.num_rows, _CHUNK):
        part = table.slice(start, _CHUNK)
        columns = [_values(part.column(name)) for name in schema.names]
        # Without the checks of strict: all are as long as the part, and this line is the hot one.
        for row in zip(identities(part, schema), *columns, *marks):  # noqa: B905
            yield dict(zip(names, row))  # noqa: B905


def identities(table: pa.Table, schema: TableSchema) -> list[str]:
    """The `_id` of every row: its key columns joined by ``|``, with ``*`` for null."""
    parts = [pc.fill_null(table.column(name).cast(pa.string()), _WHOLE) for name in schema.key]
    joined: list[str] = pc.binary_join_element_wise(*parts, "|").to_pylist()
    return joined


def refuse_oversized(batch: list[Document]) -> None:
    """Refuse documents that MongoDB cannot hold.

    Raises:
        StorageError: names the first one that is too large, and its size in bytes.
    """
    for document in batch:
        if (size := len(encode(document))) > LARGEST_DOCUMENT:
            raise StorageError(
                f"document {document['_id']!r} of day {document['partition']} has {size} bytes, "
                f"more than the {LARGEST_DOCUMENT} MongoDB can hold: shorten its text in the "
                "source, or run without MONGODB_URI; the lake keeps it whole."
            )


def _values(column: pa.ChunkedArray) -> list[Any]:
    """A column as values BSON knows, by ways much faster than Arrow's own or one call a value."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _moments(column)
    if pa.types.is_decimal(kind):
        return _decimals(column)
    if pa.types.is_date(kind):
        column = column.cast(pa.string())
    if pa.types.is_integer(kind):
        return _integers(column)
    values: list[Any] = column.to_pylist()
    return values


def _moments(column: pa.ChunkedArray) -> list[datetime | None]:
    """Arrow timestamps as naive datetimes in UTC; their years are 1 to 9999, as sources see to."""
    millis = column.cast(pa.timestamp("ms", column.type.tz), safe=False)
    moments: list[datetime | None] = millis.to_numpy().tolist()
    return moments


def _integers(column: pa.ChunkedArray) -> list[Int64 | None]:
    """Arrow integers as `Int64`, made once for all equal ones: counts repeat a lot."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    distinct = [None if value is None else Int64(value) for value in encoded.dictionary.to_pylist()]
    return [distinct[place] for place in encoded.indices.to_pylist()]


def _decimals(column: pa.ChunkedArray) -> list[Decimal128 | None]:
    """Arrow decimals as `Decimal128` of the same scale, by their bits.

    Arrow keeps the unscaled value as a 128-bit two's complement, low word first; `Decimal128`
    wants sign, biased exponent and coefficient (IEEE 754-2008, binary integer encoding). Up to
    34 digits are exact, all a `Decimal128` has; the schema's decimals have 20.
    """
    array = column.combine_chunks()
    words = np.frombuffer(array.buffers()[1], dtype="<u8").reshape(-1, 2)
    low, high = words[array.offset : array.offset + len(array)].T
    negative = high >> 63 == 1
    high = np.where(negative, ~high + (low == 0), high)
    low = np.where(negative, ~low + np.uint64(1), low)
    head = high | np.uint64((6176 - column.type.scale) << 49) | (negative.astype("u8") << 63)
    bits = zip(array.is_valid().to_pylist(), head.tolist(), low.tolist(), strict=True)
    return [
        Decimal128((upper, lower)) if valid else None  # type: ignore[arg-type]  # by its bits
        for valid, upper, lower in bits
    ]

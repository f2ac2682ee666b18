"""Rows as canonical hashes and as Parquet bytes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from conversation_analytics.schemas import TableSchema
from conversation_analytics.settings import Settings

EPOCH_KEY = b"conversation_analytics.epoch"
HASH_KEY = b"conversation_analytics.content_hash"
_MEGABYTE = 1_000_000


def digest(data: bytes) -> str:
    """The 128-bit BLAKE2b hash (RFC 7693) of some bytes, in hexadecimal."""
    return blake2b(data, digest_size=16).hexdigest()


def digests(data: Iterable[bytes | memoryview]) -> list[str]:
    """The `digest` of each of many."""
    return [blake2b(one, digest_size=16).hexdigest() for one in data]


def row_hashes(table: pa.Table, schema: TableSchema) -> list[str]:
    """A hash for each row, over the columns whose `Column.hashed` is true.

    The hash is that of a JSON array of the values in column order, with times as microseconds
    since 1970 and decimals as text, so it does not depend on Arrow or on Parquet.
    """
    columns = [plain_values(table.column(c.name)) for c in schema.columns if c.hashed]
    return digests(map(_json, zip(*columns, strict=True)))


def content_hash(hashes: Iterable[str]) -> str:
    """The hash of a set of rows, whatever their order."""
    return digest("".join(sorted(hashes)).encode())


def table_hash(table: pa.Table, schema: TableSchema) -> str:
    """The hash of a table's content.

    Of a table whose rows carry their own hashes it is the `content_hash` of those. Of any other
    it is the hash of a JSON array of its hashed columns, each an array of values as in
    `row_hashes`: such a table must be in the order of its schema.
    """
    if "content_hash" in schema.by_name:
        return content_hash(table.column("content_hash").to_pylist())
    columns = [plain_values(table.column(c.name)) for c in schema.columns if c.hashed]
    return digest(_json(columns))


def _json(values: Any) -> bytes:
    """JSON in which decimals inside lists are texts, as those of columns are."""
    return orjson.dumps(values, default=str)


def plain_values(column: pa.ChunkedArray) -> list[Any]:
    """A column as JSON-able Python values: times as microseconds, decimals as text."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    elif pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values


@dataclass(frozen=True, slots=True)
class ParquetOptions:
    """How Parquet files are written.

    Attributes:
        compression: codec.
        row_group_size: rows in a row group.
        page_size: bytes in a data page.
        max_records: most rows in a file, null for no limit.
        target_megabytes: size of file to aim at, null for no limit.
    """

    compression: str
    row_group_size: int
    page_size: int
    max_records: int | None
    target_megabytes: int | None

    @classmethod
    def of(cls, settings: Settings) -> ParquetOptions:
        """The options the settings ask for."""
        return cls(
            settings.parquet_compression,
            settings.parquet_row_group_size,
            settings.parquet_page_size,
            settings.parquet_max_records_per_file,
            settings.parquet_target_file_size_mb,
        )


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """One Parquet file, ready to be put.

    Attributes:
        data: its bytes.
        rows: how many rows are in it.
    """

    data: bytes
    rows: int


def encode(
    table: pa.Table, schema: TableSchema, options: ParquetOptions, *, epoch: int, hash_: str
) -> list[EncodedFile]:
    """A day's rows as Parquet files: one, unless the options split it."""
    table = table.replace_schema_metadata(
        {EPOCH_KEY: str(epoch).encode(), HASH_KEY: hash_.encode()}
    )
    rows = table.num_rows
    per_file = max(1, min(rows, options.max_records or rows))
    if options.target_megabytes and rows:
        whole = _encode(table, schema, options)
        files = math.ceil(len(whole) / (options.target_megabytes * _MEGABYTE))
        if files == 1 and per_file == rows:
            return [EncodedFile(whole, rows)]
        per_file = min(per_file, math.ceil(rows / files))
    parts = [table.slice(start, per_file) for start in range(0, max(rows, 1), per_file)]
    return [EncodedFile(_encode(part, schema, options), part.num_rows) for part in parts]


def _encode(table: pa.Table, schema: TableSchema, options: ParquetOptions) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression=options.compression,
        row_group_size=options.row_group_size,
        data_page_size=options.page_size,
        # Dictionaries pay off on few distinct values only, and cost time on texts and ids.
        use_dictionary=[column.name for column in schema.columns if column.categorical],
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data

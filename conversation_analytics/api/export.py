"""Exports: the rows of many days as one file, written while it is sent, a day at a time.

Memory holds one day. What goes wrong on the way can only be told by cutting the file off.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from conversation_analytics.api.models import OURS

Format = Literal["csv", "parquet", "arrow"]

MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_CHUNK_ROWS = 4_096
# What spreadsheets take for the beginning of a formula (OWASP, CSV injection).
_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"


class _Writer(Protocol):
    def write_table(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


class _Outgoing(io.RawIOBase):
    """A file whose bytes are taken away as soon as they are written."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def flat_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of an export: structs as one column a member, such as ``categories.topic``."""
    fields = flat(schema.empty_table()).schema
    return pa.schema([field.with_nullable(True) for field in fields])


def flat(table: pa.Table) -> pa.Table:
    """Rows as they are exported, without the columns that are ours."""
    shown = table.select([name for name in table.column_names if name not in OURS])
    return shown.replace_schema_metadata(None).flatten()


def exported(format_: Format, schema: pa.Schema, days: Iterator[pa.Table]) -> Iterator[bytes]:
    """The bytes of a file.

    Args:
        format_: of the file.
        schema: of the rows, as `flat_schema` gives it.
        days: rows with its columns, taken one table at a time.
    """
    sink = _Outgoing()
    writer = _WRITERS[format_](sink, schema)
    for rows in days:
        table = rows.cast(schema)
        for start in range(0, table.num_rows, _CHUNK_ROWS):
            writer.write_table(table.slice(start, _CHUNK_ROWS))
            if data := sink.take():
                yield data
    writer.close()
    yield sink.take()


class _CsvWriter:
    """CSV that a spreadsheet does not run: texts that look like formulas begin with ``'``."""

    def __init__(self, sink: _Outgoing, schema: pa.Schema) -> None:
        self._lists = [field.name for field in schema if pa.types.is_list(field.type)]
        self._writer = pa_csv.CSVWriter(sink, self._plain(schema.empty_table()).schema)

    def write_table(self, table: pa.Table) -> None:
        self._writer.write_table(self._plain(table))

    def close(self) -> None:
        self._writer.close()

    def _plain(self, table: pa.Table) -> pa.Table:
        for position, name in enumerate(table.column_names):
            column = table[name]
            if name in self._lists:
                texts = [
                    None if v is None else orjson.dumps(v).decode() for v in column.to_pylist()
                ]
                column = pa.chunked_array([pa.array(texts, pa.string())])
            if pa.types.is_string(column.type):
                column = _harmless(column)
            if pa.types.is_timestamp(column.type):
                column = pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ")
            table = table.set_column(position, name, column)
        return table


def _harmless(column: pa.ChunkedArray) -> pa.ChunkedArray:
    risky = pc.match_substring_regex(column, _FORMULA)
    return pc.if_else(risky, pc.binary_join_element_wise("'", column, ""), column)


_WRITERS: dict[Format, Callable[[_Outgoing, pa.Schema], _Writer]] = {
    "csv": _CsvWriter,
    "parquet": lambda sink, schema: pq.ParquetWriter(sink, schema, compression="zstd"),
    "arrow": pa.ipc.new_stream,
}

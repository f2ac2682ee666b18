"""Conversations from exported files: JSON lines, CSV or Parquet, also gzipped."""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from conversation_analytics.errors import SourceSchemaError, SourceUnavailable
from conversation_analytics.sources.base import (
    SOURCE_TABLES,
    Page,
    SourceInfo,
    SourceTable,
    TableInfo,
)
from conversation_analytics.storage.encoding import digest

_PEEKED_ROWS = 1_000
_NAMED = 10  # files of a folder that an error names
_ENDINGS = (".jsonl", ".csv", ".parquet", ".jsonl.gz", ".csv.gz")
_MAX_PAGE_BYTES = 8 * 1024 * 1024


class FilesSource:
    """``conversations*`` and ``messages*`` files in a folder. Implements `ConversationSource`.

    Files are read in the order of their names; that and the order of lines is the source order.

    Args:
        folder: where the files are.
        page_rows: rows in a page.
    """

    queries = None

    def __init__(self, folder: Path, *, page_rows: int = 10_000) -> None:
        self._folder = folder
        self._page_rows = page_rows

    def probe(self) -> SourceInfo:
        """See `ConversationSource`."""
        return SourceInfo(
            kind="files",
            location=str(self._folder),
            fingerprint=f"files:{self._folder.resolve().name}",
            clock=datetime.now(UTC),
            ordered=True,
            conversations=self._table_info("conversations"),
            messages=self._table_info("messages"),
            details={
                table: ", ".join(path.name for path in self._files(table))
                for table in ("conversations", "messages")
            },
            version=self._version(),
        )

    def _version(self) -> str:
        """Name, size and time of change of every file."""
        stats = [(p.name, p.stat()) for table in SOURCE_TABLES for p in self._files(table)]
        told = [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats]
        return digest("\n".join(told).encode())

    def columns(self, table: SourceTable) -> tuple[str, ...]:
        """Column names as the first rows of each of a table's files have them."""
        found: dict[str, None] = {}
        for path in self._files(table):
            with self._explained(path):
                _, body = next(_blocks(path, _PEEKED_ROWS), (0, b""))
            for line in body.split(b"\n"):
                found |= dict.fromkeys(_keys(line))
        return tuple(found)

    def scan(self, table: SourceTable) -> Iterator[Page]:
        """See `ConversationSource`."""
        position = 0
        for path in self._files(table):
            with self._explained(path):
                for rows, body in _blocks(path, self._page_rows):
                    yield Page(table, position, body, "jsonl")
                    position += rows

    def close(self) -> None:
        """Nothing is kept open."""

    def _files(self, table: SourceTable) -> list[Path]:
        if not self._folder.is_dir():
            raise SourceUnavailable(
                f"SOURCE_DIR={self._folder} is no folder: set it to where the exported files "
                "are, or make some with: conversation-analytics generate"
            )
        pattern = f"{glob.escape(str(self._folder))}/{table}*"
        found = [Path(p) for p in sorted(glob.glob(pattern)) if p.endswith(_ENDINGS)]  # noqa: PTH207
        if not found:
            there = sorted(path.name for path in self._folder.iterdir())
            more = f" and {len(there) - _NAMED:,} more" if len(there) > _NAMED else ""
            raise SourceSchemaError(
                f"SOURCE_DIR={self._folder} has no {table} file: looked for "
                f"{', '.join(table + '*' + ending for ending in _ENDINGS)}; "
                f"found {', '.join(there[:_NAMED]) or 'nothing'}{more}"
            )
        return found

    def _table_info(self, table: SourceTable) -> TableInfo:
        files = self._files(table)
        names = ", ".join(path.name for path in files)
        # JSON lines leave out what has no value, so their first rows do not tell all columns.
        complete = not any(".jsonl" in path.suffixes for path in files)
        return TableInfo(name=names, columns=self.columns(table), complete=complete)

    @contextmanager
    def _explained(self, path: Path) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, zlib.error, csv.Error, pa.ArrowException) as error:
            raise SourceUnavailable(f"{path} cannot be read: {error}") from error


def _keys(line: bytes) -> Iterable[str]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ()
    return row if isinstance(row, dict) else ()


def _blocks(path: Path, rows: int) -> Iterator[tuple[int, bytes]]:
    """(number of lines, JSON lines) of a file, at most `rows` lines at a time."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        yield from _parquet_blocks(path, rows)
        return
    with _opened(path) as file:
        yield from _csv_blocks(file, rows) if name.endswith(".csv") else _line_blocks(file, rows)


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _line_blocks(file: IO[bytes], rows: int) -> Iterator[tuple[int, bytes]]:
    lines: list[bytes] = []
    size = 0
    first = file.readline().removeprefix(codecs.BOM_UTF8)
    for line in chain((first,), file):
        if not line.strip():
            continue
        lines.append(line if line.endswith(b"\n") else line + b"\n")
        size += len(line)
        if len(lines) == rows or size >= _MAX_PAGE_BYTES:
            yield len(lines), b"".join(lines)
            lines, size = [], 0
    if lines:
        yield len(lines), b"".join(lines)


def _csv_blocks(file: IO[bytes], rows: int) -> Iterator[tuple[int, bytes]]:
    """CSV rows as JSON lines; an empty cell is a null, a row of another width is kept as a list."""
    csv.field_size_limit(2**31 - 1)
    with io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="") as text:
        reader = csv.reader(text)
        header = next(reader, [])
        lines: list[bytes] = []
        for cells in reader:
            if not cells:
                continue
            row: Any = cells
            if len(cells) == len(header):
                row = {name: cell or None for name, cell in zip(header, cells, strict=True)}
            lines.append(_line(row))
            if len(lines) == rows:
                yield len(lines), b"".join(lines)
                lines = []
        if lines:
            yield len(lines), b"".join(lines)


def _parquet_blocks(path: Path, rows: int) -> Iterator[tuple[int, bytes]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=rows):
            yield batch.num_rows, b"".join(map(_line, batch.to_pylist()))


def _line(row: Any) -> bytes:
    """A row as a JSON line; a text that is not valid Unicode stays so, escaped."""
    try:
        return orjson.dumps(row, default=_plain, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return json.dumps(row, default=_plain).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    raise TypeError(f"{type(value).__name__} has no place in JSON")

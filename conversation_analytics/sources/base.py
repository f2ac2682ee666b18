"""What a source of conversations must be able to do.

A source hands over its rows as it stores them, as pages of JSON: decoding, mapping and judging
rows happens elsewhere, the same way for every source, and can run in a worker process because a
page is plain data. A source that must decode a page to find the next one says what it found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

SourceTable = Literal["conversations", "messages"]
SOURCE_TABLES: tuple[SourceTable, SourceTable] = ("conversations", "messages")


@dataclass(frozen=True, slots=True)
class Page:
    """A run of source rows, undecoded.

    Attributes:
        table: which source table the rows are of.
        position: source order of the first row; the others follow it one by one.
        body: the rows, encoded as `encoding` says.
        encoding: ``jsonl`` (one JSON object a line; a line may be damaged) or ``nocodb``
            (the body of a records answer, ``{"list": [...], "pageInfo": {...}}``).
        rows: the rows of the body, where the source had to decode it anyway.
        last_key: primary key of the last row, where pages can be resumed after it.
    """

    table: SourceTable
    position: int
    body: bytes
    encoding: Literal["jsonl", "nocodb"]
    rows: Sequence[Any] | None = field(default=None, repr=False)
    last_key: int | str | None = None


@dataclass(frozen=True, slots=True)
class TableInfo:
    """What the probe learnt about one source table.

    Attributes:
        name: the table's title or file pattern, for people.
        columns: column names in source order; for files, those of the first rows.
        primary_key: name of the primary key column, null when the source has none.
        key_type: ``integer``, ``uuid`` or ``text``; null without a primary key.
        system_columns: columns the source adds by itself, which are never data.
        rows: number of rows, null when counting would mean reading them all.
        range_filterable: whether the mapped creation time can be filtered by the source.
        types: what kind of values each column holds, in the source's words; empty where the
            source does not tell.
        complete: whether a row can have no other columns.
    """

    name: str
    columns: tuple[str, ...]
    primary_key: str | None = None
    key_type: Literal["integer", "uuid", "text"] | None = None
    system_columns: frozenset[str] = frozenset()
    rows: int | None = None
    range_filterable: bool = False
    types: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What the capability probe learnt about a source.

    Attributes:
        kind: ``nocodb`` or ``files``.
        location: where it is, for people; holds no secret.
        fingerprint: stable text naming source and tables; the lake remembers it.
        clock: the source's own clock at the probe, UTC.
        ordered: whether page positions tell the order of rows made in the same instant
            (integer keys and files do, UUID keys do not).
        change_columns: by table, the columns that tell when a row was made or last changed;
            empty where a source cannot be asked for changes.
        creation_columns: by table, those of them that tell when a row was made.
        version: text that differs whenever any row may differ; null where that costs a reading.
        details: more for people: API version, page cap, change columns, precision …
    """

    kind: Literal["nocodb", "files"]
    location: str
    fingerprint: str
    clock: datetime
    ordered: bool
    conversations: TableInfo
    messages: TableInfo
    details: dict[str, str] = field(default_factory=dict)
    change_columns: dict[SourceTable, tuple[str, ...]] = field(default_factory=dict)
    creation_columns: dict[SourceTable, tuple[str, ...]] = field(default_factory=dict)
    version: str | None = None


class SourceQueries(Protocol):
    """What a source can be asked for besides all its rows."""

    def conversations_between(self, start: datetime, end: datetime) -> Iterator[Page]:
        """Conversations whose creation time is in [start, end) or absent.

        May return rows just outside the range. Only for a table whose probe says
        `range_filterable`.
        """
        ...

    def messages_between(self, start: datetime, end: datetime) -> Iterator[Page]:
        """Messages whose creation time is in [start, end), or a little outside it."""
        ...

    def changes(
        self, table: SourceTable, since: datetime, after: int | str | None = None
    ) -> Iterator[Page]:
        """Rows made or changed at `since` or later, in key order, each page with its `last_key`.

        May return rows changed a little earlier. Only for a source whose probe names
        `change_columns`.

        Args:
            table: which table.
            since: a moment of the source's clock.
            after: key of the last row that was seen already.
        """
        ...

    def rows_by_key(self, table: SourceTable, keys: Sequence[str]) -> Iterator[Page]:
        """The rows with some primary keys, as text; a key without a row yields nothing."""
        ...

    def conversations_by_id(self, ids: Sequence[str]) -> Iterator[Page]:
        """All rows whose conversation id is one of `ids`; an id without rows yields nothing."""
        ...

    def messages_of(self, conversation_ids: Sequence[str]) -> Iterator[Page]:
        """All messages of the given conversations, ordered by creation time, then key.

        Positions count within this call, so they order rows made in the same instant even
        where `SourceInfo.ordered` is false.
        """
        ...


class ConversationSource(Protocol):
    """A place conversations are read from. Implementations are safe to use from one thread."""

    @property
    def queries(self) -> SourceQueries | None:
        """What it can be asked for; null if it can only be read whole."""
        ...

    def probe(self) -> SourceInfo:
        """Learn what the source is and can do.

        Raises:
            SourceUnavailable: it cannot be reached.
            SourceAccessDenied: it refuses the credentials.
            SourceSchemaError: a table or a mapped column is missing; names it and what is there.
        """
        ...

    def scan(self, table: SourceTable) -> Iterator[Page]:
        """Every row of a table once, in key order, up to a bound fixed before reading."""
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...

"""Two tables in memory that behave as NocoDB's do, with a clock the test moves.

Times of change have whole seconds; a row that was never edited has none; filters by time also
give the rows of the second they end with; a delete leaves no trace; a write may be seen later
than its time says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import orjson

from conversation_analytics.sources.base import (
    SOURCE_TABLES,
    Page,
    SourceInfo,
    SourceTable,
    TableInfo,
)
from conversation_analytics_tests.builders import Row, conversation, message

Key = int | str
# Keys of NocoDB's own making, which go up; UUIDs beside NocoDB's change columns; or, as where
# NocoDB shows another program's tables, the rows' own ids beside times that program keeps.
Keys = Literal["integer", "uuid", "own"]

SYSTEM = ("Id", "CreatedAt", "UpdatedAt")
_OWN_KEY = {"conversations": "conversation_id", "messages": "message_id"}
_OWN_COLUMNS: dict[SourceTable, tuple[str, ...]] = {
    "conversations": tuple(conversation()),
    "messages": (*message(), "is_deleted"),
}
_SECOND = timedelta(seconds=1)


@dataclass(order=True)
class _Late:
    """A write that is not seen yet."""

    due: float
    land: Callable[[], None] = field(compare=False)


class MemorySource:
    """Implements `ConversationSource` and `SourceQueries`.

    Attributes:
        clock: the source's clock.
        rows_read: rows handed over so far.
        on_page: called before each page is made: may change rows, or raise.
        on_change: called with the time of change of each row that comes into sight.

    Args:
        keys: what primary keys there are.
        page_rows: rows in a page.
        clock: the time at the beginning.
    """

    def __init__(
        self,
        *,
        keys: Keys = "integer",
        page_rows: int = 3,
        clock: datetime = datetime(2024, 3, 1, tzinfo=UTC),
    ) -> None:
        self.clock = clock
        self.rows_read = 0
        self.on_page: Callable[[], None] = lambda: None
        self.on_change: Callable[[datetime], None] = lambda _: None
        self._keys = keys
        self._page_rows = page_rows
        self._elapsed = 0.0
        self._made = 0
        self._late: list[_Late] = []
        self._tables: dict[SourceTable, dict[Key, Row]] = {table: {} for table in SOURCE_TABLES}

    # ---- what others do to it

    def put(self, table: SourceTable, rows: Iterable[Row]) -> None:
        """Have exactly these rows, each with its ``Id``, and nobody the wiser."""
        blank = dict.fromkeys((*SYSTEM, *_OWN_COLUMNS[table]))
        self._tables[table] = {row["Id"]: {**blank, **row} for row in rows}

    def insert(self, table: SourceTable, row: Row, *, seen_after: float = 0) -> Key:
        """Add a row made now, which comes into sight some seconds later; its key."""
        key, now = self._new_key(table, row), self._second()
        made = dict.fromkeys(_OWN_COLUMNS[table]) | row
        if self._keys == "own":
            made |= {"updated_at": _iso(now)}
        else:
            made = {"Id": key, "CreatedAt": _nocodb(now), "UpdatedAt": None, **made}
        self._later(seen_after, lambda: self._seen(table, key, made, now))
        return key

    def edit(
        self, table: SourceTable, key: Key, *, seen_after: float = 0, tells: bool = True, **new: Any
    ) -> None:
        """Change a row now, in sight some seconds later; unless it `tells`, no time moves."""
        now = self._second()
        if tells:
            new |= {"updated_at": _iso(now)} if self._keys == "own" else {"UpdatedAt": _nocodb(now)}

        def land() -> None:
            if key in self._tables[table]:
                changed = self._tables[table][key] | new
                self._seen(table, key, changed, now if tells else None)

        self._later(seen_after, land)

    def delete(self, table: SourceTable, key: Key) -> None:
        """Remove a row without a trace."""
        del self._tables[table][key]

    def advance(self, seconds: float) -> None:
        """Let time pass; late writes come into sight."""
        self._elapsed += seconds
        self.clock += timedelta(seconds=seconds)
        for late in sorted(late for late in self._late if late.due <= self._elapsed):
            self._late.remove(late)
            late.land()

    def keys(self, table: SourceTable) -> list[Key]:
        """Primary keys in sight, in order."""
        return sorted(self._tables[table], key=str if self._keys != "integer" else None)

    def row(self, table: SourceTable, key: Key) -> Row:
        """A row in sight, without the columns NocoDB adds."""
        own = self._tables[table][key]
        return {name: value for name, value in own.items() if name not in SYSTEM}

    def rows(self, table: SourceTable) -> list[Row]:
        """All rows in sight, by key, without the columns NocoDB adds."""
        return [self.row(table, key) for key in self.keys(table)]

    # ---- ConversationSource

    @property
    def queries(self) -> MemorySource:
        return self

    def probe(self) -> SourceInfo:
        tables = {table: self._table_info(table) for table in SOURCE_TABLES}
        own = self._keys == "own"
        columns = ("created_at", "updated_at") if own else ("CreatedAt", "UpdatedAt")
        return SourceInfo(
            kind="nocodb",
            location="memory",
            fingerprint="memory",
            clock=self._second(),
            ordered=self._keys == "integer",
            change_columns=dict.fromkeys(SOURCE_TABLES, columns),
            creation_columns=dict.fromkeys(SOURCE_TABLES, columns[:1]),
            **tables,
        )

    def scan(self, table: SourceTable) -> Iterator[Page]:
        bound = set(self._tables[table])
        return self._by_key(table, lambda row: row[self._key(table)] in bound)

    def close(self) -> None:
        pass

    # ---- SourceQueries

    def conversations_between(self, start: datetime, end: datetime) -> Iterator[Page]:
        return self._by_key("conversations", lambda row: _made(row, start, end, untimed=True))

    def messages_between(self, start: datetime, end: datetime) -> Iterator[Page]:
        return self._by_key("messages", lambda row: _made(row, start, end))

    def changes(
        self, table: SourceTable, since: datetime, after: Key | None = None
    ) -> Iterator[Page]:
        names = ("created_at", "updated_at") if self._keys == "own" else SYSTEM[1:]
        floor = since.replace(microsecond=0)

        def changed(row: Row) -> bool:
            times = (_moment(row[name]) for name in names)
            return any(time is not None and time >= floor for time in times)

        return self._by_key(table, changed, after)

    def rows_by_key(self, table: SourceTable, keys: Sequence[str]) -> Iterator[Page]:
        return self._by_key(table, lambda row: str(row[self._key(table)]) in set(keys))

    def conversations_by_id(self, ids: Sequence[str]) -> Iterator[Page]:
        return self._by_key("conversations", lambda row: row["conversation_id"] in set(ids))

    def messages_of(self, conversation_ids: Sequence[str]) -> Iterator[Page]:
        wanted = set(conversation_ids)
        rows = [
            row
            for key in self.keys("messages")
            if (row := self._tables["messages"][key])["conversation_id"] in wanted
        ]
        rows.sort(key=lambda row: str(row["created_at"]))
        for start in range(0, len(rows), self._page_rows):
            yield self._page("messages", start, rows[start : start + self._page_rows])

    # ---- inside

    def _by_key(
        self, table: SourceTable, wanted: Callable[[Row], bool], after: Key | None = None
    ) -> Iterator[Page]:
        """Pages by key, each of the rows there are when it is asked for."""
        position = 0
        while True:
            self.on_page()
            keys = self.keys(table)
            behind = keys if after is None else [key for key in keys if self._follows(key, after)]
            found = (self._tables[table][key] for key in behind)
            rows = [row for row in found if wanted(row)][: self._page_rows]
            if rows:
                after = rows[-1][self._key(table)]
                yield self._page(table, position, rows, asked=True)
                position += len(rows)
            if len(rows) < self._page_rows:
                return

    def _follows(self, key: Key, after: Key) -> bool:
        return key > after if isinstance(key, int) else str(key) > str(after)

    def _page(
        self, table: SourceTable, position: int, rows: list[Row], *, asked: bool = False
    ) -> Page:
        if not asked:
            self.on_page()
        self.rows_read += len(rows)
        body = orjson.dumps({"list": rows, "pageInfo": {}})
        return Page(table, position, body, "nocodb", last_key=rows[-1][self._key(table)])

    def _key(self, table: SourceTable) -> str:
        return _OWN_KEY[table] if self._keys == "own" else "Id"

    def _new_key(self, table: SourceTable, row: Row) -> Key:
        self._made += 1
        if self._keys == "own":
            key = row[_OWN_KEY[table]]
            assert key not in self._tables[table], "the database lets no two rows have one id"
            return str(key)
        if self._keys == "integer":
            return self._made
        digest = hashlib.blake2b(str(self._made).encode(), digest_size=16).digest()
        return str(UUID(bytes=digest))

    def _second(self) -> datetime:
        return self.clock.replace(microsecond=0)

    def _later(self, seconds: float, land: Callable[[], None]) -> None:
        if seconds:
            self._late.append(_Late(self._elapsed + seconds, land))
        else:
            land()

    def _seen(self, table: SourceTable, key: Key, row: Row, time: datetime | None) -> None:
        self._tables[table][key] = row
        if time is not None:
            self.on_change(time)

    def _table_info(self, table: SourceTable) -> TableInfo:
        own = self._keys == "own"
        return TableInfo(
            name=table,
            columns=_OWN_COLUMNS[table] if own else (*SYSTEM, *_OWN_COLUMNS[table]),
            primary_key=self._key(table),
            key_type={"integer": "integer", "uuid": "uuid", "own": "text"}[self._keys],
            system_columns=frozenset() if own else frozenset(SYSTEM),
            rows=len(self._tables[table]),
            range_filterable=True,
        )


def _made(row: Row, start: datetime, end: datetime, *, untimed: bool = False) -> bool:
    if row["created_at"] is None:
        return untimed
    time = _moment(row["created_at"])
    return time is not None and start.replace(microsecond=0) <= time <= end + _SECOND


def _moment(value: Any) -> datetime | None:
    """A time; rubbish, which NocoDB lets into such columns, is none."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _nocodb(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}+00:00"


def _iso(moment: datetime) -> str:
    return moment.isoformat()

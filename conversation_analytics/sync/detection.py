"""Which days are behind the source, found from the rows that changed since the last look.

    changes since the mark ─> rows the lake does not have ─> their days ─> tokens ─> cursor

A row is changed if the lake does not hold its very content: rows are asked for from a little
before the last look on, so most of those that were seen then come again and cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from conversation_analytics.partitions import MICROSECOND, from_micros, to_micros
from conversation_analytics.settings import Settings
from conversation_analytics.sources.base import (
    SOURCE_TABLES,
    Page,
    SourceInfo,
    SourceQueries,
    SourceTable,
)
from conversation_analytics.sources.interpret import Interpreter
from conversation_analytics.storage.index import IndexSnapshot
from conversation_analytics.storage.known import KnownRows
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import UNKNOWN_DAY, Day
from conversation_analytics.storage.pending import Token
from conversation_analytics.sync.cursor import Cursor, Pass
from conversation_analytics.transforms.staging import StagingTask, stage_page

_CARRIED = 64 * 1024  # characters; a larger row is asked for again rather than kept twice


@dataclass
class Found:
    """What a look at the changes found.

    Attributes:
        rows: rows fetched, by what for: ``changes`` or ``look-ups``.
        tokens: days that are behind, with why.
        finished: whether all changes were looked at.
    """

    rows: Counter[str] = field(default_factory=Counter)
    tokens: list[Token] = field(default_factory=list)
    finished: bool = False


class _Row(NamedTuple):
    """A source row as far as its day goes. Times are microseconds since 1970.

    `edited` is when it was made, if it may have been changed since.
    """

    table: SourceTable
    key: str
    conversation_id: str | None
    created: int | None
    usable: bool
    hash: str
    edited: int | None
    payload: str


class Detection:
    """One look at what changed in a source since a cursor's mark.

    Args:
        settings: the settings.
        lake: what is compared with the source.
        queries: the source.
        info: what its probe found.
        interpreter: how its rows are read.
        cursor: how far changes have been looked at.
    """

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        queries: SourceQueries,
        info: SourceInfo,
        interpreter: Interpreter,
        cursor: Cursor,
    ) -> None:
        self._lake = lake
        self._queries = queries
        self._interpreter = interpreter
        self._calendar = settings.calendar
        self._today = settings.calendar.day_of(info.clock)
        self._cursor = cursor
        lag = timedelta(seconds=settings.sync_lag_seconds)
        self._pass = cursor.under_way or Pass(mark=info.clock - lag)
        self._known = KnownRows(lake)
        self._index: IndexSnapshot = lake.index.snapshot()
        self._new_days: dict[str, Day] = {}
        # Rows made after this moment were in no reading and no look yet.
        newest = max([to_micros(cursor.mark), *self._index.marks().values()])
        self._unread_from = newest + lag // MICROSECOND

    def steps(self) -> Iterator[tuple[Found, Cursor]]:
        """What was found, page by page, each with the cursor to move to once it is written down.

        The last cursor has no pass under way. Stop after any step: a later look goes on there.

        Raises:
            SourceError: the source cannot be read.
            StorageError: the lake cannot be read.
        """
        cursor = self._cursor
        tables = SOURCE_TABLES[SOURCE_TABLES.index(self._pass.table) :]
        for table in tables:
            after = self._pass.after if table == self._pass.table else None
            for page in self._queries.changes(table, self._cursor.mark, after):
                found = self._look_at(page)
                now = Pass(mark=self._pass.mark, table=table, after=page.last_key)
                cursor = cursor.next(under_way=now)
                yield found, cursor
        yield (
            Found(finished=True),
            cursor.next(mark=max(self._pass.mark, self._cursor.mark), under_way=None),
        )

    def _look_at(self, page: Page) -> Found:
        found = Found()
        rows = self._rows(page)
        found.rows["changes"] = len(rows)
        homes = self._homes(rows, found)
        self._known.read(set(homes))
        behind: dict[Day, list[_Row]] = {}
        reasons: dict[Day, Counter[str]] = {}
        new: dict[str, _Row] = {}
        for row, home in zip(rows, homes, strict=True):
            held = self._known.of(home).hashes[row.table].get(row.key)
            if held == row.hash:
                continue
            behind.setdefault(home, []).append(row)
            reasons.setdefault(home, Counter())["new" if held is None else "changed"] += 1
            if held is None:
                new[row.key] = row
        for home, there in behind.items():
            for day, count in self._left(there, new, home).items():
                reasons.setdefault(day, Counter())["moved away"] += count
        found.tokens = [self._token(day, why, behind.get(day)) for day, why in reasons.items()]
        return found

    def _rows(self, page: Page) -> list[_Row]:
        table, batch = stage_page(StagingTask(page, self._interpreter))
        names = ("pk", "conversation_id", "created", "reason", "hash", "edited", "payload")
        columns = (batch.column(batch.schema.get_field_index(name)).to_pylist() for name in names)
        return [
            _Row(table, key, conversation_id, created, reason is None, *rest)
            for key, conversation_id, created, reason, *rest in zip(*columns, strict=True)
        ]

    def _homes(self, rows: Sequence[_Row], found: Found) -> list[Day]:
        """The day each row belongs to, as far as can be told without placing all rows."""
        ids = {row.conversation_id for row in rows if row.conversation_id is not None}
        listed: dict[str, Day] = {**self._index.days_of(sorted(ids)), **self._new_days}
        if rows and rows[0].table == "conversations":
            listed |= self._starts(rows, listed, found)
        elif unknown := ids - listed.keys():
            listed |= self._looked_up(sorted(unknown), found)
        return [self._home(row, listed) for row in rows]

    def _home(self, row: _Row, listed: dict[str, Day]) -> Day:
        owner = None if row.conversation_id is None else listed.get(row.conversation_id)
        usable = row.usable or row.table == "messages"
        return owner if owner is not None and usable else self._own_day(row.created)

    def _own_day(self, created: int | None) -> Day:
        if created is None:
            return UNKNOWN_DAY
        day = self._calendar.day_of(from_micros(created))
        return day if self._calendar.start <= day <= self._today else UNKNOWN_DAY

    def _starts(self, rows: Iterable[_Row], listed: dict[str, Day], found: Found) -> dict[str, Day]:
        """The days on which conversations start now."""
        starts: dict[str, Day] = {}
        untimed = []
        for row in rows:
            if row.conversation_id is None or not row.usable:
                continue
            if row.created is None:
                untimed.append(row.conversation_id)
            else:
                starts[row.conversation_id] = self._own_day(row.created)
        if untimed:
            starts |= self._first_messages(untimed, found)
        self._new_days |= {id_: day for id_, day in starts.items() if id_ not in listed}
        return starts

    def _first_messages(self, ids: Sequence[str], found: Found) -> dict[str, Day]:
        first: dict[str, int] = {}
        for page in self._queries.messages_of(ids):
            rows = self._rows(page)
            found.rows["look-ups"] += len(rows)
            for row in rows:
                if row.usable and row.created is not None and row.conversation_id is not None:
                    before = first.get(row.conversation_id, row.created)
                    first[row.conversation_id] = min(before, row.created)
        return {id_: self._own_day(first.get(id_)) for id_ in ids}

    def _looked_up(self, ids: Sequence[str], found: Found) -> dict[str, Day]:
        """The days of conversations that neither the lake nor this look has seen."""
        rows: list[_Row] = []
        for page in self._queries.conversations_by_id(ids):
            rows += self._rows(page)
        found.rows["look-ups"] += len(rows)
        return self._starts(rows, {}, found)

    def _left(self, rows: Sequence[_Row], new: Mapping[str, _Row], home: Day) -> Counter[Day]:
        """The days that have rows of another day, with their number.

        Args:
            rows: rows of one day that the lake does not have so.
            new: by key, those that their day does not have at all.
            home: their day.
        """
        left: dict[str, set[Day]] = {row.key: set() for row in rows}
        for row in rows:
            if row.table == "conversations" and row.conversation_id is not None:
                left[row.key].update(self._index.days_of([row.conversation_id]).values())
        sought = [key for key in left if key in new and self._may_be_known(new[key])]
        if sought:
            for key, days in self._known.days_with(rows[0].table, sought).items():
                left[key] |= days
        return Counter(day for days in left.values() for day in days if day != home)

    def _may_be_known(self, row: _Row) -> bool:
        """Whether the lake may have a row on some other day than it should."""
        return row.edited is not None and row.edited <= self._unread_from

    def _token(self, day: Day, reasons: Counter[str], rows: Sequence[_Row] | None) -> Token:
        """The token of a day; it carries the rows unless some left the day."""
        mark = max(self._pass.mark, self._known.of(day).mark + MICROSECOND)
        if rows is None or "moved away" in reasons:
            return Token(day, mark, reasons)
        seen = {row.key: row.payload if len(row.payload) <= _CARRIED else None for row in rows}
        return Token(day, mark, reasons, {rows[0].table: seen})

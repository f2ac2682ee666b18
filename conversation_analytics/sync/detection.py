"""Which days are behind the source, found from the rows that changed since the last look.

    changes since the mark ─> rows the lake does not have ─> their days ─> tokens ─> cursor

A row is changed if the lake does not hold its very content: rows are asked for from a little
before the last look on, so most of those that were seen then come again and cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
            held = self._held(row, home)
            if held == row.hash or self._lost_to_another(row):
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

    def _held(self, row: _Row, day: Day) -> str | None:
        """The hash of a row as a day of the lake has it."""
        return self._known.of(day).hashes[row.table].get(row.key)

    def _lost_to_another(self, row: _Row) -> bool:
        """Whether a conversation's row is kept where another row with its id starts, unchanged."""
        if row.table != "conversations" or row.conversation_id is None:
            return False
        listed = self._index.days_of([row.conversation_id]).values()
        return any(self._held(row, day) == row.hash for day in listed)

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
        if rows and rows[0].table == "conversations":
            return self._starts(rows, found)
        ids = {row.conversation_id for row in rows if row.conversation_id is not None}
        listed: dict[str, Day] = {**self._index.days_of(sorted(ids))}
        if unknown := ids - listed.keys() - self._new_days.keys():
            self._look_up(sorted(unknown), found)
        days = {**self._new_days, **listed}
        return [
            self._own_day(row.created) if day == UNKNOWN_DAY else day
            for row in rows
            for day in [days.get(row.conversation_id or "", UNKNOWN_DAY)]
        ]

    def _own_day(self, created: int | None) -> Day:
        if created is None:
            return UNKNOWN_DAY
        day = self._calendar.day_of(from_micros(created))
        return day if self._calendar.start <= day <= self._today else UNKNOWN_DAY

    def _starts(self, rows: Sequence[_Row], found: Found) -> list[Day]:
        """The day on which each conversation starts now, of several rows with one id each its own.

        Which of those is kept is known when all are placed: then the days of all must be written.
        """
        untimed = [row.conversation_id for row in rows if row.usable and row.created is None]
        first = self._first_messages(sorted({id_ for id_ in untimed if id_}), found)
        starts = []
        for row in rows:
            own = self._own_day(row.created)
            id_ = row.conversation_id or ""
            starts.append(first.get(id_, own) if row.created is None else own)
            if row.usable:
                self._new_days.setdefault(id_, starts[-1])
        return starts

    def _first_messages(self, ids: Sequence[str], found: Found) -> dict[str, Day]:
        first: dict[str, int] = {}
        for page in self._queries.messages_of(ids) if ids else ():
            rows = self._rows(page)
            found.rows["look-ups"] += len(rows)
            for row in rows:
                if row.usable and row.created is not None and row.conversation_id is not None:
                    before = first.get(row.conversation_id, row.created)
                    first[row.conversation_id] = min(before, row.created)
        return {id_: self._own_day(first.get(id_)) for id_ in ids}

    def _look_up(self, ids: Sequence[str], found: Found) -> None:
        """Learn the days of conversations that neither the lake nor this look has seen."""
        rows: list[_Row] = []
        for page in self._queries.conversations_by_id(ids):
            rows += self._rows(page)
        found.rows["look-ups"] += len(rows)
        self._starts(rows, found)

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

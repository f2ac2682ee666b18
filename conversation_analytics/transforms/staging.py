"""Source rows on their way to their days: staged on local disk, then placed.

Rows come in the source's order, not by day, and a conversation's day may only be known once its
messages are. Their payloads are staged in a file, and what is needed to place them in a DuckDB
that spills to disk, so memory stays bounded whatever the source's size.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.compute.runner import Runner
from conversation_analytics.partitions import DayCalendar
from conversation_analytics.sources.base import SOURCE_TABLES, Page, SourceTable
from conversation_analytics.sources.columns import instants, judge
from conversation_analytics.sources.decode import Texts, decode
from conversation_analytics.sources.interpret import Interpreter
from conversation_analytics.sources.resolved import ResolvedTable
from conversation_analytics.sources.transposed import Columns
from conversation_analytics.storage.layout import UNKNOWN_DAY, Day
from conversation_analytics.transforms.spool import Spool

# Every thread of DuckDB takes a share of the memory for itself and makes the others wait at times,
# so there are few: one but for many rows.
_DUCKDB: dict[str, str | int] = {"memory_limit": "384MB", "threads": 1}
_MOST_THREADS = min(4, os.cpu_count() or 1)
_ROWS_FOR_A_THREAD = 500_000

_ROWS_AT_ONCE = 20_000  # an insertion costs as much as the keys of some thousand rows

_STAGED = pa.schema(
    [
        ("place", pa.int64()),  # source order of rows made in the same instant
        ("pk", pa.string()),  # the source's primary key
        ("id", pa.string()),
        ("conversation_id", pa.string()),
        ("created", pa.int64()),  # microseconds, like every time here
        ("updated", pa.int64()),
        ("deleted", pa.bool_()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("hash", pa.string()),
        ("edited", pa.int64()),  # when the row was made, if it may have been changed since
        ("payload", pa.large_string()),
    ]
)
_NUMBER = pa.field("seq", pa.int64())  # numbers the rows, whichever reading they are of
_OWN_DAY = pa.field("own_day", pa.int64())  # number of the day it was made on
_LONG_AGO = 0  # 1970
_BEFORE_ALL_DAYS = np.iinfo(np.int64).min
_PLACES = pa.schema([("payload_at", pa.int64()), ("payload_size", pa.int64())])
_KEYS = _STAGED.remove(_STAGED.get_field_index("payload"))
_KEPT = pa.schema([_NUMBER, *_KEYS, _OWN_DAY, *_PLACES])


@dataclass(frozen=True, slots=True)
class StagingTask:
    """A page to be interpreted. Pickles, so a worker process can do it."""

    page: Page
    interpreter: Interpreter


def stage_page(task: StagingTask) -> tuple[SourceTable, pa.RecordBatch]:
    """The rows of a page as a batch of keys, findings and payloads."""
    page, interpreter = task.page, task.interpreter
    resolved = interpreter.table(page.table)
    decoded = decode(page)
    rows = Columns(decoded.rows)
    judged = judge(interpreter, page.table, decoded, rows)
    columns = (
        np.arange(page.position, page.position + len(decoded)),
        _keys(resolved.primary_key, rows),
        *judged,
        resolved.row_hashes(decoded, rows, judged.reasons),
        _edited(resolved, rows),
    )
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _STAGED)]  # noqa: B905
    return page.table, pa.record_batch([*arrays, _array(decoded.payloads)], schema=_STAGED)


def _array(texts: Texts) -> pa.Array:
    """Texts, without looking at each by itself."""
    bounds = np.array(texts.bounds, np.int64)
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(texts.data)]
    return pa.Array.from_buffers(pa.large_string(), len(bounds) - 1, buffers)


def _keys(column: str | None, rows: Columns) -> list[str | None]:
    """The source's primary keys."""
    found = [None] * len(rows) if column is None else rows[column]
    return [None if key is None else str(key) for key in found]


def _edited(resolved: ResolvedTable, rows: Columns) -> pa.Array:
    """When each row was made, if it may have been changed since, in that second even; else null.

    Long ago where nothing tells when it was made.
    """
    made = _earliest(rows, resolved.creation_times)
    changed = _earliest(rows, set(resolved.change_times).difference(resolved.creation_times))
    earliest = pc.min_element_wise(made, changed)
    since = pc.if_else(made.is_valid(), earliest, pa.scalar(_LONG_AGO, pa.int64()))
    return pc.if_else(changed.is_valid(), since, pa.scalar(None, pa.int64()))


def _earliest(rows: Columns, columns: Iterable[str]) -> pa.Array:
    """The earliest of each row's times, in microseconds; null where it has none."""
    cells = [rows[name] for name in columns]
    told = [column for column in cells if column.count(None) < len(column)]
    if not told:
        return pa.nulls(len(rows), pa.int64())
    return pc.min_element_wise(*(pa.array(instants(column)[0], pa.int64()) for column in told))


class Staging:
    """Source rows on local disk, gone when the context ends.

    Args:
        interpreter: how rows are read.
        calendar: which days there are.
        today: the last day that has a partition.
        runner: who interprets pages.
    """

    def __init__(
        self, interpreter: Interpreter, calendar: DayCalendar, today: date, runner: Runner
    ) -> None:
        self._interpreter = interpreter
        self._calendar = calendar
        self._today = today
        self._runner = runner
        self._folder = tempfile.TemporaryDirectory(prefix="conversation-analytics-")
        self._rows = 0
        self._spool = Spool(Path(self._folder.name) / "payloads")
        self._db = duckdb.connect(config={**_DUCKDB, "temp_directory": self._folder.name})
        for name in ("conversations_staged", "messages_staged"):
            self._register(_KEPT.empty_table())
            self._db.execute(f"CREATE TABLE {name} AS FROM arrow_rows")
        self._db.execute("CREATE TABLE elsewhere (conversation_id VARCHAR)")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._db.close()
        self._spool.close()
        self._folder.cleanup()

    def add(self, pages: Iterable[Page], *, once: bool = False) -> int:
        """Stage the rows of pages; tells how many.

        Args:
            pages: rows of either table.
            once: leave out rows whose primary key is staged already, for reads that overlap.
        """
        most = 1 if once else _ROWS_AT_ONCE
        waiting: dict[SourceTable, list[pa.Table]] = {table: [] for table in SOURCE_TABLES}
        added = 0
        tasks = (StagingTask(page, self._interpreter) for page in pages)
        for table, batch in self._runner.map(stage_page, tasks):
            waiting[table].append(self._numbered(batch))
            if sum(part.num_rows for part in waiting[table]) >= most:
                added += self._insert(table, waiting[table], once=once)
                waiting[table] = []
        rest = ((table, parts) for table, parts in waiting.items() if parts)
        return added + sum(self._insert(table, parts, once=once) for table, parts in rest)

    def replace(self, table: SourceTable, keys: Collection[str], pages: Iterable[Page]) -> set[str]:
        """Stage rows in the place of those with some primary keys.

        Args:
            table: which table.
            keys: the primary keys.
            pages: what the source has of them now.

        Returns:
            The conversations that the rows name now.
        """
        if not keys:
            return set()
        self._register(pa.table({"pk": pa.array(keys, pa.string())}))
        self._db.execute("CREATE OR REPLACE TEMP TABLE replaced AS FROM arrow_rows")
        self._db.execute(f"DELETE FROM {table}_staged WHERE pk IN (FROM replaced)")  # noqa: S608
        self.add(pages)
        return set(
            self._strings(
                f"SELECT DISTINCT conversation_id FROM {table}_staged "  # noqa: S608
                "WHERE pk IN (FROM replaced) AND conversation_id NOTNULL"
            )
        )

    @property
    def db(self) -> duckdb.DuckDBPyConnection:
        """The database with ``conversations_staged`` and ``messages_staged``."""
        return self._db

    def clear(self) -> None:
        """Forget the rows staged so far."""
        for table in SOURCE_TABLES:
            self._db.execute(f"DELETE FROM {table}_staged")  # noqa: S608
        self._db.execute("DELETE FROM elsewhere")

    def order_by_key(self) -> None:
        """Take the order of rows made in the same instant from their keys, which are integers."""
        for table in SOURCE_TABLES:
            self._db.execute(f"UPDATE {table}_staged SET place = pk::BIGINT")  # noqa: S608

    def live_elsewhere(self, conversation_ids: Iterable[str]) -> None:
        """Name the conversations of days that are not read; their messages are none of ours."""
        self._register(pa.table({"conversation_id": pa.array(conversation_ids, pa.string())}))
        self._db.execute("CREATE OR REPLACE TABLE elsewhere AS FROM arrow_rows")

    @property
    def has_keys(self) -> bool:
        """Whether the source tells its rows apart by a primary key."""
        tables = (self._interpreter.conversations, self._interpreter.messages)
        return all(table.primary_key is not None for table in tables)

    @property
    def keyed(self) -> bool:
        """Whether the source lets no two rows have one conversation id."""
        table = self._interpreter.conversations
        return table.columns["conversation_id"] == (table.primary_key,)

    def tied_conversations(self) -> list[str]:
        """Conversations that have messages made in the same instant."""
        return self._strings(
            "SELECT DISTINCT conversation_id FROM messages_staged WHERE reason IS NULL AND "
            "conversation_id IS NOT NULL GROUP BY conversation_id, created HAVING count(*) > 1"
        )

    def order_ties(self, pages: Iterable[Page]) -> None:
        """Take the order of rows made in the same instant from pages that are in time order."""
        for page in pages:
            _, batch = stage_page(StagingTask(page, self._interpreter))
            self._register(pa.Table.from_batches([batch]).select(["pk", "place"]))
            self._db.execute(
                "UPDATE messages_staged s SET place = o.place FROM arrow_rows o WHERE s.pk = o.pk"
            )

    def conversation_ids(self) -> set[str]:
        """The conversations staged."""
        return set(self._strings("SELECT DISTINCT id FROM conversations_staged WHERE id NOTNULL"))

    def owners_of_messages(self) -> set[str]:
        """The conversations that staged messages name."""
        query = "SELECT DISTINCT conversation_id FROM messages_staged WHERE conversation_id NOTNULL"
        return set(self._strings(query))

    def place(self) -> Placement:
        """Decide what becomes of every staged row, as `placement.sql` says.

        The workers, if any, are let go first: this is where memory is needed most.
        """
        self._runner.close()
        threads = min(_MOST_THREADS, 1 + self._rows // _ROWS_FOR_A_THREAD)
        self._db.execute(f"SET threads = {threads}")
        script = files(__package__).joinpath("placement.sql").read_text(encoding="utf-8")
        self._db.execute(script)
        return Placement(self._db, self._spool, self._calendar)

    def _numbered(self, batch: pa.RecordBatch) -> pa.Table:
        """Interpreted rows with numbers and days; instead of payloads, where they were put."""
        places = self._spool.append(batch["payload"])
        numbers = pa.array(np.arange(self._rows, self._rows + batch.num_rows))
        self._rows += batch.num_rows
        keys = batch.drop_columns("payload").columns
        days = self._days(batch["created"])
        return pa.table([numbers, *keys, days, *places], schema=_KEPT)

    def _days(self, created: pa.Int64Array) -> pa.Array:
        """The number of the day each row was made on; null before the first and after today."""
        micros = created.fill_null(_BEFORE_ALL_DAYS).to_numpy()
        days = self._calendar.numbers(micros, last=self._today)
        return pa.array(days, mask=(days < 0) | (days > self._calendar.number(self._today)))

    def _insert(self, table: SourceTable, parts: list[pa.Table], *, once: bool) -> int:
        self._register(pa.concat_tables(parts))
        name = f"{table}_staged"
        known = f"WHERE pk NOT IN (SELECT pk FROM {name})" if once else ""  # noqa: S608
        inserted = self._db.execute(f"INSERT INTO {name} FROM arrow_rows {known}").fetchone()
        return inserted[0] if inserted else 0

    def _register(self, table: pa.Table) -> None:
        self._db.register("arrow_rows", table)

    def _strings(self, query: str) -> list[str]:
        return [row[0] for row in self._db.execute(query).fetchall()]


class Placement:
    """Staged rows with their days. Lives as long as its `Staging`."""

    def __init__(self, db: duckdb.DuckDBPyConnection, spool: Spool, calendar: DayCalendar) -> None:
        self._db = db
        self._spool = spool
        self._calendar = calendar

    def rows(self, table: SourceTable, day: Day) -> pa.Table:
        """The placed rows of a day, in file order; see `placement.sql` for the columns.

        Instead of the place of a payload they have the `payload` itself.
        """
        number = None if day == UNKNOWN_DAY else self._calendar.number(day)
        found = self._db.execute(
            f"SELECT * EXCLUDE (day) FROM {table}_placed WHERE day IS NOT DISTINCT FROM ?"  # noqa: S608
            " AND fate <> 'elsewhere'",
            [number],
        ).to_arrow_table()
        payloads = self._spool.read(*(found[name] for name in _PLACES.names))
        return found.drop_columns(_PLACES.names).append_column("payload", payloads)

    def conversation_days(self) -> pa.Table:
        """conversation_id, day (date32) of every conversation that lives somewhere."""
        found = self._db.execute(
            "SELECT DISTINCT id AS conversation_id, (?::DATE + day::INTEGER) AS day "
            "FROM conversations_placed WHERE fate IN ('represented', 'soft_deleted')",
            [self._calendar.start],
        ).to_arrow_table()
        return found.cast(pa.schema([("conversation_id", pa.string()), ("day", pa.date32())]))

    def days(self) -> set[date]:
        """The days that have any row."""
        found = {day for table in SOURCE_TABLES for day in self.counts(table)}
        return {day for day in found if not isinstance(day, str)}

    def counts(self, table: SourceTable) -> dict[Day, int]:
        """The number of rows of each day that has any."""
        query = f"SELECT day, count(*) FROM {table}_placed WHERE fate <> 'elsewhere' GROUP BY day"  # noqa: S608
        return {self._day(number): count for number, count in self._fetch(query)}

    def _day(self, number: int | None) -> Day:
        return UNKNOWN_DAY if number is None else self._calendar.day(number)

    def _fetch(self, query: str) -> list[tuple[Any, ...]]:
        return self._db.execute(query).fetchall()

    def totals(self) -> dict[str, int]:
        """Rows staged and rows placed, by table: equal unless placement lost or doubled some."""
        counts = {}
        for table in SOURCE_TABLES:
            for state in ("staged", "placed"):
                found = self._db.execute(f"SELECT count(*) FROM {table}_{state}").fetchone()  # noqa: S608
                counts[f"{table}_{state}"] = found[0] if found else 0
        return counts

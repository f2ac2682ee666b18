"""Queries over staged and placed rows that follow them, by primary key, from day to day."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from conversation_analytics.partitions import DayCalendar
from conversation_analytics.sources.base import SOURCE_TABLES, SourceTable
from conversation_analytics.storage.layout import UNKNOWN_DAY, Day


class FollowedRows:
    """What the lake has of the days that are read, beside what the source has.

    Args:
        db: the database of a `Staging`.
        calendar: which days there are.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, calendar: DayCalendar) -> None:
        self._db = db
        self._calendar = calendar
        for table in SOURCE_TABLES:
            self._db.execute(f"CREATE TABLE {table}_recorded (day BIGINT, pk VARCHAR)")

    def record(self, table: SourceTable, day: date, keys: Iterable[str]) -> None:
        """Note the primary keys of the rows that the lake has on a day."""
        held = pa.array((key for key in keys if key is not None), pa.string())
        number = pa.repeat(pa.scalar(self._calendar.number(day), pa.int64()), len(held))
        self._db.register("arrow_held", pa.table({"day": number, "pk": held}))
        self._db.execute(f"INSERT INTO {table}_recorded FROM arrow_held")

    def unread(self, table: SourceTable) -> list[str]:
        """Keys that were recorded and are not staged."""
        query = "SELECT pk FROM {0}_recorded ANTI JOIN {0}_staged USING (pk) ORDER BY pk"
        return [key for (key,) in self._fetch(query.format(table))]

    def left(self, table: SourceTable) -> list[tuple[date, Day, str | None]]:
        """Rows that were recorded on another day than the one they belong to now.

        Returns:
            The day they were recorded on, that they belong to, and, if that is none of those
            read, the conversation that they belong to instead.
        """
        query = """
            SELECT DISTINCT r.day, p.day, CASE WHEN p.fate = 'elsewhere' THEN p.conversation_id END
            FROM {0}_recorded r JOIN {0}_placed p USING (pk)
            WHERE p.fate = 'elsewhere' OR p.day IS DISTINCT FROM r.day
        """
        found = self._fetch(query.format(table))
        return [(self._calendar.day(old), self._day(new), owner) for old, new, owner in found]

    def orphans(self) -> dict[str, set[Day]]:
        """The conversations that messages name and that are not there: the messages' days."""
        query = """
            SELECT DISTINCT conversation_id, day FROM messages_placed
            WHERE reason = 'orphan_message' AND conversation_id IS NOT NULL
        """
        found: dict[str, set[Day]] = {}
        for owner, day in self._fetch(query):
            found.setdefault(owner, set()).add(self._day(day))
        return found

    def arrived(self, table: SourceTable, days: Collection[date]) -> dict[date, set[date]]:
        """Rows that are new to `days`, by the day they were made on, if that is another."""
        query = """
            SELECT DISTINCT p.day, p.own_day FROM {0}_placed p
            ANTI JOIN {0}_recorded USING (pk)
            WHERE p.day IN {1} AND p.fate <> 'elsewhere' AND p.own_day <> p.day
        """
        found: dict[date, set[date]] = {}
        for day, own in self._fetch(query.format(table, self._numbers(days))):
            found.setdefault(self._calendar.day(own), set()).add(self._calendar.day(day))
        return found

    def arrived_edited(
        self, table: SourceTable, days: Collection[date], before: int
    ) -> dict[str, date]:
        """Rows that are new to `days`, may be known elsewhere, and were edited: key → day.

        Args:
            table: which table.
            days: the days.
            before: rows made after this moment, in microseconds, cannot be known.
        """
        query = """
            SELECT p.pk, p.day FROM {0}_placed p ANTI JOIN {0}_recorded USING (pk)
            WHERE p.day IN {1} AND p.fate <> 'elsewhere' AND p.pk IS NOT NULL
            AND p.edited <= {2}
        """
        found = self._fetch(query.format(table, self._numbers(days), before))
        return {key: self._calendar.day(day) for key, day in found}

    def days_of(
        self, table: SourceTable, keys: Collection[str], days: Collection[date]
    ) -> set[date]:
        """Those of `days` that some rows, given by primary key, belong to."""
        if not keys:
            return set()
        self._db.register("arrow_keys", pa.table({"pk": pa.array(keys, pa.string())}))
        query = """
            SELECT DISTINCT p.day FROM {0}_placed p SEMI JOIN arrow_keys USING (pk)
            WHERE p.day IN {1} AND p.fate <> 'elsewhere'
        """
        found = self._fetch(query.format(table, self._numbers(days)))
        return {self._calendar.day(number) for (number,) in found}

    def _numbers(self, days: Collection[date]) -> str:
        return f"({', '.join(str(self._calendar.number(day)) for day in days)})"

    def _day(self, number: int | None) -> Day:
        return UNKNOWN_DAY if number is None else self._calendar.day(number)

    def _fetch(self, query: str) -> list[tuple[Any, ...]]:
        return self._db.execute(query).fetchall()

"""The lake as the API reads it: committed days, their tables, the day of a conversation.

A table comes from the files that its manifest names, checked by their hashes; what was read is kept
in memory under the hash of its content, so that a new commit is seen at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa

from conversation_analytics.api.memory import Memory, Recent
from conversation_analytics.api.problems import Problem
from conversation_analytics.errors import StorageError, StoreUnavailable
from conversation_analytics.partitions import contiguous_ranges, days_between
from conversation_analytics.periods import Period
from conversation_analytics.schemas import TableSchema
from conversation_analytics.settings import Settings
from conversation_analytics.storage.collections import COLLECTIONS
from conversation_analytics.storage.index import IndexSnapshot
from conversation_analytics.storage.lake import open_lake
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT, INDEX_FOLDER, Place, Unit

logger = logging.getLogger(__name__)

CONVERSATIONS = COLLECTIONS[CONVERSATIONS_UNIT.name]
_LIST_SECONDS = 2.0
_MOST_GAPS = 50


@dataclass(frozen=True)
class Coverage:
    """Which days of a range the lake has.

    Attributes:
        first: first day of the range, null if the lake is empty and none was asked for.
        last: last day.
        missing: runs of days without committed conversations, at most 50 of them.
        days_missing: how many days that is, all runs together.
    """

    first: date | None
    last: date | None
    missing: tuple[tuple[date, date], ...]
    days_missing: int

    def as_dict(self) -> dict[str, object]:
        """As an answer tells it."""
        return {
            "from": self.first,
            "to": self.last,
            "complete": self.first is not None and not self.days_missing,
            "days_missing": self.days_missing,
            "missing": [{"from": first, "to": last} for first, last in self.missing],
        }


class LakeReader:
    """Reads a lake for many requests at once.

    Methods raise `Problem` where the lake cannot be read, or a day of it is damaged.
    """

    def __init__(self, settings: Settings) -> None:
        self.lake = open_lake(settings, within=settings.api_timeout)
        self._calendar = settings.calendar
        self.memory = Memory(settings.api_cache_mb * 1_000_000)
        self._days = Recent(lambda: self.lake.days(CONVERSATIONS_UNIT), _LIST_SECONDS)
        self._index = Recent(self._read_index, _LIST_SECONDS)
        self._snapshot: tuple[list[str], IndexSnapshot] | None = None

    @property
    def today(self) -> date:
        """The local day it is."""
        return self._calendar.day_of(datetime.now(UTC))

    def days(self, first: date | None = None, last: date | None = None) -> list[date]:
        """The days with committed conversations in a range, in order."""
        with readable():
            days = self._days.get()
        return [d for d in days if (first is None or d >= first) and (last is None or d <= last)]

    def coverage(self, first: date | None, last: date | None) -> Coverage:
        """Which days of a range there are; from the first to the last there is where null."""
        have = self.days()
        begin = max(first or (have[0] if have else self._calendar.start), self._calendar.start)
        end = min(last or (have[-1] if have else self.today), self.today)
        if end < begin or (not have and first is None and last is None):
            return Coverage(first, last, (), 0)
        gaps = sorted(set(days_between(begin, end)) - set(have))
        runs = tuple(contiguous_ranges(gaps))
        return Coverage(begin, end, runs[:_MOST_GAPS], len(gaps))

    def conversations(self, day: date) -> pa.Table | None:
        """A day's conversations with what their categories come to; null if it has none.

        Columns: `CONVERSATION_DOCUMENTS`.
        """
        with readable(day):
            manifests = CONVERSATIONS.manifests(self.lake, day)
            shown = CONVERSATIONS.shown(manifests)
            if shown is None:
                return None
            return self.memory.get(
                (CONVERSATIONS_UNIT.name, day, shown.content_hash), lambda: self._documents(day)
            )

    def table(self, unit: Unit, name: str, day: Place) -> pa.Table | None:
        """A table of a committed day, or of all; null if it was never committed."""
        with readable(day if isinstance(day, date) else None):
            manifest = self.lake.manifest(unit, day)
            if manifest is None:
                return None
            schema = _schema_of(unit, name)

            def read() -> pa.Table:
                found = self.lake.read_day(unit, day, {name: schema.names})
                return schema.empty() if found is None else found[1][name]

            return self.memory.get((name, day, manifest.content_hash), read)

    def day_of(self, conversation_id: str) -> date | None:
        """The day a conversation lives in; null if the index does not know it."""
        with readable():
            return self._index.get().days_of([conversation_id]).get(conversation_id)

    def _documents(self, day: date) -> pa.Table:
        found = CONVERSATIONS.read(self.lake, day)
        return CONVERSATIONS.schema.empty() if found is None else found[1]

    def _read_index(self) -> IndexSnapshot:
        """The index, read again only when its files are other ones."""
        keys = self.lake.store.list(INDEX_FOLDER)
        if self._snapshot is None or self._snapshot[0] != keys:
            self._snapshot = (keys, self.lake.index.snapshot())
        return self._snapshot[1]


@contextmanager
def readable(what: date | Period | None = None) -> Iterator[None]:
    """Have errors of the lake answered as problems; paths and addresses stay in the log.

    Args:
        what: the day or report that is read, if it is one.
    """
    try:
        yield
    except StoreUnavailable as error:
        logger.error("%s", error)
        words = "Its store does not answer, or denies access; the log says more."
        raise Problem("lake-unavailable", words) from error
    except StorageError as error:
        logger.error("%s", error)
        if what is None:
            words = "What it says of itself is damaged; the log says where."
            raise Problem("lake-unavailable", words) from error
        if isinstance(what, Period):
            words = f"Files and manifest of {what.key} do not agree: have it materialised again."
            raise Problem("damaged-report", words, grain=what.grain, key=what.key) from error
        words = (
            f"Files and manifest of {what} do not agree: ask for other days with `from` and `to`, "
            "or have the day materialised again."
        )
        raise Problem("damaged-day", words, day=what) from error


def _schema_of(unit: Unit, name: str) -> TableSchema:
    return next(table for table in unit.tables if table.name == name)

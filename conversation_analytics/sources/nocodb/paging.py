"""Reading the records of a table page by page, so that writes meanwhile lose nothing.

Offsets shift when rows come and go, so every page asks for what lies behind the last row seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from conversation_analytics.errors import SourceUnavailable
from conversation_analytics.sources.nocodb import filters
from conversation_analytics.sources.nocodb.answers import Key, Rows, reader, told
from conversation_analytics.sources.nocodb.client import NocoDBClient
from conversation_analytics.sources.nocodb.filters import Filter
from conversation_analytics.sources.nocodb.schema import Column, Table

T = TypeVar("T")

LARGEST_LIMIT = 1000
_ITEMS_AHEAD = 4


@dataclass(frozen=True, slots=True)
class _Selection:
    """Rows to read by time, and the keys of those already handed over."""

    values: Sequence[str]
    select: Callable[[Sequence[str]], Filter]
    time: Column
    seen: set[Key]

    @property
    def filter(self) -> Filter:
        return self.select(self.values)

    def halves(self) -> tuple[_Selection, _Selection]:
        middle = len(self.values) // 2
        return replace(self, values=self.values[:middle]), replace(
            self, values=self.values[middle:]
        )

    def unseen(self, page: Rows) -> Iterator[Rows]:
        """The page without rows handed over before, unless nothing is left of it."""
        fresh = page.without(self.seen)
        self.seen.update(fresh.keys)
        if fresh.rows:
            yield fresh


class TableReader:
    """Reads the records of one table."""

    def __init__(self, client: NocoDBClient, table: Table) -> None:
        self._client = client
        self._table = table
        self._limit = LARGEST_LIMIT

    def sample(self) -> Rows:
        """A first row of nothing but its key: shows the row count and the clock.

        The page cap is told by an answer without rows, since a full page takes its time.
        """
        key = self._table.key
        sample = self._ask(None, sort=[key], columns=[key], limit=1)
        nothing = None
        if sample.keys:
            one = sample.keys[0]
            nothing = filters.every(
                filters.compare(key.title, "eq", one), filters.compare(key.title, "gt", one)
            )
        page_size = self._ask(nothing, sort=[key], columns=[key]).page_size
        return replace(sample, page_size=page_size)

    def largest_key(self) -> Key | None:
        """The largest key there is now, null in an empty table."""
        key = self._table.key
        found = self._ask(None, sort=[key], columns=[key], descending=True, limit=1)
        return found.keys[0] if found.keys else None

    def everything(self) -> Iterator[Rows]:
        """Every row once by key, up to the largest key there was before the first page.

        Raises:
            SourceUnavailable: fewer rows came than the server counts.
        """
        bound = self.largest_key() or self.largest_key()  # a wrong "nothing" would cost most
        if bound is None:
            return
        upper = filters.compare(self._table.key.title, "lte", bound)
        after: Key | None = None
        rows, told = 0, None
        while after != bound:
            page = self._page_after(after, upper, bound=bound)
            told = page.total if told is None else told
            if not page.rows:  # the bound's own row was deleted meanwhile
                break
            rows += len(page.rows)
            after = page.keys[-1]
            yield page
        if told is not None and (rows < told or after != bound):
            self._refuse_missing_rows(rows, upper)

    def _refuse_missing_rows(self, rows: int, upper: Filter) -> None:
        """Refuse a reading that gave fewer rows than there still are.

        Only of integer keys, which grow: rows with others may be added behind the reader. SQLite
        gives keys of deleted last rows to the next ones: a reading that meets those is refused too.
        """
        key = self._table.key
        there = self._ask(upper, sort=[key], columns=[key], limit=1).total or 0
        if self._table.key_type == "integer" and rows < there:
            raise SourceUnavailable(
                f"NocoDB table {self._table.title!r} gave {rows:,} rows and counts {there:,}: "
                "something between here and NocoDB answers wrongly, or others deleted and added "
                "rows. Nothing was written; run again."
            )

    def by_key(self, where: Filter, *, after: Key | None = None) -> Iterator[Rows]:
        """The rows a filter selects, each once, by key; only those behind a key, if given."""
        while True:
            page = self._page_after(after, where)
            if page.rows:
                yield page
            if page.nothing_follows:
                return
            after = page.keys[-1]

    def by_time(
        self, values: Sequence[str], select: Callable[[Sequence[str]], Filter], time: Column | None
    ) -> Iterator[Rows]:
        """The rows selected by some values, each once, by time, then key.

        The server sorts by times finer than the seconds it answers with, so the order of an
        answer is the truth for ties and a page cannot start strictly behind a row. The next
        page starts with the last second of the one before, without the rows already seen. A
        second that fills a page by itself is read for fewer values, and in the end by key.

        Args:
            values: what to select by.
            select: the filter for some of the values.
            time: the column to sort by; null sorts by key alone.
        """
        if time is None:
            yield from self.by_key(select(values))
        else:
            yield from self._by_time(_Selection(values, select, time, seen=set()), since=None)

    def _by_time(self, selection: _Selection, *, since: datetime | None) -> Iterator[Rows]:
        time = selection.time
        while True:
            start = filters.at(time.title, "gte", since) if since else None
            page = self._ask(filters.every(selection.filter, start), sort=[time, self._table.key])
            yield from selection.unseen(page)
            if page.nothing_follows:
                break
            reached = _second(page.rows[-1].get(time.title)) if time.kind == "time" else None
            if reached is None or reached == since:
                yield from self._crowded(selection, since=since)
                return
            since = reached
        if since is not None:  # pages that start at a time leave out the rows without one
            without_time = filters.every(selection.filter, filters.blank(time.title))
            for page in self.by_key(without_time):
                yield from selection.unseen(page)

    def _crowded(self, selection: _Selection, *, since: datetime | None) -> Iterator[Rows]:
        """The rest of a selection after a page that ended no later than it started."""
        if len(selection.values) > 1:
            for half in selection.halves():
                yield from self._by_time(half, since=since)
            return
        for page in self.by_key(selection.filter):
            yield from selection.unseen(page)

    def _page_after(self, after: Key | None, where: Filter, *, bound: Key | None = None) -> Rows:
        key = self._table.key
        lower = None if after is None else filters.compare(key.title, "gt", after)
        return self._ask(
            filters.every(where, lower), sort=[key], ordered_by_key=True, after=after, bound=bound
        )

    def _ask(
        self,
        where: Filter | None,
        *,
        sort: Sequence[Column],
        columns: Sequence[Column] = (),
        descending: bool = False,
        limit: int | None = None,
        ordered_by_key: bool = False,
        after: Key | None = None,
        bound: Key | None = None,
    ) -> Rows:
        question = _question(where, sort=sort, columns=columns, descending=descending)
        asked = limit or self._limit
        while True:
            read = reader(
                self._table, limit=asked, ordered_by_key=ordered_by_key, after=after, bound=bound
            )
            answer = self._client.get(
                self._table.records_path, params={**question, "limit": asked}, read=read
            )
            rows, keys, info = answer.parsed
            count = told(info)
            if count is None or count == len(rows):
                break
            # NocoDB counts after it has read, so others' writes in between make the two differ
            # on a page that is not full. Of half as many rows the page is full.
            asked = max(1, min(count, len(rows)) // 2)
        size = info.get("pageSize")
        page_size = size if isinstance(size, int) and size > 0 else asked
        if limit is None and asked == self._limit:
            self._limit = min(self._limit, page_size)
        total = info.get("totalRows")
        return Rows(
            body=answer.body,
            rows=rows,
            keys=keys,
            page_size=page_size,
            last=info.get("isLastPage") is not False,
            total=total if isinstance(total, int) else None,
            served_at=answer.served_at,
        )


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """The items, the next ones being fetched in a thread while the present one is used.

    More than one, so that the server has work to do while some are put away together.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nocodb")
    coming = deque(thread.submit(next, items, None) for _ in range(_ITEMS_AHEAD))
    try:
        while (item := coming.popleft().result()) is not None:
            coming.append(thread.submit(next, items, None))
            yield item
    finally:
        thread.shutdown(cancel_futures=True)


def _question(
    where: Filter | None, *, sort: Sequence[Column], columns: Sequence[Column], descending: bool
) -> dict[str, str | int]:
    question: dict[str, str | int] = {
        "sort": ",".join(("-" if descending else "") + _sortable(column) for column in sort),
    }
    if where is not None:
        question["where"] = filters.render(where)
    if columns and all(filters.is_plain(column.title) for column in columns):
        question["fields"] = ",".join(column.title for column in columns)
    return question


def _second(value: Any) -> datetime | None:
    """The second an answered time lies in, null if it is none."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).replace(microsecond=0)


def _sortable(column: Column) -> str:
    return column.title if filters.is_plain(column.title) else column.id

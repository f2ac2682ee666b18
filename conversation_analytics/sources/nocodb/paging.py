"""Reading the records of a table page by page, so that writes meanwhile lose nothing.

Offsets shift when rows come and go, so every page asks for what lies behind the last row seen.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import lt
from typing import Any, TypeVar

import orjson

from conversation_analytics.errors import SourceSchemaError, SourceUnavailable
from conversation_analytics.sources.decode import parsed
from conversation_analytics.sources.nocodb import filters
from conversation_analytics.sources.nocodb.client import BadAnswer, NocoDBClient
from conversation_analytics.sources.nocodb.filters import Filter
from conversation_analytics.sources.nocodb.schema import Column, Table

T = TypeVar("T")
Key = int | str
Row = dict[str, Any]

LARGEST_LIMIT = 1000
_ITEMS_AHEAD = 4
EXACT_INTEGER = 2**53  # beyond it NocoDB, a JavaScript program, rounds

_DIGITS = re.compile(r"-?[0-9]+")


@dataclass(frozen=True, slots=True)
class Rows:
    """One answer of the records endpoint.

    Attributes:
        body: the answer as it came, or re-encoded if rows were taken out.
        rows: the rows decoded.
        keys: their primary keys.
        page_size: the most rows the server was willing to give.
        last: whether the server says that nothing follows; a guess while others write.
        total: how many rows match; null if it does not say.
        served_at: the server's clock.
    """

    body: bytes
    rows: list[Row]
    keys: list[Key]
    page_size: int
    last: bool
    total: int | None
    served_at: datetime | None

    @property
    def nothing_follows(self) -> bool:
        """Whether this is the end: short of a full page, and the server agrees."""
        return not self.rows or (self.last and len(self.rows) < self.page_size)

    def without(self, seen: set[Key]) -> Rows:
        """The same answer without rows whose key has been seen."""
        kept = [index for index, key in enumerate(self.keys) if key not in seen]
        if len(kept) == len(self.keys):
            return self
        rows = [self.rows[index] for index in kept]
        keys = [self.keys[index] for index in kept]
        return replace(self, body=_encode(rows), rows=rows, keys=keys)


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

        Only of integer keys, which grow: rows with others may be added behind the reader.
        """
        key = self._table.key
        there = self._ask(upper, sort=[key], columns=[key], limit=1).total or 0
        if self._table.key_type == "integer" and rows < there:
            raise SourceUnavailable(
                f"NocoDB table {self._table.title!r} gave {rows:,} rows and counts {there:,}: "
                "something between here and NocoDB answers wrongly. Nothing was written; run again."
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
            read = _reader(
                self._table, limit=asked, ordered_by_key=ordered_by_key, after=after, bound=bound
            )
            answer = self._client.get(
                self._table.records_path, params={**question, "limit": asked}, read=read
            )
            rows, keys, info = answer.parsed
            told = _told(info)
            if told is None or told == len(rows):
                break
            # NocoDB counts after it has read, so others' writes in between make the two differ
            # on a page that is not full. Of half as many rows the page is full.
            asked = max(1, min(told, len(rows)) // 2)
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


def _reader(
    table: Table, *, limit: int, ordered_by_key: bool, after: Key | None, bound: Key | None
) -> Callable[[bytes], tuple[list[Row], list[Key], dict[str, Any]]]:
    """What makes sense of a records answer, and has one asked for again that cannot be right."""
    parse = _integers if table.key_type == "integer" else _texts
    title = table.key.title

    def read(body: bytes) -> tuple[list[Row], list[Key], dict[str, Any]]:
        rows, info = _decode(body)
        if len(rows) > limit:
            raise BadAnswer(f"{len(rows)} rows where {limit} were asked for")
        if limit == 1 and _told(info) not in (None, len(rows)):  # no smaller page to ask for
            raise BadAnswer(f"{len(rows)} rows where its own count makes it {_told(info)}")
        try:
            keys = parse([row[title] for row in rows], table)
        except (KeyError, TypeError) as error:
            raise BadAnswer(f"rows without the key {title!r}") from error
        if len(set(keys)) < len(keys):
            raise BadAnswer("the same row twice on a page")
        if ordered_by_key:
            _check_order(keys, after=after, bound=bound, comparable=table.key_type != "text")
        return rows, keys, info

    return read


def _told(info: dict[str, Any]) -> int | None:
    """How many rows a page has by its own count: all that match, up to its size."""
    total, size = info.get("totalRows"), info.get("pageSize")
    return min(total, size) if isinstance(total, int) and isinstance(size, int) else None


def _decode(body: bytes) -> tuple[list[Row], dict[str, Any]]:
    try:
        found = parsed(body)
    except ValueError as error:
        raise BadAnswer(f"something that is not whole JSON ({error})") from error
    rows = found.get("list") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise BadAnswer("JSON without a list of rows")
    info = found.get("pageInfo")
    return rows, info if isinstance(info, dict) else {}


def _encode(rows: list[Row]) -> bytes:
    try:
        return orjson.dumps({"list": rows})
    except TypeError:  # half a surrogate pair
        return json.dumps({"list": rows}).encode()


def _check_order(
    keys: Sequence[Key], *, after: Key | None, bound: Key | None, comparable: bool
) -> None:
    """Make sure that keys go up; text keys follow the database's own collation."""
    if not comparable:
        if after in keys:
            raise BadAnswer("rows of the page before")
        return
    chain: list[Any] = [*([] if after is None else [after]), *keys]
    if not all(map(lt, chain, chain[1:])):
        raise BadAnswer("rows whose keys do not go up")
    if bound is not None and keys and chain[-1] > bound:
        raise BadAnswer("rows behind the bound that was asked for")


def _integers(values: list[Any], table: Table) -> list[Key]:
    if set(map(type, values)) == {int} and max(values) < EXACT_INTEGER > -min(values):
        return values
    return [_integer(value, table) for value in values]


def _texts(values: list[Any], table: Table) -> list[Key]:
    return [_text(value, table) for value in values]


def _integer(value: Any, table: Table) -> int:
    key = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
    if not isinstance(key, int) or isinstance(key, bool):
        raise TypeError
    if abs(key) >= EXACT_INTEGER:
        raise SourceSchemaError(
            f"NocoDB table {table.title!r} has the key {key}, and NocoDB rounds integers from "
            f"{EXACT_INTEGER} on, so its rows cannot be told apart: read an export through "
            "SOURCE_DIR."
        )
    return key


def _text(value: Any, table: Table) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value.lower() if table.key_type == "uuid" else value


def _second(value: Any) -> datetime | None:
    """The second an answered time lies in, null if it is none."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).replace(microsecond=0)


def _sortable(column: Column) -> str:
    return column.title if filters.is_plain(column.title) else column.id

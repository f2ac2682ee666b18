"""Which days a source has rows for, found without placing every row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain

from conversation_analytics.partitions import DayCalendar, from_micros, to_micros
from conversation_analytics.sources import values
from conversation_analytics.sources.base import ConversationSource, Page, SourceInfo, SourceTable
from conversation_analytics.sources.decode import Decoded, decode
from conversation_analytics.sources.interpret import Interpreter, build_interpreter
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.sources.values import Unusable

Span = tuple[date, date]


def data_span(opened: OpenedSource, info: SourceInfo, calendar: DayCalendar) -> Span | None:
    """The first and the last day that rows of the source belong to; null if there is none.

    A row belongs to the day its conversation starts on, or, if it has no usable conversation, to
    its own. Times before the first partition or after today have no day. A source that answers
    time ranges is asked only for messages outside the conversations' days; another one is read
    once.

    Raises:
        SourceError: the source cannot be read.
    """
    search = _Search(build_interpreter(opened.mapping, info), calendar, info.clock)
    for decoded in _rows(opened.source.scan("conversations")):
        search.conversation(decoded)
    search.settle()
    for decoded in _rows(_messages(opened.source, info, search)):
        search.message(decoded)
    if search.strays:
        for decoded in _rows(_conversations(opened.source, sorted(search.strays))):
            search.adopt(decoded)
    return search.span()


@dataclass
class _Search:
    """What was seen so far. Times are microseconds since 1970.

    Attributes:
        interpreter: how rows are read.
        calendar: which days there are.
        clock: the source's time, in the last of them.
        times: earliest and latest time that makes a day; empty if none was seen.
        covered: beginning and end of the days of conversations.
        untimed: first message of each conversation without a start of its own.
        strays: earliest and latest message outside `covered`, by the conversation they name.
    """

    interpreter: Interpreter
    calendar: DayCalendar
    clock: datetime
    times: list[int] = field(default_factory=list)
    covered: tuple[int, int] = (0, 0)
    untimed: dict[str, int | None] = field(default_factory=dict)
    strays: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        calendar = self.calendar
        self._last = calendar.day_of(self.clock)
        self._earliest = to_micros(calendar.midnight(calendar.start))
        self._end = to_micros(calendar.window(self._last)[1])

    def conversation(self, decoded: Decoded) -> None:
        """Take note of a row of the conversations table."""
        time = self._time("conversations", decoded)
        if time is not None:
            self.times = _widened(self.times, time)
        elif (id_ := self._usable_id(decoded)) is not None:
            self.untimed[id_] = None

    def settle(self) -> None:
        """All conversations were seen: from now on only what lies outside their days counts."""
        if self.times:
            first, last = (self.calendar.day_of(from_micros(time)) for time in self.times)
            begin, end = self.calendar.window(first)[0], self.calendar.window(last)[1]
            self.covered = (to_micros(begin), to_micros(end))

    def message(self, decoded: Decoded) -> None:
        """Take note of a row of the messages table."""
        time = self._time("messages", decoded)
        if time is None or self.covered[0] <= time < self.covered[1]:
            return
        try:
            named = self.interpreter.messages.value(decoded.row, "conversation_id")
            id_ = values.identity(named, "conversation_id") or ""
        except Unusable:
            id_ = ""
        if id_ in self.untimed:
            self.untimed[id_] = min(time, self.untimed[id_] or time)
        else:
            self.strays[id_] = _widened(self.strays.get(id_, []), time)

    def adopt(self, decoded: Decoded) -> None:
        """A row of the conversations table, if usable, is where its messages belong."""
        id_ = self._usable_id(decoded)
        if id_ is not None:
            self.strays.pop(id_, None)

    def span(self) -> Span | None:
        """The first and the last day."""
        times = [*self.times, *(time for time in self.untimed.values() if time is not None)]
        times += chain.from_iterable(self.strays.values())
        if not times:
            return None
        first, last = (self.calendar.day_of(from_micros(t)) for t in (min(times), max(times)))
        return first, last

    def _time(self, table: SourceTable, decoded: Decoded) -> int | None:
        """When a row was made; null if that cannot be read or is on no day."""
        interpreter = self.interpreter
        resolved = interpreter.conversations if table == "conversations" else interpreter.messages
        try:
            time = values.instant(resolved.value(decoded.row, "created_at"), "created_at")
        except Unusable:
            return None
        return time if time is not None and self._earliest <= time < self._end else None

    def _usable_id(self, decoded: Decoded) -> str | None:
        """The id of a conversation that can have messages."""
        try:
            keys = self.interpreter.keys("conversations", decoded)
        except Unusable:
            return None
        made = keys.created_at
        in_range = made is None or self._earliest <= made < self._end
        return keys.conversation_id if in_range else None


def _messages(source: ConversationSource, info: SourceInfo, search: _Search) -> Iterable[Page]:
    """Messages that may lie outside the days of conversations."""
    queries, calendar = source.queries, search.calendar
    if queries is None or not info.messages.range_filterable:
        return source.scan("messages")
    begin = calendar.midnight(calendar.start)
    end = calendar.window(calendar.day_of(info.clock))[1]
    if not search.times:
        return queries.messages_between(begin, end)
    first, last = (from_micros(time) for time in search.covered)
    pages = [queries.messages_between(begin, first)] if begin < first else []
    if last < end:
        pages.append(queries.messages_between(last, end))
    return chain.from_iterable(pages)


def _conversations(source: ConversationSource, ids: list[str]) -> Iterator[Page]:
    """The conversations with `ids`, perhaps among others."""
    queries = source.queries
    return source.scan("conversations") if queries is None else queries.conversations_by_id(ids)


def _rows(pages: Iterable[Page]) -> Iterator[Decoded]:
    return (decoded for page in pages for decoded in decode(page))


def _widened(pair: list[int], time: int) -> list[int]:
    """The earliest and latest of a pair, which may be empty, and one more time."""
    return [min(pair[0], time), max(pair[1], time)] if pair else [time, time]

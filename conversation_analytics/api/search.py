"""Conversations by filters and text: day by day, the newest first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from conversation_analytics.api.cursors import Place, place_of
from conversation_analytics.api.database import Database
from conversation_analytics.api.deadline import Deadline
from conversation_analytics.api.parameters import ConversationFilters, ConversationQuery
from conversation_analytics.api.reader import LakeReader
from conversation_analytics.reports.relations import attribute, attribute_path
from conversation_analytics.schemas import MESSAGES
from conversation_analytics.storage.collections import CONVERSATION_DOCUMENTS
from conversation_analytics.storage.layout import MESSAGES_UNIT

_NONE = "(none)"
# After these many seconds a page ends where it is, with a cursor: clients see progress, and one
# that looks for what is rare does not hold up the others.
_LOOK_SECONDS = 0.1
_TEXT_SECONDS = 0.5

# Filter → what it compares; `c` is a day of conversations.
_VALUES = {
    "user": "c.user_id",
    "language": "coalesce(c.categories.language, c.language)",
    "main_topic": "c.categories.topic",
    "intent": "c.categories.intent",
    "sentiment": "c.categories.sentiment",
    "channel": "c.channel",
    "model": "c.model",
    "status": "c.status",
}
_COMPARED = [
    "conversation_id",
    "user_id",
    "title",
    "channel",
    "status",
    "model",
    "language",
    "started_at",
    "message_count",
    "error_count",
    "feedback_score",
    "escalated",
    "categories",
]
_FEEDBACK = {
    "positive": "c.feedback_score > 0",
    "negative": "c.feedback_score < 0",
    "neutral": "c.feedback_score = 0",
    "none": "c.feedback_score IS NULL",
}
_TOPICS = (
    "CASE WHEN len(coalesce(c.categories.topics, [])) = 0 THEN [?] ELSE c.categories.topics END"
)
_WITH_TEXT = "SELECT DISTINCT conversation_id FROM m WHERE contains(lower(content), lower(?))"


@dataclass(frozen=True)
class Page:
    """Conversations that were found.

    Attributes:
        rows: columns of `CONVERSATION_DOCUMENTS`, the newest first.
        next: where to go on, null at the end.
        searched_back_to: the earliest day looked at, null if none was.
    """

    rows: pa.Table
    next: Place | None
    searched_back_to: date | None


class Search:
    """Finds conversations in the days of a lake."""

    def __init__(self, reader: LakeReader, database: Database) -> None:
        self._reader = reader
        self._database = database

    def page(self, query: ConversationQuery, deadline: Deadline) -> Page:
        """A page of conversations.

        Raises:
            Problem: the cursor is wrong, a day is damaged, or it took too long.
        """
        place = place_of(query.cursor, query.fingerprint) if query.cursor else None
        days = self._reader.days(query.first, query.last)
        found: list[pa.Table] = []
        missing, searched = query.limit, None
        until = time.monotonic() + (_LOOK_SECONDS if query.q is None else _TEXT_SECONDS)
        for day in reversed(days):
            if place is not None and day > place.day:
                continue
            if searched is not None and time.monotonic() > until:
                return Page(_together(found), Place(day), searched)
            after = place.after if place is not None and day == place.day else None
            rows = self._of_day(day, query, deadline, after=after, most=missing + 1)
            searched = day
            if rows is None:
                continue
            found.append(rows.slice(0, missing))
            if rows.num_rows > missing:
                return Page(_together(found), _last(day, found[-1]), searched)
            missing -= rows.num_rows
            if not missing:
                earlier = [d for d in days if d < day]
                following = Place(earlier[-1]) if earlier else None
                return Page(_together(found), following, searched)
        return Page(_together(found), None, searched)

    def each_day(
        self, filters: ConversationFilters, deadline: Deadline
    ) -> Iterator[tuple[date, pa.Table]]:
        """Every day with its conversations that fit, the earliest first; days without are left out.

        Raises:
            Problem: a day is damaged, or it took too long.
        """
        for day in self._reader.days(filters.first, filters.last):
            rows = self._of_day(day, filters, deadline)
            if rows is not None and rows.num_rows:
                yield day, rows

    def _of_day(
        self,
        day: date,
        filters: ConversationFilters,
        deadline: Deadline,
        *,
        after: tuple[int, str] | None = None,
        most: int | None = None,
    ) -> pa.Table | None:
        """A day's conversations that fit, the newest first; null if the day has gone."""
        conversations = self._reader.conversations(day)
        if conversations is None:
            return None
        # DuckDB takes long over columns that it does not need: it finds places only.
        places = pa.array(range(conversations.num_rows), pa.int64())
        compared = [*_COMPARED, "attributes"] if filters.attribute else _COMPARED
        tables = {"c": conversations.select(compared).append_column("place", places)}
        conditions, values = conditions_of(filters)
        if filters.q is not None:
            messages = self._reader.table(MESSAGES_UNIT, MESSAGES.name, day)
            messages = MESSAGES.empty() if messages is None else messages
            tables["m"] = messages.select(["conversation_id", "content"])
            conditions.append(
                f"(contains(lower(c.title), lower(?)) OR c.conversation_id IN ({_WITH_TEXT}))"
            )
            values += [filters.q, filters.q]
        if after is not None:
            conditions.append("(epoch_us(c.started_at), c.conversation_id) < (?, ?)")
            values += list(after)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        limit = "" if most is None else f"LIMIT {most:d}"
        # Rows lie in the order of (started_at, conversation_id).
        sql = f"SELECT place FROM c {where} ORDER BY place DESC {limit}"  # noqa: S608
        found = self._database.query(sql, values, tables, deadline)
        return conversations.take(found["place"].combine_chunks())


def conditions_of(filters: ConversationFilters) -> tuple[list[str], list[object]]:
    """SQL conditions over `c` for all filters but the days and the text, with their values."""
    conditions: list[str] = []
    values: list[object] = []
    for name, expression in _VALUES.items():
        if wanted := getattr(filters, name):
            conditions.append(f"list_contains(?::VARCHAR[], coalesce({expression}, ?))")
            values += [wanted, _NONE]
    if filters.topic:
        conditions.append(f"list_has_any(?::VARCHAR[], {_TOPICS})")
        values += [filters.topic, _NONE]
    for name, wanted in filters.attributes.items():
        conditions.append(f"list_contains(?::VARCHAR[], {attribute('?', 'c.')})")
        values += [wanted, attribute_path(name)]
    if filters.escalated is not None:
        conditions.append("c.escalated = ?")
        values.append(filters.escalated)
    if filters.has_error is not None:
        conditions.append("(c.error_count > 0) = ?")
        values.append(filters.has_error)
    if filters.feedback is not None:
        conditions.append(_FEEDBACK[filters.feedback])
    if filters.min_messages is not None:
        conditions.append("c.message_count >= ?")
        values.append(filters.min_messages)
    return conditions, values


def _together(parts: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts) if parts else CONVERSATION_DOCUMENTS.empty()


def _last(day: date, rows: pa.Table) -> Place:
    """The place after the last of some conversations."""
    last = rows.num_rows - 1
    started = rows["started_at"].cast(pa.int64())[last].as_py()
    return Place(day, (started, rows["conversation_id"][last].as_py()))

"""Which days a backfill without a range covers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.partitions import DayCalendar
from conversation_analytics.sources.base import Page, SourceInfo, SourceTable, TableInfo
from conversation_analytics.sources.mapping import PLAIN
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.transforms.span import Span, data_span

CALENDAR = DayCalendar("UTC", date(2024, 1, 1))
COLUMNS = {
    "conversations": ("id", "created_at", "is_deleted"),
    "messages": ("id", "conversation_id", "role", "content", "created_at"),
}
Row = dict[str, Any]


@dataclass
class Rows:
    """A source of rows in memory; answers time ranges if `ranges`."""

    conversations: list[Row]
    messages: list[Row]
    ranges: bool = False
    asked: list[str] = field(default_factory=list)

    @property
    def queries(self) -> Rows | None:
        return self if self.ranges else None

    def probe(self) -> SourceInfo:
        conversations, messages = (
            TableInfo(name, columns, range_filterable=self.ranges)
            for name, columns in COLUMNS.items()
        )
        clock = datetime(2024, 6, 1, tzinfo=UTC)
        return SourceInfo("files", "memory", "memory", clock, True, conversations, messages)

    def scan(self, table: SourceTable) -> Iterator[Page]:
        self.asked.append(f"all {table}")
        yield self._page(table, self.conversations if table == "conversations" else self.messages)

    def messages_between(self, start: datetime, end: datetime) -> Iterator[Page]:
        self.asked.append("a range of messages")
        rows = [
            row for row in self.messages if start <= datetime.fromisoformat(row["created_at"]) < end
        ]
        yield self._page("messages", rows)

    def conversations_by_id(self, ids: Sequence[str]) -> Iterator[Page]:
        rows = [row for row in self.conversations if row["id"] in ids]
        yield self._page("conversations", rows)

    def conversations_between(self, start: datetime, end: datetime) -> Iterator[Page]:
        raise AssertionError

    def messages_of(self, conversation_ids: Sequence[str]) -> Iterator[Page]:
        raise AssertionError

    def close(self) -> None:
        pass

    @staticmethod
    def _page(table: SourceTable, rows: list[Row]) -> Page:
        body = "".join(json.dumps(row) + "\n" for row in rows)
        return Page(table, 0, body.encode(), "jsonl")


def conversation(id_: str, at: str | None, **more: object) -> Row:
    return {"id": id_, "created_at": at and f"{at}T12:00:00+00:00", **more}


def message(of: str, at: str) -> Row:
    text = at if "T" in at else f"{at}T12:00:00+00:00"
    row = {"conversation_id": of, "role": "user", "content": "hello", "created_at": text}
    return {"id": f"{of}{at}", **row}


def span(rows: Rows) -> Span | None:
    return data_span(OpenedSource(rows, PLAIN), rows.probe(), CALENDAR)


def days(first: str, last: str) -> Span:
    return date.fromisoformat(first), date.fromisoformat(last)


EACH_KIND = pytest.mark.parametrize("ranges", [False, True])


@EACH_KIND
def test_it_is_that_of_the_conversations(ranges: bool) -> None:
    rows = Rows([conversation("a", "2024-02-01"), conversation("b", "2024-03-05")], [], ranges)
    assert span(rows) == days("2024-02-01", "2024-03-05")


@EACH_KIND
def test_a_message_belongs_to_the_day_of_its_conversation(ranges: bool) -> None:
    rows = Rows([conversation("a", "2024-02-01")], [message("a", "2024-02-04")], ranges)
    assert span(rows) == days("2024-02-01", "2024-02-01")


@EACH_KIND
def test_a_message_without_a_usable_conversation_has_its_own_day(ranges: bool) -> None:
    broken = conversation("b", "2024-02-02", is_deleted="perhaps")
    messages = [message("gone", "2024-01-05"), message("b", "2024-03-01")]
    rows = Rows([conversation("a", "2024-02-01"), broken], messages, ranges)
    assert span(rows) == days("2024-01-05", "2024-03-01")


@EACH_KIND
def test_a_conversation_without_a_start_begins_with_its_first_message(ranges: bool) -> None:
    messages = [message("b", "2024-03-09"), message("b", "2024-03-08"), message("b", "2024-04-01")]
    rows = Rows([conversation("a", "2024-02-01"), conversation("b", None)], messages, ranges)
    assert span(rows) == days("2024-02-01", "2024-03-08")


@EACH_KIND
def test_times_without_a_partition_do_not_count(ranges: bool) -> None:
    rows = Rows([conversation("a", "2019-01-01"), conversation("b", "2031-01-01")], [], ranges)
    assert span(rows) is None


@EACH_KIND
def test_messages_alone_have_days(ranges: bool) -> None:
    rows = Rows([], [message("gone", "2024-01-05"), message("gone", "2024-01-07")], ranges)
    assert span(rows) == days("2024-01-05", "2024-01-07")


def test_a_source_that_answers_ranges_is_not_read_whole() -> None:
    rows = Rows([conversation("a", "2024-02-01")], [message("a", "2024-02-01")], ranges=True)
    span(rows)
    assert rows.asked == ["all conversations", "a range of messages", "a range of messages"]


_DAYS = st.dates(date(2023, 12, 1), date(2024, 7, 1)).map(str)
_IDS = st.sampled_from("abcde")


@given(
    st.dictionaries(_IDS, st.none() | _DAYS, max_size=4),
    st.lists(st.tuples(_IDS, _DAYS), max_size=6),
)
def test_asking_for_ranges_finds_the_same_days(
    conversations: dict[str, str | None], messages: list[tuple[str, str]]
) -> None:
    whole = Rows(
        [conversation(id_, day) for id_, day in conversations.items()],
        [message(*one) for one in messages],
    )
    assert span(whole) == span(replace(whole, ranges=True))

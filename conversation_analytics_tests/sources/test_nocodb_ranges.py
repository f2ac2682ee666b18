"""Reading a day: ranges of creation time, conversations by id, messages of conversations."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.errors import SourceSchemaError
from conversation_analytics.sources.mapping import PLAIN
from conversation_analytics_tests.sources.nocodb_fake import (
    FakeNocoDB,
    Row,
    column,
    key_column,
    keys,
    message_columns,
    read,
)

DAY = datetime(2024, 1, 2, tzinfo=UTC)


def message(key: int | str, conversation: str, at: datetime | None) -> Row:
    return {"Id": key, "conversation_id": conversation, "created_at": at}


def test_messages_of_a_range_end_before_its_end() -> None:
    fake = FakeNocoDB(cap=2)
    hours = [DAY + timedelta(hours=hour) for hour in range(-2, 27)]
    fake.messages.rows = [message(n, "c", at) for n, at in enumerate(hours)]
    found = read(fake.source().messages_between(DAY, DAY + timedelta(days=1)))
    assert keys(found) == list(range(2, 26))


def test_a_range_that_ends_within_a_second_takes_the_whole_second() -> None:
    fake = FakeNocoDB()
    fake.messages.rows = [message(1, "c", DAY + timedelta(milliseconds=100))]
    assert read(fake.source().messages_between(DAY, DAY + timedelta(milliseconds=200)))


@pytest.mark.parametrize("ids", [["c-1"], ["c-1", "c-2", "c-404", "c-1", "", " "]])
def test_conversations_come_by_id_once(ids: list[str]) -> None:
    fake = FakeNocoDB()
    fake.conversations.rows = [{"Id": n, "conversation_id": f"c-{n}"} for n in range(5)]
    found = read(fake.source().conversations_by_id(ids))
    assert [row["conversation_id"] for row in found] == [i for i in ("c-1", "c-2") if i in ids]


def test_no_ids_ask_nothing() -> None:
    fake = FakeNocoDB()
    assert read(fake.source().messages_of([])) == []
    assert fake.records_requests == []


def test_ids_that_a_key_column_cannot_hold_are_not_asked_for() -> None:
    fake = FakeNocoDB()
    fake.messages.columns = [key_column("Id", "uuid"), column("conversation_id", dt="uuid")]
    fake.messages.columns += message_columns()[4:]
    known = "cd613e30-d8f1-4adf-91b7-584a2265b1f5"
    assert read(fake.source().messages_of(["c-1", "7", known])) == []
    (request,) = fake.records_requests
    assert request.url.params["where"] == f"(conversation_id,eq,{known})"


def test_requests_for_many_ids_stay_within_the_batch_and_8_kilobytes() -> None:
    fake = FakeNocoDB()
    ids = [f"ลูกค้า-{n}-{'x' * 20}" for n in range(150)]
    read(fake.source(batch_ids=60).conversations_by_id(ids))
    asked = fake.records_requests
    assert 3 <= len(asked) <= 8
    assert max(len(str(request.url)) for request in asked) < 8192
    assert sum(str(request.url.params).count("-xxx") for request in asked) == 150


def test_a_conversation_id_inside_a_json_column_cannot_be_filtered() -> None:
    fake = FakeNocoDB()
    aliases = {**PLAIN.messages.aliases, "conversation_id": ("content.conversation",)}
    mapping = replace(PLAIN, messages=replace(PLAIN.messages, aliases=aliases))
    with pytest.raises(SourceSchemaError, match="FIELD_MAPPING_FILE"):
        fake.source(mapping=mapping).messages_of(["c-1"])


TIMES = st.one_of(
    st.none(),
    st.integers(0, 5_000_000).map(lambda microseconds: DAY + timedelta(microseconds=microseconds)),
)


@given(
    times=st.lists(st.tuples(st.sampled_from("abcd"), TIMES), max_size=40),
    cap=st.integers(1, 10),
    batch_ids=st.integers(1, 4),
    key=st.sampled_from(["integer", "text"]),
)
@settings(max_examples=120)
def test_every_message_of_the_conversations_comes_once(
    times: list[tuple[str, datetime | None]], cap: int, batch_ids: int, key: str
) -> None:
    fake = FakeNocoDB(cap=cap, key=key)
    fake.messages.rows = [
        message(n if key == "integer" else f"k{n * 37 % 41:02}", conversation, at)
        for n, (conversation, at) in enumerate(times)
    ]
    found = read(fake.source(batch_ids=batch_ids).messages_of(["a", "b", "c", "nobody"]))
    asked = [row for row in fake.messages.rows if row["conversation_id"] != "d"]
    assert Counter(keys(found)) == Counter(keys(asked))


@given(
    gaps=st.lists(st.integers(0, 900_000), min_size=1, max_size=60),
    cap=st.integers(5, 9),
)
@settings(max_examples=60)
def test_messages_of_one_second_come_in_the_order_they_were_made(gaps: list[int], cap: int) -> None:
    """At most 4 a second here, so that no second fills a page."""
    fake = FakeNocoDB(cap=cap, key="text")
    at = DAY
    for n, gap in enumerate(gaps):
        at = DAY + timedelta(seconds=n // 4, microseconds=gap)
        fake.messages.rows.append(message(f"k{n * 37 % 61:02}", "ab"[n % 2], at))
    found = read(fake.source().messages_of(["a", "b"]))
    made = sorted(fake.messages.rows, key=lambda row: (row["created_at"], row["Id"]))
    assert keys(found) == keys(made)


def test_a_second_that_fills_a_page_is_read_conversation_by_conversation() -> None:
    fake = FakeNocoDB(cap=4, key="text")
    fake.messages.rows = [
        message(f"k{-n % 7}-{conversation}", conversation, DAY + timedelta(milliseconds=n))
        for n in range(3)
        for conversation in "abcdef"
    ]
    found = read(fake.source().messages_of(list("abcdef")))
    assert len(found) == 18
    for conversation in "abcdef":
        of_it = [row["Id"] for row in found if row["conversation_id"] == conversation]
        assert of_it == [f"k{-n % 7}-{conversation}" for n in range(3)]


def test_rows_left_out_of_a_page_leave_the_others_as_they_were() -> None:
    fake = FakeNocoDB(cap=3)
    fake.messages.rows = [
        {**message(n, "a", DAY + timedelta(seconds=n // 2)), "content": f"{n} ไทย", "cost": 1.5}
        for n in range(6)
    ]
    pages = list(fake.source().messages_of(["a"]))
    assert len(pages) > 1
    found = [row for page in pages for row in orjson.loads(page.body)["list"]]
    assert [row["content"] for row in found] == [f"{n} ไทย" for n in range(6)]

"""Messages summed up by local day, against loops over plain dicts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.partitions import BEGINNING
from conversation_analytics.schemas import MESSAGE_ACTIVITY, MESSAGES
from conversation_analytics.schemas.messages import ROLES
from conversation_analytics.schemas.validation import check_schema
from conversation_analytics.storage.encoding import encode, table_hash
from conversation_analytics.transforms.activity import local_days, message_activity
from conversation_analytics_tests.storage.lake_days import OPTIONS

Row = dict[str, Any]

USERS = {"c1": "u1", "c2": "u1", "c3": None, "ครับ": "u2"}
ZONES = ["UTC", "Asia/Bangkok", "America/New_York", "America/Sao_Paulo", "Pacific/Kiritimati"]

zones = st.sampled_from(ZONES)
instants = st.floats(0, 60).map(lambda days: datetime(2018, 10, 1, tzinfo=UTC) + timedelta(days))
reals = st.none() | st.floats(0, 1e6, allow_subnormal=False).map(abs)
counts = st.none() | st.integers(0, 10**6)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "conversation_id": st.sampled_from(list(USERS)),
            "role": st.sampled_from(ROLES),
            "created_at": instants,
            "model": st.sampled_from([None, "", "gpt", "claude"]),
            "currency": st.sampled_from([None, "USD", "THB"]),
            "prompt_tokens": counts,
            "completion_tokens": counts,
            "latency_ms": reals,
            "response_seconds": reals,
            "cost": st.none() | st.decimals(0, 10**6, places=8),
            "error": st.sampled_from([None, "", "boom"]),
            "escalated": st.booleans(),
        }
    ),
    max_size=30,
)

few = settings(max_examples=25)


def table_of(given_rows: list[Row]) -> pa.Table:
    whole = {"content": "", "turn_index": 0, "attributes": "{}", "content_hash": "", "user_id": ""}
    return pa.Table.from_pylist(
        [
            {**whole, "message_id": str(n), **row, "user_id": USERS[row["conversation_id"]]}
            for n, row in enumerate(given_rows)
        ],
        schema=MESSAGES.arrow,
    )


def added(values: list[Any]) -> Any:
    told = [value for value in values if value is not None]
    return sum(told[1:], told[0]) if told else None


def expected(given_rows: list[Row], zone: str) -> list[Row]:
    groups: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in given_rows:
        day = row["created_at"].astimezone(ZoneInfo(zone)).date()
        groups[day, row["conversation_id"], row["role"], row["model"], row["currency"]].append(row)
    made = []
    for key, own in groups.items():
        tokens = {
            name: [row[name] for row in own] for name in ("prompt_tokens", "completion_tokens")
        }
        real = {
            name: sorted(row[name] for row in own if row[name] is not None)
            for name in ("latency_ms", "response_seconds")
        }
        made.append(
            {
                **dict(zip(MESSAGE_ACTIVITY.key, key, strict=True)),
                "user_id": USERS[key[1]],
                "messages": len(own),
                "errors": sum(row["error"] is not None for row in own),
                **{name: added(values) for name, values in tokens.items()},
                "total_tokens": added([v for values in tokens.values() for v in values]),
                "cost": added([row["cost"] for row in own]),
                "escalated": any(row["escalated"] for row in own),
                "first_at": min(row["created_at"] for row in own),
                "last_at": max(row["created_at"] for row in own),
                **real,
            }
        )
    return sorted(made, key=in_file_order)


def in_file_order(row: Row) -> tuple[Any, ...]:
    """UTF-8 keeps the order of code points; null is last."""
    names = [(row[name] is None, row[name] or "") for name in ("model", "currency")]
    return (row["activity_day"], row["conversation_id"], row["role"], *names)


@given(rows, zones)
def test_messages_are_summed_up_by_the_local_day_they_were_made_on(
    drawn: list[Row], zone: str
) -> None:
    assert message_activity(table_of(drawn), zone).to_pylist() == expected(drawn, zone)


@few
@given(rows, zones, st.randoms(use_true_random=False))
def test_the_order_and_the_chunks_of_messages_do_not_matter(
    drawn: list[Row], zone: str, random: Any
) -> None:
    shuffled = table_of(random.sample(drawn, len(drawn)))
    parts = [shuffled.slice(n, 3) for n in range(0, len(drawn), 3)] or [shuffled]
    found = message_activity(pa.concat_tables(parts), zone)
    assert found.equals(message_activity(table_of(drawn), zone))


@few
@given(rows, zones)
def test_rows_are_what_their_schema_says(drawn: list[Row], zone: str) -> None:
    found = check_schema(message_activity(table_of(drawn), zone), MESSAGE_ACTIVITY)
    assert found.passed, found.problems


@few
@given(rows.filter(bool), zones)
def test_rows_are_the_same_and_have_the_same_hash_when_read_from_a_file(
    drawn: list[Row], zone: str
) -> None:
    made = message_activity(table_of(drawn), zone)
    [file] = encode(made, MESSAGE_ACTIVITY, replace(OPTIONS, row_group_size=2), epoch=1, hash_="")
    read = pq.read_table(pa.BufferReader(file.data)).cast(MESSAGE_ACTIVITY.arrow)
    assert read.equals(made)
    assert table_hash(read, MESSAGE_ACTIVITY) == table_hash(made, MESSAGE_ACTIVITY)


def test_another_latency_is_another_content() -> None:
    row: Row = {
        "conversation_id": "c1",
        "role": "assistant",
        "created_at": datetime(2024, 1, 1, tzinfo=UTC),
        "escalated": False,
        "cost": Decimal("0.1"),
    }
    hashes = {
        table_hash(message_activity(table_of([row | change]), "UTC"), MESSAGE_ACTIVITY)
        for change in ({}, {"latency_ms": 1.0}, {"latency_ms": 2.0}, {"response_seconds": 1.0})
    }
    assert len(hashes) == 4


@given(st.lists(st.integers(-7000, 47000), max_size=5), st.floats(0, 1), zones)
def test_a_time_lies_in_the_day_that_its_local_clock_shows(
    numbers: list[int], part: float, zone: str
) -> None:
    times = [BEGINNING + timedelta(number + part) for number in numbers]
    column = pa.chunked_array([pa.array(times, pa.timestamp("us", tz="UTC"))])
    days = [moment.astimezone(ZoneInfo(zone)).date() for moment in times]
    assert local_days(column, zone).to_pylist() == days

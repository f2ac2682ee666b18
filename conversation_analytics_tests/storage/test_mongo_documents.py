from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from bson import CodecOptions, decode, encode
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.errors import StorageError
from conversation_analytics.schemas import MESSAGES, TableSchema
from conversation_analytics.schemas.base import INTEGER, MONEY, STRING, TIMESTAMP, Column
from conversation_analytics.storage.mongo_documents import (
    documents,
    identities,
    refuse_oversized,
)
from conversation_analytics_tests.storage.mongo_days import DAY, messages


def only_column(values: list[object], kind: pa.DataType) -> list[object]:
    """What the values of a column come back as from BSON."""
    schema = TableSchema(
        "t", "", (Column("id", STRING, ""), Column("value", kind, "")), ("id",), ("id",)
    )
    ids = pa.array([str(n) for n in range(len(values))])
    chunks = [pa.array(values[:2], kind), pa.array([], kind), pa.array(values, kind).slice(2)]
    table = pa.table({"id": ids, "value": pa.chunked_array(chunks, kind)})
    return [decode(encode(d))["value"] for d in documents(table, schema, day=DAY, epoch=1)]


def test_a_document_has_its_id_every_column_its_day_and_the_epoch():
    table = messages({"m1": "สวัสดี"}, prompt_tokens=7, cost=Decimal("0.00120000"))
    (document,) = documents(table, MESSAGES, day=date(2024, 2, 29), epoch=4)
    assert list(document) == ["_id", *MESSAGES.names, "partition", "epoch"]
    assert document["_id"] == document["message_id"] == "m1"
    assert document["content"] == "สวัสดี"
    assert (document["partition"], document["epoch"]) == ("2024-02-29", 4)
    assert document["attributes"] == "{}"
    assert document["user_id"] is None
    assert document["cost"] == Decimal128("0.00120000")


def test_whole_numbers_are_64_bit_even_when_small():
    (document,) = documents(messages({"m1": "x"}, prompt_tokens=7), MESSAGES, day=DAY, epoch=1)
    assert isinstance(document["prompt_tokens"], Int64)
    assert isinstance(document["epoch"], Int64)


def test_times_are_utc_and_cut_to_milliseconds():
    moment = datetime(2024, 1, 1, 12, 0, 0, 123999, tzinfo=UTC)
    (document,) = documents(messages({"m1": "x"}, created_at=moment), MESSAGES, day=DAY, epoch=1)
    stored = decode(encode(document), CodecOptions(tz_aware=True, tzinfo=UTC))
    assert stored["created_at"] == moment.replace(microsecond=123000)


def test_no_rows_make_no_documents():
    assert list(documents(MESSAGES.empty(), MESSAGES, day=DAY, epoch=1)) == []
    assert identities(MESSAGES.empty(), MESSAGES) == []


def test_an_id_of_several_columns_is_joined_with_a_star_for_null():
    schema = TableSchema(
        "labels",
        "",
        (
            Column("conversation_id", STRING, ""),
            Column("message_id", STRING, ""),
            Column("rank", INTEGER, ""),
        ),
        ("conversation_id", "message_id", "rank"),
        ("rank",),
    )
    table = pa.table(
        {"conversation_id": ["c1", "c1"], "message_id": ["m1", None], "rank": [1, 2]},
        schema=schema.arrow,
    )
    assert identities(table, schema) == ["c1|m1|1", "c1|*|2"]


def test_a_document_too_large_is_named():
    batch = list(documents(messages({"m1": "x" * 17_000_000}), MESSAGES, day=DAY, epoch=1))
    with pytest.raises(StorageError, match=r"'m1' of day 2024-01-01 has 17\d+ bytes"):
        refuse_oversized(batch)


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3)))
def test_whole_numbers_are_kept_exactly(numbers: list[int | None]):
    stored = only_column(list(numbers), INTEGER)
    assert stored == numbers
    assert all(number is None or isinstance(number, Int64) for number in stored)


@given(
    st.lists(
        st.none()
        | st.decimals(min_value=-(10**12) + 1, max_value=10**12 - 1, places=8, allow_nan=False)
    )
)
def test_money_is_kept_exactly(amounts: list[Decimal | None]):
    stored = only_column(list(amounts), MONEY)
    assert [v if v is None else v.to_decimal() for v in stored] == amounts
    assert all(v is None or v.to_decimal().as_tuple().exponent == -8 for v in stored)


@given(
    st.lists(
        st.none() | st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
    )
)
def test_times_lose_no_more_than_their_microseconds(moments: list[datetime | None]):
    stored = only_column(list(moments), TIMESTAMP)
    expected = [
        m and m.replace(microsecond=m.microsecond // 1000 * 1000, tzinfo=None) for m in moments
    ]
    assert stored == expected

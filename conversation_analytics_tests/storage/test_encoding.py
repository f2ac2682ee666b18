"""Hashes that depend on the rows alone, and Parquet written as the options say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.schemas import CONVERSATIONS, MESSAGES, RAW_CONVERSATIONS, Column
from conversation_analytics.storage.encoding import (
    EncodedFile,
    ParquetOptions,
    content_hash,
    digest,
    encode,
    row_hashes,
    table_hash,
)
from conversation_analytics_tests.storage.lake_days import OPTIONS, messages

LIMIT = 10**11
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(st.characters(codec="utf-8"), max_size=6),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "decimal128(20, 8)": st.decimals(-LIMIT, LIMIT, places=8),
    "timestamp[us, tz=UTC]": st.datetimes(timezones=st.just(UTC)),
}


def values_of(column: Column) -> st.SearchStrategy[Any]:
    some = VALUES[str(column.type)]
    return st.none() | some if column.nullable else some


rows = st.lists(
    st.fixed_dictionaries({c.name: values_of(c) for c in CONVERSATIONS.columns}), max_size=3
)
some_rows = rows.filter(bool)


def table_of(given_rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(given_rows, schema=CONVERSATIONS.arrow)


def hash_of(given_rows: list[dict[str, Any]]) -> str:
    return content_hash(row_hashes(table_of(given_rows), CONVERSATIONS))


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(drawn: list[dict[str, Any]], random: Any) -> None:
    shuffled = random.sample(drawn, len(drawn))
    assert hash_of(shuffled) == hash_of(drawn)


@given(some_rows, st.data())
def test_any_other_value_of_any_row_is_another_content(
    drawn: list[dict[str, Any]], data: st.DataObject
) -> None:
    row = data.draw(st.sampled_from(drawn))
    column = data.draw(st.sampled_from([c for c in CONVERSATIONS.columns if c.hashed]))
    value = data.draw(values_of(column).filter(lambda v: v != row[column.name]))
    changed = [{**one, column.name: value} if one is row else one for one in drawn]
    assert hash_of(changed) != hash_of(drawn)


@given(some_rows, st.data())
def test_what_the_source_says_of_itself_is_no_content(
    drawn: list[dict[str, Any]], data: st.DataObject
) -> None:
    columns = [c for c in CONVERSATIONS.columns if not c.hashed]
    changed = [{**row, **{c.name: data.draw(values_of(c)) for c in columns}} for row in drawn]
    assert hash_of(changed) == hash_of(drawn)


@given(some_rows)
def test_a_row_twice_is_not_a_row_once(drawn: list[dict[str, Any]]) -> None:
    assert hash_of([*drawn, drawn[0]]) != hash_of(drawn)


@given(some_rows, st.sampled_from(["none", "zstd", "gzip"]), st.integers(1, 3))
def test_chunks_row_groups_and_codecs_do_not_matter(
    drawn: list[dict[str, Any]], codec: str, size: int
) -> None:
    whole = table_of(drawn)
    parts = pa.concat_tables([whole.slice(n, size) for n in range(0, len(drawn), size)])
    options = replace(OPTIONS, compression=codec, row_group_size=size)
    [file] = encode(whole, CONVERSATIONS, options, epoch=1, hash_="")
    read = pq.read_table(pa.BufferReader(file.data))
    hashes = row_hashes(whole, CONVERSATIONS)
    assert row_hashes(parts, CONVERSATIONS) == row_hashes(read, CONVERSATIONS) == hashes


def test_hashes_stay_what_they_are_from_version_to_version() -> None:
    new_year = datetime(2024, 1, 1, tzinfo=UTC)
    table = messages({"m1": "สวัสดี"}, cost=Decimal("0.5"), latency_ms=1.5, created_at=new_year)
    assert digest(b"abc") == "cf4ab791c62b8d2b2109c90275287816"
    assert (
        digest(
            '["m1","c1",null,"user","สวัสดี",1704067200000000,0,null,null,null,null,1.5,'
            '"0.50000000",null,null,null,false,"{}"]'.encode()
        )
        == row_hashes(table, MESSAGES)[0]
    )


def metadata(files: list[EncodedFile]) -> list[Any]:
    return [pq.ParquetFile(pa.BufferReader(file.data)).metadata for file in files]


def encoded(table: pa.Table, **options: Any) -> list[EncodedFile]:
    return encode(table, MESSAGES, replace(OPTIONS, **options), epoch=7, hash_="ab")


@pytest.mark.parametrize("codec", ["zstd", "snappy", "gzip", "brotli", "lz4", "none"])
def test_the_codec_is_the_one_asked_for(codec: str) -> None:
    [file] = metadata(encoded(messages(["x"] * 50), compression=codec))
    found = {file.row_group(0).column(n).compression for n in range(file.num_columns)}
    assert found == {"UNCOMPRESSED" if codec == "none" else codec.upper()}


def test_row_groups_are_as_big_as_asked_for() -> None:
    [file] = metadata(encoded(messages(["x"] * 25), row_group_size=10))
    assert [file.row_group(n).num_rows for n in range(file.num_row_groups)] == [10, 10, 5]


def test_pages_are_as_big_as_asked_for() -> None:
    # Texts that do not compress: each page has its own header, so small pages take more bytes.
    table = messages([digest(b"%d" % n) * 8 for n in range(3_000)])
    small, big = (
        metadata(encoded(table, page_size=size, compression="none"))[0] for size in (4_096, 2**20)
    )
    column = MESSAGES.names.index("content")
    sizes = [m.row_group(0).column(column).total_uncompressed_size for m in (small, big)]
    assert sizes[0] > sizes[1] + 10 * 20


def test_dictionaries_are_for_columns_of_few_values_only() -> None:
    [file] = metadata(encoded(messages(["x"] * 50)))
    with_dictionary = {
        column.path_in_schema
        for column in (file.row_group(0).column(n) for n in range(file.num_columns))
        if column.has_dictionary_page
    }
    assert with_dictionary == {c.name for c in MESSAGES.columns if c.categorical}


def test_the_footer_names_epoch_and_content() -> None:
    for file in metadata(encoded(messages(["x"] * 5), max_records=2)):
        assert file.metadata[b"conversation_analytics.epoch"] == b"7"
        assert file.metadata[b"conversation_analytics.content_hash"] == b"ab"


@pytest.mark.parametrize(
    ("rows_", "most", "sizes"),
    [(0, 3, [0]), (1, 3, [1]), (3, 3, [3]), (4, 3, [3, 1]), (4, None, [4])],
)
def test_a_file_has_at_most_so_many_rows(rows_: int, most: int | None, sizes: list[int]) -> None:
    assert [file.rows for file in encoded(messages(["x"] * rows_), max_records=most)] == sizes


def test_files_are_about_as_big_as_asked_for() -> None:
    texts = [(digest(b"%d" % n) + digest(b"%d!" % n)) * 8 for n in range(6_000)]
    files = encoded(messages(texts), target_megabytes=1, compression="none")
    assert len(files) > 2
    assert sum(file.rows for file in files) == 6_000
    assert all(0.5e6 < len(file.data) < 1.2e6 for file in files)
    assert len(encoded(messages(texts[:50]), target_megabytes=1)) == 1


def test_both_limits_hold_together() -> None:
    options = ParquetOptions("zstd", 1_000, 4_096, max_records=2, target_megabytes=1)
    files = encode(messages(["x"] * 5), MESSAGES, options, epoch=1, hash_="")
    assert [file.rows for file in files] == [2, 2, 1]


def test_a_table_without_row_hashes_is_hashed_by_its_columns() -> None:
    rows = [
        {"conversation_id": i, "started_at": 0, "disposition": "represented", "row_hash": "h"}
        for i in ("a", "b")
    ]

    def hash_of(**changes: str) -> str:
        changed = [{**row, "payload": "{}", **changes} for row in rows]
        return table_hash(
            pa.Table.from_pylist(changed, schema=RAW_CONVERSATIONS.arrow), RAW_CONVERSATIONS
        )

    assert hash_of() == hash_of(payload='{"UpdatedAt": 1}')
    assert hash_of() != hash_of(row_hash="other")
    assert hash_of() != hash_of(disposition="soft_deleted")

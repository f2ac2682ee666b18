"""Exports: the same rows in each format, a day at a time, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conversation_analytics.api.export import exported, flat_schema
from conversation_analytics.schemas import CONVERSATIONS
from conversation_analytics_tests.api.lake import A_DAY, DAYS, FORMULA, Api

TABLES = ("conversations", "messages", "categories", "translations")
ALL = len(DAYS) * A_DAY


def parquet(api: Api, table: str, **params: str) -> pa.Table:
    answer = api.get(f"/exports/{table}", params={"format": "parquet", **params})
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert f'filename="{table}.parquet"' in answer.headers["content-disposition"]
    return pq.read_table(pa.BufferReader(answer.content))


def arrow(api: Api, table: str, **params: str) -> pa.Table:
    answer = api.get(f"/exports/{table}", params={"format": "arrow", **params})
    return pa.ipc.open_stream(answer.content).read_all()


def rows(api: Api, table: str, **params: str) -> list[dict[str, str]]:
    answer = api.get(f"/exports/{table}", params=params)
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


@pytest.mark.parametrize("table", TABLES)
def test_every_format_has_the_same_rows(api: Api, table: str) -> None:
    by_parquet = parquet(api, table)
    assert by_parquet.equals(arrow(api, table))
    texts = rows(api, table)
    assert len(texts) == by_parquet.num_rows
    key = "conversation_id"
    assert [row[key] for row in texts] == by_parquet[key].to_pylist()


def test_an_export_has_every_conversation_and_message_in_order(api: Api) -> None:
    conversations = parquet(api, "conversations")
    assert conversations["conversation_id"].to_pylist() == [
        f"c-{day:%d}-{number}" for day in DAYS for number in range(A_DAY)
    ]
    assert "categories.topic" in conversations.column_names
    assert "content_hash" not in conversations.column_names
    assert parquet(api, "messages").num_rows == 4 * ALL


@pytest.mark.parametrize("table", ["conversations", "messages", "categories"])
def test_filters_hold_for_exports_too(api: Api, table: str) -> None:
    found = arrow(api, table, escalated="true", to="2024-01-03")
    assert set(found["conversation_id"].to_pylist()) == {"c-02-1", "c-03-1"}


def test_texts_that_a_spreadsheet_would_run_are_disarmed_in_csv_only(api: Api) -> None:
    titles = {row["title"] for row in rows(api, "conversations")}
    assert "'" + FORMULA in titles
    assert FORMULA not in titles
    assert FORMULA in parquet(api, "conversations")["title"].to_pylist()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_each_beginning_of_a_formula_is_disarmed(start: str) -> None:
    schema = pa.schema([("text", pa.string())])
    table = pa.table({"text": [start + "1", "a" + start, ""]}, schema=schema)
    data = b"".join(exported("csv", schema, iter([table]))).decode()
    cells = [row["text"] for row in csv.DictReader(io.StringIO(data, newline=""))]
    assert cells == ["'" + start + "1", "a" + start, ""]


@pytest.mark.parametrize("format_", ["csv", "parquet", "arrow"])
def test_an_export_of_nothing_is_a_file_with_columns(api: Api, format_: str) -> None:
    answer = api.get("/exports/messages", params={"format": format_, "from": "2024-02-01"})
    assert answer.status_code == 200
    if format_ == "parquet":
        assert pq.read_table(pa.BufferReader(answer.content)).num_rows == 0
    assert b"conversation_id" in answer.content


@pytest.mark.parametrize("format_", ["csv", "parquet", "arrow"])
def test_a_day_is_asked_for_when_the_one_before_was_sent(format_: str) -> None:
    schema = flat_schema(CONVERSATIONS.arrow)
    asked = []

    def days() -> Iterator[pa.Table]:
        for number in range(3):
            asked.append(number)
            yield pa.table({name: pa.nulls(2, schema.field(name).type) for name in schema.names})

    parts = exported(format_, schema, days())  # type: ignore[arg-type]
    next(parts)
    assert asked == [0]


def test_head_of_an_export_reads_nothing(api: Api) -> None:
    head = api.client.head("/api/v1/exports/messages", headers={"X-API-Key": api.keys["admin"]})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/csv")

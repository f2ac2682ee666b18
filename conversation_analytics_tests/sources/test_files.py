"""Exported files: every row once, whatever the format; what is wrong with a file is said."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conversation_analytics.errors import SourceSchemaError, SourceUnavailable
from conversation_analytics.sources.base import SourceTable
from conversation_analytics.sources.decode import decode
from conversation_analytics.sources.files import FilesSource
from conversation_analytics_tests.builders import conversation, message, write_export, write_rows

COMPRESSED = gzip.compress(b'{"a":1}\n' * 2000)


def rows(folder: Path, table: SourceTable = "messages", **how: Any) -> list[dict[str, Any]]:
    source = FilesSource(folder, **how)
    return [one.row for page in source.scan(table) for one in decode(page)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rows(tmp_path / "conversations.jsonl", [conversation()])
    return tmp_path


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet"])
def test_rows_come_in_the_order_of_file_names_and_lines(tmp_path: Path, ending: str) -> None:
    messages = [message(f"m{n}") for n in range(7)]
    write_export(tmp_path, [conversation()], messages, files=3, ending=ending)
    for page_rows in (1, 2, 10_000):
        found = rows(tmp_path, page_rows=page_rows)
        assert [row["message_id"] for row in found] == [f"m{n}" for n in range(7)]


def test_page_positions_number_the_rows(tmp_path: Path) -> None:
    write_export(tmp_path, [conversation()], [message(f"m{n}") for n in range(7)], files=2)
    source = FilesSource(tmp_path, page_rows=3)
    pages = [(page.position, len(list(decode(page)))) for page in source.scan("messages")]
    assert pages == [(0, 3), (3, 1), (4, 3)]


def test_files_of_several_formats_are_one_table(folder: Path) -> None:
    write_rows(folder / "messages-1.jsonl", [message("m1")])
    write_rows(folder / "messages-2.csv", [message("m2")])
    write_rows(folder / "messages-3.parquet", [message("m3")])
    assert [row["message_id"] for row in rows(folder)] == ["m1", "m2", "m3"]


def test_a_byte_order_mark_is_no_part_of_the_first_row(folder: Path) -> None:
    text = "\ufeff" + json.dumps({"message_id": "m1"}) + "\n"
    (folder / "messages.jsonl").write_text(text, encoding="utf-8")
    assert rows(folder) == [{"message_id": "m1"}]
    (folder / "messages.jsonl").rename(folder / "messages.old")
    (folder / "messages.csv").write_text("\ufeffmessage_id\nm1\n", encoding="utf-8")
    assert rows(folder) == [{"message_id": "m1"}]


def test_a_last_line_without_an_end_is_a_row(folder: Path) -> None:
    (folder / "messages-1.jsonl").write_bytes(b'{"a":1}\r\n\n{"a":2}')
    (folder / "messages-2.jsonl").write_bytes(b'{"a":3}')
    assert rows(folder) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_csv_cells_hold_line_ends_and_quotes_and_empty_ones_are_null(folder: Path) -> None:
    (folder / "messages.csv").write_bytes(b'id,text\r\n1,"two\r\nlines ""quoted"""\r\n\r\n2,\r\n')
    assert rows(folder) == [{"id": "1", "text": 'two\r\nlines "quoted"'}, {"id": "2", "text": None}]


def test_a_csv_row_of_another_width_is_malformed_not_shifted(folder: Path) -> None:
    (folder / "messages.csv").write_text("id,text\n1,a\n2\n3,b,c\n")
    (page,) = FilesSource(folder).scan("messages")
    found = [(one.row, one.problem.reason if one.problem else None) for one in decode(page)]
    assert found == [({"id": "1", "text": "a"}, None), ({}, "malformed"), ({}, "malformed")]


def test_csv_text_that_is_not_utf8_is_bad_encoding(folder: Path) -> None:
    (folder / "messages.csv").write_bytes(b"id,text\n1,caf\xe9\n2,tea\n")
    (page,) = FilesSource(folder).scan("messages")
    assert [one.problem.reason if one.problem else None for one in decode(page)] == [
        "bad_encoding",
        None,
    ]


def test_parquet_values_of_every_type_have_a_place_in_json(folder: Path) -> None:
    moment = datetime(2024, 1, 2, 10, tzinfo=UTC)
    row = {
        "at": moment,
        "day": date(2024, 1, 2),
        "clock": time(10, 30),
        "cost": Decimal("0.00000003"),
        "bytes": b"text",
        "nan": float("nan"),
        "tags": ["a"],
        "nested": {"k": 1},
    }
    pq.write_table(pa.Table.from_pylist([row]), folder / "messages.parquet")
    assert rows(folder) == [
        {
            "at": "2024-01-02T10:00:00+00:00",
            "day": "2024-01-02",
            "clock": "10:30:00",
            "cost": "0.00000003",
            "bytes": "text",
            "nan": None,
            "tags": ["a"],
            "nested": {"k": 1},
        }
    ]


def test_the_probe_tells_columns_and_files(folder: Path) -> None:
    write_rows(folder / "messages-1.jsonl.gz", [{"a": 1}, b"{broken", {"b": 2}])
    write_rows(folder / "messages-2.csv", [{"c": 3}])
    info = FilesSource(folder).probe()
    assert info.messages.columns == ("a", "b", "c")
    assert info.messages.name == "messages-1.jsonl.gz, messages-2.csv"
    assert info.ordered
    assert FilesSource(folder).queries is None


def test_a_folder_that_is_not_there_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"SOURCE_DIR=.*none is no folder: .* generate"):
        FilesSource(tmp_path / "none").probe()


def test_a_missing_table_is_said_with_what_there_is(folder: Path) -> None:
    with pytest.raises(SourceSchemaError, match=r"no messages file: .*conversations\.jsonl"):
        FilesSource(folder).probe()


def test_of_many_other_files_an_error_names_a_few(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"other-{number:02}.txt").touch()
    with pytest.raises(SourceSchemaError, match=r"found other-00\.txt.*other-09\.txt and 20 more$"):
        FilesSource(tmp_path).probe()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("messages.jsonl.gz", COMPRESSED[:-12], id="cut short"),
        pytest.param("messages.jsonl.gz", COMPRESSED[:15] + b"\xff" * 40, id="damaged"),
        pytest.param("messages.jsonl.gz", b"no gzip at all", id="no gzip"),
        pytest.param("messages.parquet", b"no parquet at all", id="no parquet"),
    ],
)
def test_a_file_cut_short_or_damaged_is_named(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    with pytest.raises(SourceUnavailable, match=f"{name} cannot be read"):
        rows(folder)

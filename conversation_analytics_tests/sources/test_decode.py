"""A damaged line costs itself and no other."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.sources.base import Page
from conversation_analytics.sources.decode import MAX_ROW_BYTES, Decoded, decode


def lines(body: bytes) -> list[Decoded]:
    return list(decode(Page("messages", 0, body, "jsonl")))


def reasons(body: bytes) -> list[str | None]:
    return [one.problem.reason if one.problem else None for one in lines(body)]


def test_lines_are_rows_whatever_ends_them() -> None:
    assert [one.row for one in lines(b'{"a":1}\r\n\n  \n{"a":2}')] == [{"a": 1}, {"a": 2}]


def test_a_payload_is_the_row_with_sorted_keys() -> None:
    (one,) = lines(b'{"b": 1.50, "a": null}')
    assert one.payload == b'{"a":null,"b":1.5}'


@pytest.mark.parametrize("text", ["\u2028", "a\x00b", "👩‍👩‍👧", "\x85", "\ufeff"])
def test_odd_characters_do_not_split_a_line(text: str) -> None:
    row = {"content": text}
    for ascii_only in (True, False):
        body = json.dumps(row, ensure_ascii=ascii_only).encode()
        assert [one.row for one in lines(body + b"\n" + body)] == [row, row]


@pytest.mark.parametrize(
    "line",
    [b'{"a":', b'{"a":1},', b"[1]", b"null", b'"text"', b"7", b"<html>", b"[" * 100_000],
)
def test_a_line_that_is_no_object_is_malformed(line: bytes) -> None:
    good = b'{"a":1}'
    assert reasons(b"\n".join([good, line, good])) == [None, "malformed", None]


def test_a_malformed_line_is_kept_as_it_is() -> None:
    assert lines("{broken ช่วย".encode())[0].payload.decode() == "{broken ช่วย"


def test_half_an_emoji_is_bad_encoding_and_the_row_is_still_read() -> None:
    (one,) = lines(b'{"id":"m1","content":"\\ud83d"}')
    assert one.problem is not None
    assert one.problem.reason == "bad_encoding"
    assert one.row["id"] == "m1"
    assert orjson.loads(one.payload.replace(b"\\ud83d", b"?")) == {"id": "m1", "content": "?"}


def test_bytes_that_are_not_utf8_are_bad_encoding_and_the_row_is_still_read() -> None:
    (one,) = lines(b'{"id":"m1","content":"caf\xe9"}')
    assert one.problem is not None
    assert one.problem.reason == "bad_encoding"
    assert one.row["id"] == "m1"
    assert one.payload == b'{"id":"m1","content":"caf\\xe9"}'


def test_not_a_number_is_null() -> None:
    (one,) = lines(b'{"a":NaN,"b":[-Infinity]}')
    assert one.row == {"a": None, "b": [None]}
    assert one.problem is None


def test_a_number_that_json_cannot_keep_is_not_called_bad_encoding() -> None:
    (one,) = lines(b'{"id":"m1","a":NaN,"n":99999999999999999999999}')
    assert one.problem is not None
    assert one.problem.reason == "malformed"


def test_nesting_deeper_than_any_reader_goes_is_malformed() -> None:
    deep = b'{"a":' * 400 + b"1" + b"}" * 400
    assert reasons(deep) == ["malformed"]


def test_a_row_larger_than_any_store_takes_is_too_large() -> None:
    body = json.dumps({"a": "x" * MAX_ROW_BYTES}).encode()
    assert reasons(body) == ["too_large"]
    assert reasons(json.dumps({"a": "x" * (MAX_ROW_BYTES - 8)}).encode()) == [None]


def test_an_answer_with_one_bad_row_gives_the_others() -> None:
    body = b'{"list":[{"id":1},{"id":2,"text":"\\ud83d"},{"id":3}],"pageInfo":{}}'
    found = list(decode(Page("messages", 0, body, "nocodb")))
    assert [one.row["id"] for one in found] == [1, 2, 3]
    assert [one.problem is None for one in found] == [True, False, True]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.text(), json_values, max_size=4), max_size=5), st.booleans())
def test_what_was_written_is_read(rows: list[dict[str, Any]], ascii_only: bool) -> None:
    body = b"\n".join(json.dumps(row, ensure_ascii=ascii_only).encode() for row in rows)
    found = lines(body)
    assert [one.row for one in found] == rows
    assert [one.problem for one in found] == [None] * len(rows)
    assert [orjson.loads(one.payload) for one in found] == rows


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_any_bytes_are_rows_with_a_payload_in_unicode(parts: list[bytes]) -> None:
    body = b"\n".join(parts)
    found = lines(body)
    assert len(found) == sum(bool(part.strip()) for part in body.split(b"\n"))
    for one in found:
        one.payload.decode()

"""A stream means the same however its bytes are written, cut up and labelled."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.dify.answers import Answer
from conversation_analytics.dify.cutoff import CutOff
from conversation_analytics.dify.events import Event
from conversation_analytics_tests.dify.streams import (
    BYTE_ORDER_MARK,
    MANY_SCRIPTS,
    NO_LINE_ENDS,
)
from conversation_analytics_tests.services.dify_contract import PING, ByteStream, sse

FINISHED = {
    "event": "workflow_finished",
    "workflow_run_id": "r",
    "task_id": "t",
    "data": {"status": "succeeded", "outputs": {"text": MANY_SCRIPTS}},
}
TOLD = Event("workflow_finished", run_id="r", task_id="t", payload=FINISHED)


def events(chunks: bytes | Iterable[bytes], content_type: str = "text/event-stream") -> list[Event]:
    stream = ByteStream(iter([chunks] if isinstance(chunks, bytes) else chunks))
    response = httpx.Response(200, headers={"content-type": content_type}, stream=stream)
    return list(Answer(response, seconds=60, cut_off=CutOff(1)).events())


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_every_kind_of_line_end_ends_a_line(newline: bytes) -> None:
    assert events(sse(FINISHED).replace(b"\n", newline)) == [TOLD]


def test_no_other_character_ends_a_line() -> None:
    [event] = events(sse({"event": "text_chunk", "data": {"text": NO_LINE_ENDS}}))
    assert event.data == {"text": NO_LINE_ENDS}


def test_a_byte_order_mark_hides_no_event() -> None:
    assert events(BYTE_ORDER_MARK + sse(FINISHED)) == [TOLD]


def test_a_wrong_charset_in_the_header_changes_no_text() -> None:
    assert events(sse(FINISHED), "text/event-stream; charset=latin-1") == [TOLD]


def test_lines_of_data_belong_together() -> None:
    text = orjson.dumps(FINISHED, option=orjson.OPT_INDENT_2).replace(b"\n", b"\ndata: ")
    assert events(b"data: " + text + b"\n\n") == [TOLD]


def test_a_ping_is_an_event_without_data() -> None:
    assert events(PING + sse(FINISHED) + PING) == [Event("ping"), TOLD, Event("ping")]


def test_comments_and_unknown_fields_mean_nothing() -> None:
    assert events(b": hello\nid: 1\nretry: soon\nfoo: bar\n" + sse(FINISHED)) == [TOLD]


def test_an_event_that_was_cut_off_is_none() -> None:
    assert events(sse(FINISHED)[:-1]) == []


def test_bytes_that_are_no_utf8_mark_their_event_as_damaged() -> None:
    body = sse(FINISHED).replace("🙂".encode(), "🙂".encode()[:2])
    [event] = events(body)
    assert event.damaged
    assert event.run_id == "r"
    assert not TOLD.damaged


def test_half_a_surrogate_pair_is_kept() -> None:
    [event] = events(b'data: {"event": "text_chunk", "data": {"text": "\\ud83d"}}\n\n')
    assert event.data == {"text": "\ud83d"}


@pytest.mark.parametrize(
    "data", ["[DONE]", "{", "[]", "null", "7", '"text"', "{}", "[" * 100_000], ids=lambda d: d[:6]
)
def test_what_is_no_object_is_left_out(data: str) -> None:
    assert events(f"data: {data}\n\n".encode() + sse(FINISHED)) == [TOLD]


def test_ids_and_details_of_another_type_are_none() -> None:
    [event] = events(sse({"event": 1, "workflow_run_id": 2, "task_id": None, "data": "text"}))
    assert (event.kind, event.run_id, event.task_id, event.data) == ("message", None, None, {})


def test_an_event_of_ten_megabytes_is_whole() -> None:
    text = MANY_SCRIPTS * (10_000_000 // len(MANY_SCRIPTS.encode()))
    body = sse({"event": "workflow_finished", "data": {"outputs": {"text": text}}})
    [event] = events(body[n : n + 65_536] for n in range(0, len(body), 65_536))
    assert event.data["outputs"]["text"] == text


@given(
    text=st.text(),
    cuts=st.lists(st.integers(0, 200)),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_text_in_any_chunks_comes_through(text: str, cuts: list[int], newline: str) -> None:
    told = {"event": "text_chunk", "data": {"text": text}}
    body = sse(told).replace(b"\n", newline.encode())
    ends = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    chunks = [body[a:b] for a, b in pairwise(ends) if a < b]
    assert [event.payload for event in events(chunks)] == [told]

"""Streams of the shapes that Dify and what lies between it and its clients make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from conversation_analytics_tests.services.dify_contract import PING, sse

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What str.splitlines() takes for the end of a line and a stream of events does not.
NO_LINE_ENDS = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei"
MANY_SCRIPTS = f"สวัสดี 你好 🙂🏽 {NO_LINE_ENDS}"

Stream = Callable[[bytes], bytes]


def as_it_is(body: bytes) -> bytes:
    return body


def with_every_kind_of_event(body: bytes) -> bytes:
    """Pings, loops, speech and what else a workflow may tell, with CRLF as some proxies write."""
    first, *others = _events(body)
    more = [
        {"event": kind, "data": {"node_id": "n3"}}
        for kind in (
            *("iteration_started", "iteration_next", "iteration_completed"),
            *("loop_started", "loop_next", "loop_completed"),
            *("parallel_branch_started", "parallel_branch_finished", "node_retry"),
            *("agent_log", "reasoning_chunk", "text_replace", "of_a_later_version"),
        )
    ]
    speech = [
        {"event": kind, "task_id": first["task_id"], "message_id": "m", "audio": audio}
        for kind, audio in (("tts_message", "qqqq"), ("tts_message_end", ""))
    ]
    written = [sse(first), PING, *map(sse, more), PING, *map(sse, speech), *map(sse, others)]
    return b"".join(written).replace(b"\n", b"\r\n")


def in_the_words_of_the_standard(body: bytes) -> bytes:
    """All that the standard of event streams allows, with bare CRs."""
    written = b"".join(
        b": a comment\nid: 7\nretry: 10\nevent: message\n" + _over_lines(event) + b"\n"
        for event in _events(body)
    )
    return BYTE_ORDER_MARK + written.replace(b"\n", b"\r")


STREAMS: dict[str, Stream] = {
    "as it is": as_it_is,
    "with every kind of event": with_every_kind_of_event,
    "in the words of the standard": in_the_words_of_the_standard,
}


def _events(body: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(one.removeprefix(b"data: ")) for one in body.split(b"\n\n") if one]


def _over_lines(event: dict[str, Any]) -> bytes:
    """An event over several lines of data, with and without a space after the colon."""
    lines = orjson.dumps(event, option=orjson.OPT_INDENT_2).split(b"\n")
    return b"".join(b"data:%s%s\n" % (b" " * (n % 2), line) for n, line in enumerate(lines))

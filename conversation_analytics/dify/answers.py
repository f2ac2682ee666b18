"""What comes back from Dify: a stream of events or a body of JSON, within some time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, cast

import httpx
from httpx_sse import EventSource

from conversation_analytics.dify.cutoff import CutOff
from conversation_analytics.dify.events import Event, decoded
from conversation_analytics.sources.decode import parsed

_KEPT_BYTES = 64 * 1024


class BadAnswer(Exception):
    """An answer that breaks off, comes too slowly or is not what was asked for.

    Never leaves this folder.
    """


class Answer:
    """A successful answer whose body is still coming in.

    Args:
        response: the answer, opened as a stream.
        seconds: how long its body may take, however steadily it comes.
        cut_off: ends `finish`.
    """

    def __init__(self, response: httpx.Response, *, seconds: float, cut_off: CutOff) -> None:
        self._body = _TimedBody(cast("httpx.SyncByteStream", response.stream), seconds)
        response.stream = self._body
        self._response = response
        self._cut_off = cut_off

    @property
    def is_stream(self) -> bool:
        """Whether it says that it is a stream of events."""
        return "text/event-stream" in self._response.headers.get("content-type", "")

    @property
    def beginning(self) -> bytes:
        """The first bytes of what has come of the body."""
        return self._body.beginning

    def events(self) -> Iterator[Event]:
        """The events as they come.

        Raises:
            BadAnswer: the time is over.
            httpx.HTTPError: the connection broke, or nothing came for too long.
        """
        # Streams of events are always UTF-8, whatever the header says, and may begin with a byte
        # order mark, which httpx-sse would take for part of the first field's name.
        self._response.encoding = "utf-8-sig"
        return decoded(EventSource(self._response).iter_sse())

    def finish(self, events: Iterator[Event]) -> None:
        """Read on to the end, if it comes in a moment: then the connection can be used again.

        Args:
            events: what `events` gave, as far as it was followed.
        """
        network = self._response.extensions.get("network_stream")
        if network is None:  # there is no connection
            return
        self._body.ending.enter_context(self._cut_off.watching(network.get_extra_info("socket")))
        with contextlib.suppress(httpx.HTTPError, BadAnswer):
            for _ in events:
                pass

    def read(self) -> bytes:
        """The whole body.

        Raises:
            BadAnswer: the time is over.
            httpx.HTTPError: the connection broke, or nothing came for too long.
        """
        return self._response.read()


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        BadAnswer: it is cut short, HTML, or anything else.
    """
    try:
        found = parsed(body)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"something that is not whole JSON ({error})") from error
    if not isinstance(found, dict):
        raise BadAnswer("JSON that is no object")
    return found


class _TimedBody(httpx.SyncByteStream):
    """Passes a body on until its time is over, and keeps how it began.

    Attributes:
        beginning: its first bytes.
        ending: what to leave when it is over, before its connection can be used again.
    """

    def __init__(self, stream: httpx.SyncByteStream, seconds: float) -> None:
        self._stream = stream
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self.beginning = b""
        self.ending = contextlib.ExitStack()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            if len(self.beginning) < _KEPT_BYTES:
                self.beginning += chunk[: _KEPT_BYTES - len(self.beginning)]
            yield chunk
            if time.monotonic() > self._end:
                raise BadAnswer(f"a body that is not over after {self._seconds:g} s")
        self.ending.close()

    def close(self) -> None:
        self.ending.close()
        self._stream.close()

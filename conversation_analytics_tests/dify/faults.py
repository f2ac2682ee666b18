"""What can happen between Dify and its client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

import httpx

from conversation_analytics_tests.services.dify_contract import (
    GATEWAY_TIMEOUT,
    PING,
    ByteStream,
    Fault,
    Problem,
    event_stream,
)

Start = Callable[[], httpx.Response]

RESET = httpx.ReadError("connection reset by peer")
HUNG_UP = httpx.RemoteProtocolError("peer closed connection without sending complete message body")
LOGIN_PAGE = "<!doctype html><html><title>Sign in</title></html>"


# --- Nothing is started -----------------------------------------------------------------------


def turned_down(status: int, code: str = "", message: str = "", **headers: str) -> Fault:
    """Underscores in header names stand for hyphens."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda start: Problem(status, code, message, sent).response()


def turned_down_and_cut_after(size: int, status: int) -> Fault:
    def answer(start: Start) -> httpx.Response:
        body = Problem(status, "too_many_requests", "Too many requests.").response().read()
        return httpx.Response(status, stream=ByteStream(then(body[:size], HUNG_UP)))

    return answer


def unreachable(start: Start) -> httpx.Response:
    raise httpx.ConnectError("connection refused")


def instead_of_a_start(status: int, body: str, **headers: str) -> Fault:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda start: httpx.Response(status, text=body, headers=sent)


# --- The run is started, and its answer spoiled -----------------------------------------------


def bytes_of(response: httpx.Response) -> bytes:
    return b"".join(response.iter_raw())


def changed(change: Callable[[bytes], Iterable[bytes]]) -> Fault:
    """The true stream with other bytes, or in other chunks."""
    return lambda start: event_stream(iter(change(bytes_of(start()))))


def cut_after(size: int, error: httpx.HTTPError | None = None) -> Fault:
    """The first bytes of the stream; then its end, or an error."""
    return changed(lambda body: then(body[:size], error))


def first_events(start: Start, count: int) -> Iterator[bytes]:
    """The first events, without waiting for those after them."""
    response = start()
    if count:
        yield from islice(response.iter_raw(), count)


def cut_before_event(index: int, error: httpx.HTTPError | None = None) -> Fault:
    """Whole events only; then the end, or an error."""

    def chunks(start: Start) -> Iterator[bytes]:
        yield from first_events(start, index)
        if error:
            raise error

    return lambda start: event_stream(chunks(start))


def split_at(offset: int) -> Fault:
    return changed(lambda body: [part for part in (body[:offset], body[offset:]) if part])


def byte_by_byte(pause: float) -> Fault:
    def chunks(start: Start) -> Iterator[bytes]:
        for byte in chain.from_iterable(start().iter_raw()):
            time.sleep(pause)
            yield bytes([byte])

    return lambda start: event_stream(chunks(start))


def pings_only(seconds: float, *, events: int = 1) -> Fault:
    """The first events, then nothing but pings for as long as anybody listens."""

    def chunks(start: Start) -> Iterator[bytes]:
        yield from first_events(start, events)
        while True:
            time.sleep(seconds)
            yield PING

    return lambda start: event_stream(chunks(start))


def silence(seconds: float, *, events: int = 1) -> Fault:
    """The first events, then nothing for a while, then the others for those who are still there."""

    def chunks(start: Start) -> Iterator[bytes]:
        stream = start().iter_raw()
        yield from islice(stream, events)
        time.sleep(seconds)
        yield from stream

    return lambda start: event_stream(chunks(start))


def kept_open(hung_up: threading.Event, *, silent: float) -> Fault:
    """The whole stream, which then goes on without an end; tells when nobody listens any more.

    Args:
        hung_up: Is set then.
        silent: Seconds until the first of the pings that follow.
    """

    def chunks(start: Start) -> Iterator[bytes]:
        yield from start().iter_raw()
        time.sleep(silent)
        try:
            for _ in range(400):
                time.sleep(0.05)
                yield PING
        except GeneratorExit:
            hung_up.set()
            raise

    return lambda start: event_stream(chunks(start))


def instead(status: int, body: str | bytes = "", **headers: str) -> Fault:
    """Another answer, although the run was started."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(start: Start) -> httpx.Response:
        start()
        return httpx.Response(status, content=body, headers=sent)

    return answer


gateway_timeout = instead(504, GATEWAY_TIMEOUT, content_type="text/html")


def lost(error: httpx.HTTPError) -> Fault:
    """The connection breaks before the answer begins."""

    def answer(start: Start) -> httpx.Response:
        start()
        raise error

    return answer


def body_cut_after(size: int) -> Fault:
    """A body that is shorter than it should be."""

    def answer(start: Start) -> httpx.Response:
        true = start()
        body = true.read()
        return httpx.Response(
            true.status_code,
            headers={"content-type": true.headers["content-type"]},
            stream=ByteStream(then(body[:size], HUNG_UP)),
        )

    return answer


def then(body: bytes, error: httpx.HTTPError | None) -> Iterator[bytes]:
    if body:
        yield body
    if error:
        raise error

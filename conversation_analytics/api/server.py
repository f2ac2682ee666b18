"""The service as a process: uvicorn, with an end to clients that keep it waiting."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from conversation_analytics.settings import Settings

_LARGEST_HEAD = 16_384
_KEEP_ALIVE_SECONDS = 5
_STOP_SECONDS = 10
# Beyond what is answered at once: kept alive, or told to come back.
_MORE_CONNECTIONS = 256


class PatientUpToAPoint(H11Protocol):
    """HTTP/1.1 that cuts off who takes longer than `idle_seconds`.

    That is: from the first byte of a request (or the connection) to the end of its head, and for
    a full buffer to be read. uvicorn by itself waits for both for ever.
    """

    idle_seconds = 20.0

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._waiting: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        self._wait_for_request()

    def on_response_complete(self) -> None:
        """See uvicorn."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        for timer in (self._waiting, self._stuck):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """See asyncio: the client does not read, and the buffer is full."""
        super().pause_writing()
        self._stuck = self.loop.call_later(self.idle_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """See asyncio: it has read most of it."""
        super().resume_writing()
        if self._stuck:
            self._stuck.cancel()

    def timeout_keep_alive_handler(self) -> None:
        """See uvicorn. What is left in the buffer would keep the connection open."""
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _wait_for_request(self) -> None:
        """Have the client send the rest of its request in time, unless one is being answered."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and self._waiting:
            self._waiting.cancel()
            self._waiting = None
        elif not answering and self._waiting is None:
            self._waiting = self.loop.call_later(self.idle_seconds, self.transport.abort)


def server(app: FastAPI, settings: Settings, *, host: str, port: int) -> uvicorn.Server:
    """The server of an app, not started yet."""
    protocol = type("Protocol", (PatientUpToAPoint,), {"idle_seconds": settings.api_idle_timeout})
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=settings.api_max_requests + _MORE_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
        h11_max_incomplete_event_size=_LARGEST_HEAD,
    )
    return uvicorn.Server(config)

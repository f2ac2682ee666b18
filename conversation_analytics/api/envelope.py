"""Around every request: its id, a line in the log, figures, headers, and errors made answers.

HEAD is answered as GET without the body.
"""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conversation_analytics.api.problems import Problem
from conversation_analytics.api.telemetry import Telemetry

logger = logging.getLogger(__name__)
access_log = logging.getLogger("conversation_analytics.api.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-API-Key"}


class Envelope:
    """The outermost layer of the app (ASGI)."""

    def __init__(self, app: ASGIApp, *, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        with self._telemetry.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, exchange.send)
            except Problem as problem:
                await exchange.refuse(problem, scope, receive)
            except Exception:
                logger.exception("request %s failed", exchange.request_id)
                if exchange.status:  # half of the answer is gone: only cutting it off tells
                    raise
                words = "It is in the log, under the request's id."
                await exchange.refuse(Problem("internal-error", words), scope, receive)
            finally:
                self._tell(exchange, scope)

    def _tell(self, exchange: _Exchange, scope: Scope) -> None:
        """Log the request, without its query, which may name people, and without its key."""
        seconds = time.monotonic() - exchange.started
        route = getattr(scope.get("route"), "path", "(none)")
        method = exchange.method if exchange.method in _METHODS else "(other)"
        status = exchange.status or 499  # the client went away first
        self._telemetry.requests.labels(method, route, str(status)).inc()
        self._telemetry.seconds.labels(route).observe(seconds)
        key = scope["state"].get("key")
        access_log.info(
            "%s %s %d %.0f ms key=%s request=%s",
            method,
            route,
            status,
            seconds * 1000,
            key.id if key else "-",
            exchange.request_id,
        )


class _Exchange:
    """One request and what was sent of its answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.started = time.monotonic()
        self.status = 0
        self.method: str = scope["method"]
        asked = Headers(scope=scope).get("x-request-id", "")
        self.request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        self._send = send
        state = scope.setdefault("state", {})
        state["request_id"] = self.request_id
        state["head"] = self.method == "HEAD"
        if self.method == "HEAD":
            scope["method"] = "GET"

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            for name, value in {**_HEADERS, **_PRIVATE}.items():
                headers.setdefault(name, value)
        elif self.method == "HEAD":
            message = {**message, "body": b""}
        await self._send(message)

    async def refuse(self, problem: Problem, scope: Scope, receive: Receive) -> None:
        """Answer with a problem: as a page, if what asks shows pages."""
        as_page = scope["state"].get("refusal")
        answer = as_page(problem, scope) if as_page else problem.response(self.request_id)
        await answer(scope, receive, self.send)

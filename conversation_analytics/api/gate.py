"""Who gets in: known hosts, small requests, valid keys, not too many of them.

Whatever is not open by name needs a key, a path that does not exist too.
"""

from __future__ import annotations

import logging
import math
import time
from datetime import UTC, datetime

from anyio import CapacityLimiter, to_thread
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from conversation_analytics.api.deadline import Deadline
from conversation_analytics.api.keys import HOW_TO_MAKE_ONE, KeyEntry, KeyRing, Scope
from conversation_analytics.api.problems import Problem
from conversation_analytics.errors import KeysUnusable
from conversation_analytics.settings import Settings

logger = logging.getLogger(__name__)

OPEN_PATHS = frozenset({"/api/v1/health", "/api/v1/health/ready"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_LARGEST_HEAD = 16_384
_LARGEST_BODY = 65_536
_WRONG_KEYS = parse("20/minute")
_ASK = {"WWW-Authenticate": 'Bearer realm="conversation-analytics"'}
_ANYONE = KeyEntry(
    id="open", name="anyone", scopes=(Scope.ADMIN,), hash="", created_at=datetime.now(UTC)
)


class Gate:
    """The layer before the routes (ASGI).

    Args:
        app: what lies behind it.
        settings: limits.
        ring: the keys.
        is_open: whether anyone who reaches it over the loopback may do everything, without a key.
    """

    def __init__(
        self, app: ASGIApp, *, settings: Settings, ring: KeyRing, is_open: bool = False
    ) -> None:
        self._app = app
        self._settings = settings
        self._ring = ring
        self._is_open = is_open
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._rate = parse(settings.api_rate_limit)
        self._provers = CapacityLimiter(2)
        self._answering = 0

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._is_open:
            _refuse_foreign(headers)
        _refuse_large(scope, headers)
        scope["state"]["deadline"] = Deadline(self._settings.api_timeout)
        if scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        if self._answering >= self._settings.api_max_requests:
            raise Problem("overloaded", "Come back in a second.", headers={"Retry-After": "1"})
        self._answering += 1
        try:
            address = (scope.get("client") or ("unknown",))[0]
            key = _ANYONE if self._is_open else await self._identified(headers, address)
            self._count(self._rate, "key", key.id)
            scope["state"]["key"] = key
            await self._app(scope, receive, send)
        finally:
            self._answering -= 1

    async def _identified(self, headers: Headers, address: str) -> KeyEntry:
        try:
            if self._ring.entries() is None:
                words = f"No keys were made yet: {HOW_TO_MAKE_ONE} makes one."
                raise Problem("no-key", words, headers=_ASK)
            given = _key_in(headers)
            known = self._ring.remembered(given)
            if known is None:
                if not self._limiter.test(_WRONG_KEYS, "wrong", address):
                    raise self._too_many(_WRONG_KEYS, "wrong", address)
                known = await to_thread.run_sync(self._ring.prove, given, limiter=self._provers)
        except KeysUnusable as error:
            logger.error("%s", error)
            words = "The file of keys is damaged or others may read it; the log says more."
            raise Problem("keys-unusable", words) from error
        if known is None:
            self._limiter.hit(_WRONG_KEYS, "wrong", address)
            words = "It is mistyped, or was revoked; `api keys list` shows the valid ones."
            raise Problem("unknown-key", words, headers=_ASK)
        return known

    def _count(self, rate: RateLimitItem, *who: str) -> None:
        if not self._limiter.hit(rate, *who):
            raise self._too_many(rate, *who)

    def _too_many(self, rate: RateLimitItem, *who: str) -> Problem:
        wait = self._limiter.get_window_stats(rate, *who).reset_time - time.time()
        seconds = max(1, math.ceil(wait))
        return Problem(
            "too-many-requests",
            f"{rate.amount} a {rate.GRANULARITY.name} are allowed: come back in {seconds} seconds.",
            headers={"Retry-After": str(seconds)},
        )


def _key_in(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if given := headers.get("x-api-key", "").strip():
        return given
    words = "Send one as `Authorization: Bearer KEY` or `X-API-Key: KEY`."
    raise Problem("no-key", words, headers=_ASK)


def _refuse_large(scope: Connection, headers: Headers) -> None:
    """Nothing here takes a body; a small one does no harm."""
    head = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    head += sum(len(name) + len(value) for name, value in scope["headers"])
    length = headers.get("content-length", "0")
    if head > _LARGEST_HEAD:
        words = f"Address and headers together have at most {_LARGEST_HEAD} bytes."
    elif "transfer-encoding" in headers or not length.isdigit() or int(length) > _LARGEST_BODY:
        words = f"A body has at most {_LARGEST_BODY} bytes and tells its length beforehand."
    else:
        return
    raise Problem("too-large", words, headers={"Connection": "close"})


def _refuse_foreign(headers: Headers) -> None:
    """Without keys, a page of another site must not reach this through a name that it made up."""
    host = headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name.lower() not in _LOOPBACK:
        raise Problem("foreign-host", "Without keys, ask for localhost or 127.0.0.1.")

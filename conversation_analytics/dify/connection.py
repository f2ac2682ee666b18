"""Requests to one app of Dify: which may be sent again, and errors that say what to do.

Nothing here knows what a run is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx

from conversation_analytics.dify.answers import Answer, BadAnswer
from conversation_analytics.dify.cutoff import CutOff
from conversation_analytics.dify.limits import RateLimit
from conversation_analytics.dify.refusals import Said, refusal, said, said_by
from conversation_analytics.errors import (
    DifyAccessDenied,
    DifyBusy,
    DifyCallRefused,
    DifyError,
    DifyUnavailable,
    SettingsError,
)

T = TypeVar("T")

MAX_WAIT_SECONDS = 120.0
_CONNECT_SECONDS = 10.0
# Shorter than servers keep an idle connection, gunicorn's 2 s included: a request that meets its
# end would be lost without a word on whether it was taken.
_KEPT_SECONDS = 1.0
_ENDING_SECONDS = 0.2  # to wait for the end of a stream that has told its result
# Nothing has been sent when these are raised.
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class AnswerLost(Exception):
    """A request was sent, and what came of it cannot be told. Never leaves this folder."""


class _Again(Exception):
    """Nothing has come of a request, so it may be made again; else `error` is what to raise.

    It is no `DifyError`, so that one from a caller's function is never taken for it.
    """

    def __init__(self, error: DifyBusy | DifyUnavailable) -> None:
        super().__init__(str(error))
        self.error = error


class Connection:
    """Requests to one app; safe to use from several threads."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        key_name: str,
        max_retries: int,
        retry_delay: float,
        calls_per_minute: float | None,
        transport: httpx.BaseTransport | None,
    ) -> None:
        """Set up without any I/O; see `DifyClient` for the arguments.

        Raises:
            DifyAccessDenied: the key holds characters no HTTP header can carry.
            SettingsError: the address is none, or holds credentials.
        """
        if not api_key or not api_key.isascii() or not api_key.isprintable():
            raise DifyAccessDenied(
                f"{key_name} is empty or holds characters that no key has: copy it again from the "
                "API page of the app in Dify."
            )
        self.key_name = key_name
        self.location = _checked(base_url)
        self.max_retries = max_retries
        self._api_key = api_key
        self._retry_delay = retry_delay
        self._rate = RateLimit(calls_per_minute)
        self._cut_off = CutOff(_ENDING_SECONDS)
        self._http = httpx.Client(
            headers={
                "authorization": f"Bearer {api_key}",
                "accept-encoding": "identity",  # whatever compresses a stream also holds it back
            },
            limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEPT_SECONDS),
            transport=transport,
        )

    def ask(
        self,
        method: str,
        path: str,
        *,
        read: Callable[[Answer], T],
        repeatable: bool,
        idle_seconds: float,
        seconds: float,
        **content: Any,
    ) -> T:
        """Send a request, and again as long as that can do no harm.

        Args:
            method: HTTP method.
            path: path under the base URL, with a leading slash.
            read: makes sense of a successful answer; raises `BadAnswer` if it cannot.
            repeatable: whether sending it twice does no harm. What is not is sent again only when
                the request was not sent or was turned down.
            idle_seconds: how long to wait for the next bytes.
            seconds: how long the body of the answer may take.
            content: the request's content, as httpx takes it.

        Raises:
            DifyError: Dify turned it down, or cannot be reached after every retry.
            AnswerLost: it was sent, is not repeatable, and got no good answer.
        """
        timeout = httpx.Timeout(idle_seconds, connect=_CONNECT_SECONDS, pool=None)
        url = self.location + path
        tried = 0
        while True:
            if not repeatable:
                self._rate.wait()
            try:
                request = self._http.build_request(method, url, timeout=timeout, **content)
                return self._once(request, read, repeatable=repeatable, seconds=seconds)
            except _Again as again:
                pause = self._pause(again.error, tried)
                if tried == self.max_retries or pause > MAX_WAIT_SECONDS:
                    raise again.error from again.__cause__
            tried += 1
            time.sleep(pause)

    def refused(
        self, envelope: dict[str, Any], *, run_id: str | None, task_id: str | None
    ) -> Exception:
        """What to raise for an error's envelope in a body or an event that claims success.

        Raises:
            BadAnswer: it does not say that the call was turned down.
        """
        found = said_by(envelope, httpx.codes.INTERNAL_SERVER_ERROR, secret=self._api_key)
        if not found.is_refusal:
            raise BadAnswer(str(found))
        return self._refusal(found, run_id=run_id, task_id=task_id)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _once(
        self,
        request: httpx.Request,
        read: Callable[[Answer], T],
        *,
        repeatable: bool,
        seconds: float,
    ) -> T:
        try:
            with closing(self._http.send(request, stream=True)) as response:
                answer = Answer(response, seconds=seconds, cut_off=self._cut_off)
                if response.is_success:
                    return read(answer)
                raise self._failure(response, answer)
        except _NEVER_SENT as error:
            raise self._unavailable(f"cannot be reached: {error}") from error
        except (httpx.HTTPError, BadAnswer) as error:
            problem = f"answers {request.url.path} with {error or type(error).__name__}"
            if repeatable:
                raise self._unavailable(problem) from error
            raise AnswerLost(problem) from error

    def _failure(self, response: httpx.Response, answer: Answer) -> Exception:
        """What to raise for an unsuccessful answer: a refusal, or a failure on the way."""
        status = response.status_code
        if response.is_redirect:
            target = response.headers.get("location", "elsewhere")
            return DifyCallRefused(
                f"Dify at {self.location} redirects to {target}: set DIFY_BASE_URL to where the "
                "server really is."
            )
        try:
            body = answer.read()
        except (httpx.HTTPError, BadAnswer):
            body = answer.beginning
        found = said(body, status, secret=self._api_key)
        retry_after = _retry_after(response)
        asks_for_later = status == httpx.codes.SERVICE_UNAVAILABLE and retry_after is not None
        if not found.is_refusal and not asks_for_later:
            return BadAnswer(str(found))
        return self._refusal(found, retry_after=retry_after)

    def _refusal(
        self, found: Said, *, retry_after: float | None = None, **ids: str | None
    ) -> DifyError | _Again:
        error = refusal(found, location=self.location, key_name=self.key_name, **ids)
        if isinstance(error, DifyBusy):
            error.retry_after = retry_after
            return error if error.run_id else _Again(error)
        return error

    def _unavailable(self, what: str) -> _Again:
        return _Again(
            DifyUnavailable(
                f"Dify at {self.location} {what}, {self.max_retries + 1} times asked. Check "
                "DIFY_BASE_URL and that the server runs; MAX_RETRIES and RETRY_DELAY say how "
                "patient to be."
            )
        )

    def _pause(self, error: DifyBusy | DifyUnavailable, tried: int) -> float:
        """Seconds to wait: what Dify asks for, else twice as long each time, less a jitter."""
        if isinstance(error, DifyBusy) and error.retry_after is not None:
            if error.retry_after <= MAX_WAIT_SECONDS:
                self._rate.hold(error.retry_after)
            return error.retry_after
        wait: float = self._retry_delay * 2**tried * random.uniform(0.75, 1)  # noqa: S311
        return min(wait, MAX_WAIT_SECONDS)


def _checked(base_url: str) -> str:
    """The address, if it is one and holds no credentials."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise SettingsError("DIFY_BASE_URL must be a URL that starts with http:// or https://")
    if url.userinfo:
        raise SettingsError("DIFY_BASE_URL must hold no user and password: Dify takes a key alone")
    return str(url).rstrip("/")


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait for; null if it does not, or says nonsense."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (then.astimezone(UTC) - datetime.now(UTC)).total_seconds())

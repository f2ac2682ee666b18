"""HTTP to NocoDB: one kept-alive connection, retries, and errors that say what to do.

Nothing here knows what a table is; see `schema` and `paging` for that.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

import httpx
import orjson
from httpx_retries import Retry, RetryTransport

from conversation_analytics.errors import (
    SourceAccessDenied,
    SourceError,
    SourceSchemaError,
    SourceUnavailable,
)

T = TypeVar("T")

# Node closes an idle connection after 5 s; letting go a little earlier spares a reset.
KEEPALIVE_SECONDS = 4.0
MAX_WAIT_SECONDS = 120.0
RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
RETRIED_ERRORS = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    httpx.DecodingError,
)
SHOWN_CHARACTERS = 300


class BadAnswer(Exception):
    """A successful answer whose body is cut short or is not what was asked for.

    Never leaves this folder: it is asked for again, and in the end is a `SourceUnavailable`.
    """


class NotFound(SourceSchemaError):
    """The server knows no such path, base or table.

    Attributes:
        code: NocoDB's own error code, empty when the answer is not NocoDB's.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A successful answer.

    Attributes:
        body: the body as it came.
        parsed: what the reader given to `get` made of it.
        served_at: the server's clock in UTC, null when it sends no Date header.
    """

    body: bytes
    parsed: T
    served_at: datetime | None


class NocoDBClient:
    """GET requests to one NocoDB server; safe to use from several threads."""

    def __init__(
        self,
        *,
        base_url: str,
        api_token: str,
        max_retries: int,
        retry_delay: float,
        timeout: float,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Set up without any I/O.

        Args:
            base_url: server address, with a path if NocoDB lives under one.
            api_token: sent as ``xc-token``.
            max_retries: how often a request is sent again at most.
            retry_delay: seconds before the second try; doubles with every further one.
            timeout: seconds to wait for a connection or for the next bytes.
            transport: replaces the network, for tests.

        Raises:
            SourceAccessDenied: the token holds characters no HTTP header can carry.
        """
        if not api_token or not api_token.isascii() or not api_token.isprintable():
            raise SourceAccessDenied(
                "NOCODB_API_TOKEN is empty or holds characters that no token has: copy it again "
                "from NocoDB's account settings."
            )
        self._base_url = base_url.rstrip("/")
        self._max_retries = max_retries
        self._retry = Retry(
            total=max_retries,
            status_forcelist=RETRIED_STATUS,
            retry_on_exceptions=(*RETRIED_ERRORS, BadAnswer),
            backoff_factor=retry_delay / 2,  # the first pause already doubles it
            backoff_jitter=0.25,
            max_backoff_wait=MAX_WAIT_SECONDS,
        )
        network = transport or httpx.HTTPTransport(
            verify=_trusted(self._base_url),
            limits=httpx.Limits(keepalive_expiry=KEEPALIVE_SECONDS),
        )
        self._http = httpx.Client(
            transport=RetryTransport(transport=network, retry=self._retry),
            headers={"xc-token": api_token, "accept": "application/json"},
            timeout=timeout,
        )

    @property
    def location(self) -> str:
        """The server's address without any credentials, for people and fingerprints."""
        return str(httpx.URL(self._base_url).copy_with(userinfo=b"")).rstrip("/")

    def get(
        self, path: str, *, params: Mapping[str, str | int], read: Callable[[bytes], T]
    ) -> Answer[T]:
        """Fetch a path, asking again while the network, the server or the body fails.

        Args:
            path: path under the server's address, with a leading slash.
            params: query parameters.
            read: makes sense of a body; raises `BadAnswer` to have it asked for again.

        Raises:
            SourceAccessDenied: the token is wrong or lacks a right.
            SourceSchemaError: the server refuses the question; `NotFound` for a 404.
            SourceUnavailable: still failing after every retry.
        """
        parsed: list[T] = []

        def check(response: httpx.Response) -> None:
            body = response.read()
            if response.is_success:
                parsed.append(read(body))

        retry = self._retry.copy_with(validate_response=check)
        try:
            response = self._http.get(
                self._base_url + path, params=params, extensions={"retry": retry}
            )
            if response.is_success and not parsed:  # the last try is handed over unchecked
                check(response)
        except BadAnswer as error:
            raise self._unavailable(f"answers {path} with {error}") from error
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise self._unavailable(f"cannot be read: {reason}") from error
        if not response.is_success:
            raise self._refusal(path, response)
        return Answer(response.content, parsed[-1], _served_at(response))

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _unavailable(self, what: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"NocoDB at {self.location} {what}, {self._max_retries + 1} times asked. "
            "Check NOCODB_BASE_URL and that the server runs; MAX_RETRIES and RETRY_DELAY say "
            "how patient to be."
        )

    def _refusal(self, path: str, response: httpx.Response) -> SourceError:
        status = response.status_code
        code, message = _said(response)
        said = f"HTTP {status}" + (f": {message}" if message else "")
        if status in (401, 403):
            return SourceAccessDenied(
                f"NOCODB_API_TOKEN was refused by {self.location} for {path} ({said}). Make an API "
                "token in NocoDB's account settings, of a user who may view the base, and set it."
            )
        if status == 404:
            return NotFound(f"{self.location} has no {path} ({said}).", code=code)
        if status in RETRIED_STATUS:
            return self._unavailable(f"answers {path} with {said}")
        if 300 <= status < 400:
            target = response.headers.get("location", "elsewhere")
            return SourceUnavailable(
                f"NocoDB at {self.location} redirects {path} to {target}: set NOCODB_BASE_URL to "
                "where the server really is."
            )
        return SourceSchemaError(f"{self.location} refused {path} ({said}).")


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        BadAnswer: it is cut short, HTML, or anything else.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadAnswer(f"something that is not whole JSON ({error})") from error
    if not isinstance(found, dict):
        raise BadAnswer("JSON that is no object")
    return found


def _trusted(url: str) -> ssl.SSLContext:
    """Whose certificates count: nobody's for a plain address, as it takes long to load them."""
    if url.startswith("https:"):
        return httpx.create_ssl_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _said(response: httpx.Response) -> tuple[str, str]:
    """NocoDB's error code and message, or the start of whatever else came."""
    try:
        found = response.json()
    except ValueError:
        found = None
    if isinstance(found, dict):
        message = found.get("message") or found.get("msg") or ""
        return str(found.get("error", "")), str(message)[:SHOWN_CHARACTERS]
    return "", " ".join(response.text.split())[:SHOWN_CHARACTERS]


def _served_at(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None

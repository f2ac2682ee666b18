"""HTTP to NocoDB: kept-alive connections, retries, and errors that say what to do.

It is urllib3, which takes less than half of the processor time of httpx for a thousand rows.

Nothing here knows what a table is; see `schema` and `paging` for that.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar
from urllib.parse import unquote, urlencode

import orjson
import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import make_headers, parse_url

from conversation_analytics.errors import (
    SourceAccessDenied,
    SourceError,
    SourceSchemaError,
    SourceUnavailable,
)

T = TypeVar("T")

MAX_WAIT_SECONDS = 120.0
RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
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


class _Retry(urllib3.Retry):
    """Waits from the first retry on, twice as long each time, less a jitter."""

    def get_backoff_time(self) -> float:
        wait: float = self.backoff_factor * 2 ** (len(self.history) - 1)
        return min(self.backoff_max, wait * random.uniform(0.75, 1))  # noqa: S311

    def parse_retry_after(self, retry_after: str) -> float:
        try:
            return super().parse_retry_after(retry_after)
        except InvalidHeader:
            return 0


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
        network: urllib3.HTTPConnectionPool | None = None,
    ) -> None:
        """Set up without any I/O.

        Args:
            base_url: server address, with a path if NocoDB lives under one.
            api_token: sent as ``xc-token``.
            max_retries: how often a request is sent again at most.
            retry_delay: seconds before the second try; doubles with every further one.
            timeout: seconds to wait for a connection or for the next bytes.
            network: replaces the network, for tests.

        Raises:
            SourceAccessDenied: the token holds characters no HTTP header can carry.
        """
        if not api_token or not api_token.isascii() or not api_token.isprintable():
            raise SourceAccessDenied(
                "NOCODB_API_TOKEN is empty or holds characters that no token has: copy it again "
                "from NocoDB's account settings."
            )
        url = parse_url(base_url)
        self._base_url = str(url._replace(auth=None)).rstrip("/")
        self._root = (url.path or "").rstrip("/")
        self._headers = {
            "xc-token": api_token,
            "accept": "application/json",
            **make_headers(
                accept_encoding=True, basic_auth=unquote(url.auth) if url.auth else None
            ),
        }
        self._max_retries = max_retries
        self._retry = _Retry(
            total=max_retries,
            backoff_factor=retry_delay,
            backoff_max=MAX_WAIT_SECONDS,
            retry_after_max=int(MAX_WAIT_SECONDS),
        )
        self._network = network or _connections(url, timeout)

    @property
    def location(self) -> str:
        """The server's address without any credentials, for people and fingerprints."""
        return self._base_url

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
        url = self._root + path + (f"?{urlencode(params)}" if params else "")
        retry = self._retry
        while True:
            response = None
            cause: Exception | None = None
            again = True
            try:
                response = self._request(url)
                if 200 <= response.status < 300:
                    return Answer(response.data, read(response.data), _served_at(response))
                failure = self._refusal(path, response)
                again = response.status in RETRIED_STATUS
            except BadAnswer as error:
                failure, cause = self._unavailable(f"answers {path} with {error}"), error
            except HTTPError as error:
                failure, cause = self._unavailable(f"cannot be read: {error}"), error
            if not (again and retry.total):
                raise failure from cause
            retry = retry.increment("GET", url, response=response)
            retry.sleep(response)

    def close(self) -> None:
        """Close the connections."""
        self._network.close()

    def _request(self, url: str) -> urllib3.BaseHTTPResponse:
        return self._network.request(
            "GET", url, headers=self._headers, redirect=False, retries=False
        )

    def _unavailable(self, what: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"NocoDB at {self.location} {what}, {self._max_retries + 1} times asked. "
            "Check NOCODB_BASE_URL and that the server runs; MAX_RETRIES and RETRY_DELAY say "
            "how patient to be."
        )

    def _refusal(self, path: str, response: urllib3.BaseHTTPResponse) -> SourceError:
        status = response.status
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


def _connections(url: urllib3.util.Url, timeout: float) -> urllib3.HTTPConnectionPool:
    """Connections to one server, kept alive: one for each thread that asks at once."""
    if url.scheme != "https":
        return urllib3.HTTPConnectionPool(url.host or "", url.port, maxsize=4, timeout=timeout)
    import certifi

    trusted = os.environ.get("SSL_CERT_FILE") or certifi.where()
    return urllib3.HTTPSConnectionPool(
        url.host or "", url.port, maxsize=4, timeout=timeout, ca_certs=trusted
    )


def _said(response: urllib3.BaseHTTPResponse) -> tuple[str, str]:
    """NocoDB's error code and message, or the start of whatever else came."""
    try:
        found = response.json()
    except ValueError:
        found = None
    if isinstance(found, dict):
        message = found.get("message") or found.get("msg") or ""
        return str(found.get("error", "")), str(message)[:SHOWN_CHARACTERS]
    return "", " ".join(response.data.decode(errors="replace").split())[:SHOWN_CHARACTERS]


def _served_at(response: urllib3.BaseHTTPResponse) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None

"""The way in for browsers: a session's cookie becomes the key that the gate behind it checks.

It serves what needs no key (the style sheet, the form to sign in), refuses forms that another site
sends, and has errors of the dashboard's pages answered as pages.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conversation_analytics.api.dashboard import pages
from conversation_analytics.api.dashboard.addresses import HOME, SIGN_IN
from conversation_analytics.api.dashboard.sessions import COOKIE, Sessions
from conversation_analytics.api.problems import Problem

_LONGEST_FORM = 4_096


class Door:
    """The layer before the gate (ASGI).

    Whatever is not of the dashboard passes untouched, but browsers that ask for ``/`` are shown it.

    Args:
        app: what lies behind it.
        sessions: who is signed in.
        is_open: whether nobody needs a key.
    """

    def __init__(self, app: ASGIApp, *, sessions: Sessions, is_open: bool = False) -> None:
        self._app = app
        self._sessions = sessions
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if path == "/" and "text/html" in Headers(scope=scope).get("accept", ""):
            await RedirectResponse(HOME, 307)(scope, receive, send)
            return
        if path != HOME and not path.startswith(f"{HOME}/"):
            await self._app(scope, receive, send)
            return
        state = scope["state"]
        state["refusal"] = pages.refusal
        state["is_open"] = self._is_open
        if answer := self._by_itself(scope):
            await answer(scope, receive, send)
            return
        key = await self._key(scope, receive)
        if key is not None:
            scope["headers"] = _with_key(scope["headers"], key)
            state["given_key"] = key
        await self._app(scope, receive, send)

    def _by_itself(self, scope: Scope) -> Response | None:
        """The answer to what needs no key; null for all else."""
        request = Request(scope)
        if scope["path"] in pages.assets():
            return pages.asset(scope["path"])
        if scope["method"] != "GET":
            return None
        if short := _without_empty(scope):
            return RedirectResponse(short, 303)
        if scope["path"] == SIGN_IN:
            return RedirectResponse(HOME, 303) if self._is_open else pages.sign_in(request)
        if not self._is_open and _from_elsewhere(request.headers) and not _token(request.headers):
            return pages.once_more(request)
        return None

    async def _key(self, scope: Scope, receive: Receive) -> str | None:
        """The key that a request comes with: of its session, or typed into the form.

        Raises:
            Problem: the form was sent by a page of another site, or is too large.
        """
        headers = Headers(scope=scope)
        if scope["method"] != "GET":
            _refuse_other_sites(headers)
        if scope["path"] == SIGN_IN:
            return await _typed(headers, receive)
        token = _token(headers)
        scope["state"]["session"] = token
        return self._sessions.key(token) if token else None


def _without_empty(scope: Scope) -> str | None:
    """The address without fields of a form that nobody filled in; null if it has none."""
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    filled = [(name, value) for name, value in given if value.strip()]
    if len(filled) == len(given):
        return None
    path = scope["raw_path"].partition(b"?")[0].decode("latin-1")
    return f"{path}?{urlencode(filled)}" if filled else path


def _token(headers: Headers) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def _with_key(headers: list[tuple[bytes, bytes]], key: str) -> list[tuple[bytes, bytes]]:
    others = [one for one in headers if one[0] not in (b"authorization", b"x-api-key")]
    return [*others, (b"authorization", b"Bearer " + key.encode("latin-1", "replace"))]


def _from_elsewhere(headers: Headers) -> bool:
    """Whether a link of another site was followed: the cookie stays behind then (SameSite)."""
    return (
        headers.get("sec-fetch-site") == "cross-site"
        and headers.get("sec-fetch-dest") == "document"
    )


def _refuse_other_sites(headers: Headers) -> None:
    """Forms come from our own pages: browsers tell so in headers that pages cannot set."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        ours = site in ("same-origin", "none")
    else:  # an older browser, or no browser
        ours = origin is None or urlsplit(origin).netloc == headers.get("host")
    if not ours:
        raise Problem("foreign-form", "Sign in or out by the dashboard's own buttons.")


async def _typed(headers: Headers, receive: Receive) -> str:
    """The key in the form to sign in."""
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > _LONGEST_FORM:
        raise Problem("too-large", "A key is shorter than that.", headers={"Connection": "close"})
    body, more = b"", True
    while more and len(body) <= _LONGEST_FORM:
        message: Message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    fields = parse_qs(body.decode(errors="replace"))
    return fields.get("key", [""])[0].strip()

"""Pages as answers: their templates, their headers, and problems as pages."""

from __future__ import annotations

from functools import cache, partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request
from jinja2 import ChoiceLoader, Environment, PackageLoader
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope as Connection

from conversation_analytics.api.answers import PAGE_POLICY
from conversation_analytics.api.dashboard import addresses, words
from conversation_analytics.api.dashboard.addresses import HOME, SIGN_IN, address
from conversation_analytics.api.keys import KeyEntry, Scope
from conversation_analytics.api.problems import Problem
from conversation_analytics.api.services import services_of
from conversation_analytics.periods import Period
from conversation_analytics.reports.page.templates import environment as of_reports
from conversation_analytics.storage.encoding import digest

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # Forms then tell where they come from, which shows that it is us.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Vary": "Cookie",
}
_FOR_YEARS: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_SIGN_IN_FIRST: Final = ("no-key", "unknown-key")
_REPORT_PAGES: Final = (
    ("Overview", HOME),
    ("Topics", f"{HOME}/topics"),
    ("Sentiment", f"{HOME}/sentiment"),
    ("Models", f"{HOME}/models"),
)
_AT_HAND: Final = {
    "address": address,
    "to_conversation": addresses.conversation,
    "to_user": addresses.user,
    "to_report_page": addresses.report_page,
    "HOME": HOME,
    "SIGN_IN": SIGN_IN,
    "SIGN_OUT": addresses.SIGN_OUT,
    "CONVERSATIONS": addresses.CONVERSATIONS,
    "USERS": addresses.USERS,
    "language_name": words.language,
    "plain": words.plain,
    "money": words.money,
}
_OTHER_PAGES: Final = (
    ("Users", addresses.USERS, Scope.CONVERSATIONS),
    ("Conversations", addresses.CONVERSATIONS, Scope.CONVERSATIONS),
    ("Data", f"{HOME}/data", Scope.REPORTS),
)


@cache
def _templates() -> Environment:
    """The dashboard's templates; those of reports are at hand too."""
    reports = of_reports()
    assert reports.loader is not None  # noqa: S101 - it was made with one
    own = PackageLoader("conversation_analytics.api.dashboard")
    made = reports.overlay(loader=ChoiceLoader([own, reports.loader]))
    made.globals = {**reports.globals, **_AT_HAND}
    made.filters = {**reports.filters, "number": words.number, "percent": words.percent}
    return made


@cache
def assets() -> dict[str, tuple[bytes, str]]:
    """What pages load, by address, with its media type: a style sheet and a picture."""
    files = {("theme.css", "dashboard.css"): "text/css", ("icon.svg",): "image/svg+xml"}
    found = {}
    for names, media_type in files.items():
        data = "\n".join(_templates().get_template(name).render() for name in names).encode()
        stem, ending = names[-1].split(".")
        found[f"{HOME}/{stem}-{digest(data)[:12]}.{ending}"] = (data, media_type)
    return found


def page(
    request: Request,
    template: str,
    *,
    period: Period | None = None,
    status: int = 200,
    **context: Any,
) -> Response:
    """A page of the dashboard.

    Args:
        request: what is answered.
        template: name of the template.
        period: whose report it shows; pages that are linked show the same.
        status: of the answer.
        context: what the template is given.
    """
    return _answer(request.scope, template, status=status, period=period, **context)


def of_report(data: bytes) -> Response:
    """The page of a report, which has its style in itself."""
    headers = {**_HEADERS, "Content-Security-Policy": PAGE_POLICY}
    return HTMLResponse(data, headers=headers)


def refusal(problem: Problem, scope: Connection) -> Response:
    """A problem as a page; without a valid key it is the form to sign in."""
    asked = scope["path"]
    if problem.kind in _SIGN_IN_FIRST or asked == SIGN_IN:
        typed = asked == SIGN_IN and problem.kind != "no-key"
        url = Request(scope).url
        onward = url.path + (f"?{url.query}" if url.query else "")
        if asked == SIGN_IN:
            onward = local(Request(scope).query_params.get("onward", ""))
        answer = _answer(
            scope,
            "sign_in.html",
            status=problem.status,
            problem=problem if typed else None,
            onward=onward,
        )
    else:
        answer = _answer(scope, "problem.html", status=problem.status, problem=problem)
    for name, value in problem.headers.items():
        answer.headers[name] = value
    return answer


def sign_in(request: Request) -> Response:
    """The form to sign in."""
    onward = local(request.query_params.get("onward", ""))
    return _answer(request.scope, "sign_in.html", problem=None, onward=onward)


def once_more(request: Request) -> Response:
    """A page that asks for itself again: a request from our own page brings the cookie along."""
    again = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return _answer(request.scope, "once_more.html", again=again)


def local(path: str) -> str:
    """A path to go on to, if it is one of the dashboard's; else the first page's."""
    ours = path == HOME or path.startswith((f"{HOME}/", f"{HOME}?"))
    return path if ours and path.isprintable() and "\\" not in path else HOME


def asset(path: str) -> Response:
    """A style sheet or picture; its address changes with its content."""
    data, media_type = assets()[path]
    return Response(data, headers=_FOR_YEARS, media_type=media_type)


def _answer(scope: Connection, template: str, *, status: int = 200, **context: Any) -> Response:
    key: KeyEntry | None = scope["state"].get("key")
    period = context.setdefault("period", None)
    zone = services_of(Request(scope)).settings.analytics_timezone
    style, icon = assets()
    text = (
        _templates()
        .get_template(template)
        .render(
            **context,
            key=key,
            is_open=scope["state"]["is_open"],
            nav=_nav(key, scope["path"], period),
            may_read=key is not None and key.may(Scope.CONVERSATIONS),
            may_see_data=key is not None and key.may(Scope.REPORTS),
            time_zone=zone,
            local=partial(words.moment, zone=ZoneInfo(zone)),
            style=style,
            icon=icon,
            request_id=scope["state"]["request_id"],
        )
    )
    return HTMLResponse(text, status, headers=_HEADERS)


def _nav(key: KeyEntry | None, path: str, period: Period | None) -> list[tuple[str, str, bool]]:
    """Title, address and whether it is shown, of each page that the key may see."""
    if key is None:
        return []
    shown = {"grain": period.grain, "period": period.key} if period else {}
    found = [
        (title, address(to, **shown), path == to)
        for title, to in _REPORT_PAGES
        if key.may(Scope.REPORTS)
    ]
    found += [
        (title, to, path == to or path.startswith(f"{to}/"))
        for title, to, scope in _OTHER_PAGES
        if key.may(scope)
    ]
    return found

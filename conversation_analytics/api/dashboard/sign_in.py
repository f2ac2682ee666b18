"""Signing in and out. The gate has checked the key before anything here runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from conversation_analytics.api.access import key_of
from conversation_analytics.api.dashboard import pages
from conversation_analytics.api.dashboard.addresses import CONVERSATIONS, HOME, SIGN_IN, SIGN_OUT
from conversation_analytics.api.dashboard.routing import dashboard_of
from conversation_analytics.api.dashboard.sessions import COOKIE, SECONDS
from conversation_analytics.api.keys import Scope


async def _any_key() -> None:
    """Whatever the key may do: nothing is shown here."""


_any_key.scope = tuple(Scope)  # type: ignore[attr-defined]

router = APIRouter(include_in_schema=False, dependencies=[Depends(_any_key)])


@router.post(SIGN_IN)
def sign_in(request: Request, onward: Annotated[str, Query()] = HOME) -> Response:
    """Begin a session, and go on to what was asked for."""
    answer = RedirectResponse(_first_page(request, pages.local(onward)), 303)
    if not request.state.is_open:
        answer.set_cookie(
            COOKIE,
            dashboard_of(request).sessions.begin(request.state.given_key),
            max_age=SECONDS,
            path=HOME,
            # Behind a proxy that speaks TLS only the browser knows that it does.
            secure=request.headers.get("origin", "").startswith("https:"),
            httponly=True,
            samesite="strict",
        )
    return answer


@router.post(SIGN_OUT)
def sign_out(request: Request) -> Response:
    """End the session."""
    dashboard_of(request).sessions.end(request.state.session)
    answer = RedirectResponse(SIGN_IN, 303, headers={"Clear-Site-Data": '"cache"'})
    answer.delete_cookie(COOKIE, path=HOME, httponly=True, samesite="strict")
    return answer


def _first_page(request: Request, asked: str) -> str:
    """The page that was asked for, or the first that the key may see."""
    if asked == HOME and not key_of(request).may(Scope.REPORTS):
        return CONVERSATIONS
    return asked

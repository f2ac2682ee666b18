"""What routes of the dashboard have in common."""

from __future__ import annotations

from fastapi import APIRouter, Request

from conversation_analytics.api.access import key_of, scoped_router
from conversation_analytics.api.dashboard.addresses import HOME, Trail
from conversation_analytics.api.dashboard.state import Dashboard
from conversation_analytics.api.keys import Scope
from conversation_analytics.periods import Period


def page_router(scope: Scope) -> APIRouter:
    """A router of pages that need a scope; they are no part of the OpenAPI document."""
    made = scoped_router(scope, "dashboard", prefix=HOME)
    made.include_in_schema = False
    return made


def dashboard_of(request: Request) -> Dashboard:
    """What the dashboard of the app keeps that a request is to."""
    found: Dashboard = request.app.state.dashboard
    return found


def trail_of(
    request: Request, period: Period | None, within: tuple[str, str] | None = None
) -> Trail:
    """The way from figures of a period to its conversations."""
    return Trail(period, key_of(request).may(Scope.CONVERSATIONS), within)

"""What a key may ask for: routes name a scope, and one that names none cannot be mounted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer

from conversation_analytics.api.gate import OPEN_PATHS
from conversation_analytics.api.keys import KeyEntry, Scope
from conversation_analytics.api.problems import Problem, documented

PREFIX = "/api/v1"
_COMMON = ("invalid-request", "no-key", "unknown-key", "missing-scope", "too-large")
_BUSY = ("too-many-requests", "overloaded", "lake-unavailable", "keys-unusable", "timeout")

_bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="`Bearer KEY`")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="header")


def scoped_router(scope: Scope, tag: str, *problems: str, prefix: str = PREFIX) -> APIRouter:
    """A router whose routes all need a scope.

    Args:
        scope: the scope.
        tag: heading in the OpenAPI document.
        problems: kinds of problems its routes answer with, besides those all do.
        prefix: what paths start with.
    """
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        dependencies=[Depends(_needs(scope)), Depends(_bearer), Depends(_header)],
        responses=documented(*_COMMON, *problems, *_BUSY),
    )


def key_of(request: Request) -> KeyEntry:
    """The key of a request that got in."""
    key: KeyEntry = request.state.key
    return key


def scope_of(route: APIRoute) -> Scope | None:
    """The scope that a route needs; null if it names none."""
    calls = (dependency.call for dependency in route.dependant.dependencies)
    return next((found for call in calls if (found := getattr(call, "scope", None))), None)


def refuse_unscoped(routes: Iterable[APIRoute]) -> None:
    """Make sure that every route is open by name or names its scope.

    Raises:
        RuntimeError: one does neither.
    """
    for route in routes:
        if route.path not in OPEN_PATHS and scope_of(route) is None:
            raise RuntimeError(f"{route.path} names no scope")


def _needs(scope: Scope) -> Callable[[Request], Awaitable[None]]:
    async def allowed(request: Request) -> None:
        key = key_of(request)
        if not key.may(scope):
            has = ", ".join(key.scopes) or "none"
            raise Problem("missing-scope", f"This needs the scope {scope}; the key has {has}.")

    allowed.scope = scope  # type: ignore[attr-defined]
    return allowed

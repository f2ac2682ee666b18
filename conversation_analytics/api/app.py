"""The app: its layers and its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from conversation_analytics import __version__
from conversation_analytics.api.access import refuse_unscoped, scope_of
from conversation_analytics.api.dashboard.door import Door
from conversation_analytics.api.dashboard.routes import ROUTERS as DASHBOARD
from conversation_analytics.api.dashboard.routes import page_routes
from conversation_analytics.api.dashboard.state import Dashboard
from conversation_analytics.api.envelope import Envelope
from conversation_analytics.api.gate import Gate
from conversation_analytics.api.problems import SCHEMA, Problem, invalid
from conversation_analytics.api.routes import (
    conversations,
    exports,
    health,
    operations,
    reports,
    users,
)
from conversation_analytics.api.services import Services
from conversation_analytics.settings import Settings

_ROUTERS = (
    health.router,
    operations.ledger_router,
    reports.router,
    users.router,
    conversations.router,
    exports.router,
    exports.figures_router,
    operations.metrics_router,
    operations.schema_router,
)
_ABOUT = (
    "What the lake of conversation-analytics holds. Times are UTC, days those of "
    "ANALYTICS_TIMEZONE, amounts of money text. Every answer but a file has an ETag; every refusal "
    "is a problem of RFC 9457. Unknown parameters are refused."
)


def create_app(settings: Settings, *, is_open: bool = False) -> FastAPI:
    """The API over the lake of the settings. No I/O happens before the first request.

    Args:
        settings: the settings.
        is_open: whether requests to localhost need no key; only for a server on the loopback.
    """
    services = Services(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        services.close()

    app = FastAPI(
        title="conversation-analytics",
        version=__version__,
        description=_ABOUT,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers={RequestValidationError: _invalid, HTTPException: _http_error},
    )
    app.state.services = services
    app.state.dashboard = Dashboard(services)
    refuse_unscoped([*routes(), *page_routes()])
    for router in (*_ROUTERS, *DASHBOARD):
        app.include_router(router)
    # The one added last is the outermost.
    app.add_middleware(Gate, settings=settings, ring=services.ring, is_open=is_open)
    app.add_middleware(Door, sessions=app.state.dashboard.sessions, is_open=is_open)
    app.add_middleware(Envelope, telemetry=services.telemetry)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def routes() -> list[APIRoute]:
    """Every route there is."""
    found = [route for router in _ROUTERS for route in router.routes]
    return [route for route in found if isinstance(route, APIRoute)]


async def _invalid(_: Request, error: RequestValidationError) -> Response:
    raise invalid(error)


async def _http_error(_: Request, error: HTTPException) -> Response:
    """What the router itself says: no such path, no such method."""
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        words = "Everything here is read with GET or HEAD."
        raise Problem("method-not-allowed", words, headers={"Allow": "GET, HEAD"})
    raise Problem("not-found", "`/api/v1/openapi.json` tells which paths there are.")


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document; each operation tells its scope."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        found["components"]["schemas"]["Problem"] = SCHEMA
        for route in routes():
            scope = scope_of(route)
            if scope and route.include_in_schema:
                operation = found["paths"][route.path_format]["get"]
                operation["x-scope"] = scope
                words = operation.get("description", "")
                operation["description"] = f"{words}\n\nNeeds the scope `{scope}`.".strip()
        for path in found["paths"].values():
            for parameter in path["get"].get("parameters", ()):
                parameter["schema"] = _without_null(parameter["schema"])
        app.openapi_schema = found
    return app.openapi_schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter: one that may be left out is not sent as null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **kinds[0]}

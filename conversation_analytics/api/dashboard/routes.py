"""The routes of the dashboard."""

from __future__ import annotations

from typing import Final

from fastapi.routing import APIRoute

from conversation_analytics.api.dashboard import (
    conversation_pages,
    data_page,
    report_pages,
    sign_in,
)

ROUTERS: Final = (
    report_pages.router,
    data_page.router,
    conversation_pages.router,
    sign_in.router,
)


def page_routes() -> list[APIRoute]:
    """Every route of the dashboard."""
    found = [route for router in ROUTERS for route in router.routes]
    return [route for route in found if isinstance(route, APIRoute)]

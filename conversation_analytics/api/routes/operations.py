"""Running the service: the ledger of days, Prometheus, the OpenAPI document."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response

from conversation_analytics.api.access import key_of, scoped_router
from conversation_analytics.api.answers import json_answer
from conversation_analytics.api.keys import Scope
from conversation_analytics.api.models import Ledger
from conversation_analytics.api.parameters import Range
from conversation_analytics.api.problems import Problem
from conversation_analytics.api.reader import readable
from conversation_analytics.api.services import services_of
from conversation_analytics.api.telemetry import CONTENT_TYPE
from conversation_analytics.sync.day_states import totals

ledger_router = scoped_router(Scope.REPORTS, "ledger", "future-date")
metrics_router = scoped_router(Scope.ADMIN, "operations", prefix="")
schema_router = scoped_router(Scope.REPORTS, "operations")


@ledger_router.get("/ledger", response_model=Ledger)
def ledger(request: Request, asked: Annotated[Range, Query()]) -> Response:
    """What the lake and MongoDB have of each day, and what is behind.

    Why a day failed is told to `admin` only.
    """
    services = services_of(request)
    asked.checked(services.today)
    with readable():
        state = services.ledger.get()
    days = [
        one
        for one in state.days
        if (asked.first is None or one.day >= asked.first)
        and (asked.last is None or one.day <= asked.last)
    ]
    tells_errors = key_of(request).may(Scope.ADMIN)
    rows: list[dict[str, Any]] = []
    for one in days:
        row = one.as_dict()
        row["complete"] = not (one.problems or one.pending or one.error)
        if one.error is not None and not tells_errors:
            row["error"] = "the last try failed"
        rows.append(row)
    answer = {
        "days": rows,
        "totals": totals(days),
        "unplaced": list(state.unplaced) if tells_errors else [],
        "coverage": services.reader.coverage(asked.first, asked.last).as_dict(),
    }
    return json_answer(request, answer)


@metrics_router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Figures.", "content": {"text/plain": {}}}},
)
def prometheus(request: Request) -> Response:
    """Figures of the service for Prometheus."""
    services = services_of(request)
    try:
        days = services.reader.days()
    except Problem:  # of the requests it is told nevertheless
        days = []
    services.telemetry.committed_days.set(len(days))
    if days:
        midnight = datetime.combine(days[-1], time(), UTC)
        services.telemetry.last_day.set(midnight.timestamp())
    return Response(services.telemetry.exposition(), media_type=CONTENT_TYPE)


@schema_router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """This document."""
    return json_answer(request, request.app.openapi())

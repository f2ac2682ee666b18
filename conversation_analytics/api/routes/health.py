"""Whether the service is there and can answer; open to all."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from conversation_analytics.api.access import PREFIX
from conversation_analytics.api.answers import json_answer
from conversation_analytics.api.models import Health, Readiness
from conversation_analytics.api.problems import Problem, documented
from conversation_analytics.api.services import services_of
from conversation_analytics.errors import KeysUnusable

router = APIRouter(prefix=PREFIX, tags=["health"])


@router.get("/health", response_model=Health)
async def health(request: Request) -> Response:
    """Whether the process answers. Needs no key."""
    # It takes none of the threads, which may all be waiting for a store.
    return json_answer(request, {"status": "ok"})


@router.get("/health/ready", response_model=Readiness, responses=documented("lake-unavailable"))
def ready(request: Request) -> Response:
    """Whether lake and keys can be read, and MongoDB if there is one. Needs no key.

    The lake answers for a MongoDB that does not.
    """
    services = services_of(request)
    services.reader.days()
    try:
        services.ring.entries()
        keys = True
    except KeysUnusable:
        keys = False
    components = {"lake": {"ok": True, "needed": True}, "keys": {"ok": keys, "needed": True}}
    if services.mongo.configured:
        components["mongo"] = {"ok": services.mongo.answers(), "needed": False}
    if not keys:
        raise Problem("keys-unusable", "The file of keys cannot be used; the log says why.")
    return json_answer(request, {"status": "ok", "components": components})

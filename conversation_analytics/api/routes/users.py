"""Users: what each did, over all days. They are people, so it takes the scope of conversations."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from conversation_analytics.api.access import scoped_router
from conversation_analytics.api.answers import json_answer
from conversation_analytics.api.cursors import user_cursor
from conversation_analytics.api.keys import Scope
from conversation_analytics.api.parameters import Nothing, UsersQuery
from conversation_analytics.api.problems import Problem
from conversation_analytics.api.report_models import UserPage, UserWhole
from conversation_analytics.api.rows import rows_of
from conversation_analytics.api.services import deadline_of, services_of

router = scoped_router(Scope.CONVERSATIONS, "users", "invalid-cursor", "no-user")


@router.get("/users", response_model=UserPage)
def users(request: Request, query: Annotated[UsersQuery, Query()]) -> Response:
    """Users that fit all filters, those seen last first."""
    services = services_of(request)
    page = services.users.page(query, deadline_of(request))
    answer = {
        "items": rows_of(page.rows),
        "next_cursor": user_cursor(page.next, query.fingerprint) if page.next else None,
        "coverage": services.reader.coverage(None, None).as_dict(),
    }
    return json_answer(request, answer)


@router.get("/users/{user_id:path}", response_model=UserWhole)
def user(
    request: Request,
    user_id: Annotated[str, Path(max_length=500)],
    _: Annotated[Nothing, Query()],
) -> Response:
    """One user."""
    found = services_of(request).users.one(user_id)
    if found is None:
        words = "No conversation of the lake has this user; a new one is there after the next sync."
        raise Problem("no-user", words)
    return json_answer(request, {"user": rows_of(found)[0]})

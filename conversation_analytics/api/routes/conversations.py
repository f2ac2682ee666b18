"""Conversations: pages of them, and one of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from conversation_analytics.api.access import scoped_router
from conversation_analytics.api.answers import json_answer
from conversation_analytics.api.conversation import in_lake
from conversation_analytics.api.keys import Scope
from conversation_analytics.api.models import ConversationPage, ConversationWhole
from conversation_analytics.api.parameters import ConversationQuery, TurnQuery
from conversation_analytics.api.problems import Problem
from conversation_analytics.api.rows import rows_of
from conversation_analytics.api.services import deadline_of, services_of

router = scoped_router(
    Scope.CONVERSATIONS,
    "conversations",
    "invalid-cursor",
    "future-date",
    "no-conversation",
    "damaged-day",
)


@router.get("/conversations", response_model=ConversationPage)
def conversations(request: Request, query: Annotated[ConversationQuery, Query()]) -> Response:
    """Conversations that fit all filters, the newest first.

    `coverage` tells which days of the range the lake does not have yet.
    """
    services = services_of(request)
    query.checked(services.today)
    page = services.search.page(query, deadline_of(request))
    answer = {
        "items": rows_of(page.rows),
        "next_cursor": page.next.cursor(query.fingerprint) if page.next else None,
        "searched_back_to": page.searched_back_to,
        "coverage": services.reader.coverage(query.first, query.last).as_dict(),
    }
    return json_answer(request, answer)


@router.get("/conversations/{conversation_id:path}", response_model=ConversationWhole)
def conversation(
    request: Request,
    conversation_id: Annotated[str, Path(max_length=500)],
    query: Annotated[TurnQuery, Query()],
) -> Response:
    """One conversation with its messages, their labels and translations."""
    services = services_of(request)
    most = query.limit + 1
    found = services.mongo.find(conversation_id, turn=query.turn, most=most)
    if found is None:
        found = in_lake(services.reader, conversation_id, turn=query.turn, most=most)
    if found is None:
        words = "The lake has none of this id; a new one is there after the next sync."
        raise Problem("no-conversation", words)
    return json_answer(request, found.answer(query.limit))

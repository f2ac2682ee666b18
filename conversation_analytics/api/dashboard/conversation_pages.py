"""Pages of single conversations and users."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request
from starlette.responses import Response

from conversation_analytics.api.conversation import in_lake
from conversation_analytics.api.dashboard import pages
from conversation_analytics.api.dashboard.addresses import CONVERSATIONS, Trail, address
from conversation_analytics.api.dashboard.cards import cards
from conversation_analytics.api.dashboard.parameters import (
    PAGE,
    ListQuery,
    PeopleQuery,
    ReaderQuery,
)
from conversation_analytics.api.dashboard.people import people
from conversation_analytics.api.dashboard.routing import dashboard_of, page_router
from conversation_analytics.api.keys import Scope
from conversation_analytics.api.parameters import ConversationFilters, ConversationQuery
from conversation_analytics.api.problems import Problem
from conversation_analytics.api.services import deadline_of, services_of
from conversation_analytics.reports.page.figures import Figure, figures
from conversation_analytics.schemas.categories import TASKS
from conversation_analytics.schemas.metrics import METRICS

router = page_router(Scope.CONVERSATIONS)

_TURNS: Final = 200
_OF_USERS: Final = ("active_users", "new_users", "returning_users")
_CHOICES: Final = ("topic", "intent", "sentiment", "language", "channel", "model", "status")
_QUICK: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("Negative", {"sentiment": "negative"}),
    ("Escalated", {"escalated": "true"}),
    ("With errors", {"has_error": "true"}),
    ("Bad feedback", {"feedback": "negative"}),
)


@router.get("/conversations")
def conversations(request: Request, query: Annotated[ListQuery, Query()]) -> Response:
    """Conversations that fit all filters, the newest first."""
    services = services_of(request)
    query.checked(services.today)
    given = query.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    wanted = ConversationQuery.model_validate({**given, "limit": PAGE})
    page = services.search.page(wanted, deadline_of(request))
    filters = {name: value for name, value in given.items() if name != "cursor"}
    cursor = page.next.cursor(wanted.fingerprint) if page.next else None
    return pages.page(
        request,
        "conversations.html",
        query=query,
        filters=filters,
        chips=_chips(filters),
        quick=[
            (title, address(CONVERSATIONS, **(filters | one)))
            for title, one in _QUICK
            if not one.items() <= _flat(filters).items()
        ],
        choices=_choices(request, query),
        cards=cards(services, page.rows, query.q),
        onward=address(CONVERSATIONS, **filters, cursor=cursor) if cursor else "",
        searched_back_to=page.searched_back_to,
        coverage=services.reader.coverage(query.first, query.last),
    )


@router.get("/conversations/{conversation_id:path}")
def conversation(
    request: Request,
    conversation_id: Annotated[str, Path(min_length=1, max_length=500)],
    query: Annotated[ReaderQuery, Query()],
) -> Response:
    """A conversation with its messages, their labels and translations."""
    services = services_of(request)
    most = _TURNS + 1
    found = services.mongo.find(conversation_id, turn=query.turn, most=most)
    if found is None:
        found = in_lake(services.reader, conversation_id, turn=query.turn, most=most)
    if found is None:
        words = "The lake has none of this id; a new one is there after the next sync."
        raise Problem("no-conversation", words)
    answer = found.answer(_TURNS)
    return pages.page(
        request,
        "conversation.html",
        conversation=answer["conversation"],
        messages=answer["messages"],
        labels=_by_message(answer["categories"]),
        translations=_by_message(
            [one for one in answer["translations"] if one["text"] or one["error"]]
        ),
        next_turn=answer["next_turn"],
        turn=query.turn,
        tasks=TASKS,
    )


@router.get("/users")
def users(request: Request, query: Annotated[PeopleQuery, Query()]) -> Response:
    """Users, in an order that is asked for."""
    choice = dashboard_of(request).shelf.choose("weekly", None)
    counted: list[Figure] = []
    if choice.document is not None:
        counted = [
            one
            for one in figures(choice.document, choice.history, METRICS)
            if one.metric.name in _OF_USERS
        ]
    return pages.page(
        request,
        "users.html",
        people=people(services_of(request), query),
        query=query,
        choice=choice,
        figures=counted,
        trail=Trail(choice.period, allowed=True),
    )


@router.get("/users/{user_id:path}")
def user(request: Request, user_id: Annotated[str, Path(min_length=1, max_length=500)]) -> Response:
    """A user, with the latest conversations."""
    services = services_of(request)
    found = services.users.one(user_id)
    if found is None:
        words = "The lake knows nobody of this id; a new one is there after the next report."
        raise Problem("no-user", words)
    filters = ConversationFilters.model_validate({"user": [user_id]})
    query = ConversationQuery.model_validate({**filters.model_dump(by_alias=True), "limit": 10})
    page = services.search.page(query, deadline_of(request))
    return pages.page(
        request,
        "user.html",
        user=found.to_pylist()[0],
        cards=cards(services, page.rows),
        trail=Trail(None, allowed=True),
        onward=address(CONVERSATIONS, user=user_id) if page.next else "",
    )


def _chips(filters: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name and value of each filter, and the address without it."""
    found = []
    for name, value in filters.items():
        values = value if isinstance(value, list) else [value]
        for one in values:
            left = [other for other in values if other != one]
            rest = filters | {name: left or None}
            found.append((name, _written(one), address(CONVERSATIONS, **rest)))
    return found


def _written(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _flat(filters: dict[str, Any]) -> dict[str, str]:
    return {
        name: str(value[0] if isinstance(value, list) else value).lower()
        for name, value in filters.items()
    }


def _choices(request: Request, query: ListQuery) -> dict[str, list[str]]:
    """Values to choose from: those of the latest reports, and those that are chosen."""
    shelf = dashboard_of(request).shelf
    documents = [shelf.latest("monthly"), shelf.latest("weekly")]
    found = {}
    for name in _CHOICES:
        there = {
            str(entry["value"])
            for document in documents
            for entry in ((document or {}).get("breakdowns") or {}).get(name) or []
        }
        found[name] = there - {"(other)", "unknown", "und"}
    found["main_topic"] = found["topic"]
    return {name: sorted({*there, *getattr(query, name)}) for name, there in found.items()}


def _by_message(rows: list[dict[str, Any]]) -> dict[str | None, list[dict[str, Any]]]:
    """Rows by the message that they are of; those of the whole under null."""
    ordered = sorted(rows, key=lambda row: row["message_id"] or "")
    return {id_: list(ones) for id_, ones in groupby(ordered, key=lambda row: row["message_id"])}

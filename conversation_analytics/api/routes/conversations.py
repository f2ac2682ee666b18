"""Conversations: pages of them, one of them, and files of many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import Path, Query, Request
from starlette.responses import Response, StreamingResponse

from conversation_analytics.api.access import scoped_router
from conversation_analytics.api.answers import json_answer
from conversation_analytics.api.conversation import in_lake
from conversation_analytics.api.deadline import Deadline
from conversation_analytics.api.export import MEDIA_TYPES, exported, flat, flat_schema
from conversation_analytics.api.keys import Scope
from conversation_analytics.api.models import ConversationPage, ConversationWhole
from conversation_analytics.api.parameters import ConversationQuery, ExportQuery, TurnQuery
from conversation_analytics.api.problems import Problem
from conversation_analytics.api.rows import rows_of
from conversation_analytics.api.services import Services, deadline_of, services_of
from conversation_analytics.schemas import CATEGORIES, MESSAGES, TRANSLATIONS
from conversation_analytics.storage.collections import CONVERSATION_DOCUMENTS
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    MESSAGES_UNIT,
    TRANSLATIONS_UNIT,
)

router = scoped_router(
    Scope.CONVERSATIONS,
    "conversations",
    "invalid-cursor",
    "future-date",
    "no-conversation",
    "damaged-day",
)

_FILES = {"csv": "csv", "parquet": "parquet", "arrow": "arrows"}
_EXPORTED = {
    "messages": (MESSAGES_UNIT, MESSAGES),
    "categories": (CATEGORIES_UNIT, CATEGORIES),
    "translations": (TRANSLATIONS_UNIT, TRANSLATIONS),
}
_CONTENT: dict[str, dict[str, object]] = {
    type_.partition(";")[0]: {} for type_ in MEDIA_TYPES.values()
}


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


def _export(request: Request, table: str, query: ExportQuery) -> Response:
    services = services_of(request)
    query.checked(services.today)
    name = f"{table}.{_FILES[query.format]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    media_type = MEDIA_TYPES[query.format]
    if request.state.head:
        return Response(None, headers=headers, media_type=media_type)
    deadline = Deadline(services.settings.api_export_timeout)
    schema = flat_schema(
        CONVERSATION_DOCUMENTS.arrow if table == "conversations" else _EXPORTED[table][1].arrow
    )
    data = exported(query.format, schema, _rows(services, table, query, deadline))
    return StreamingResponse(data, headers=headers, media_type=media_type)


def _rows(
    services: Services, table: str, query: ExportQuery, deadline: Deadline
) -> Iterator[pa.Table]:
    """The rows of a table that belong to the conversations wanted, a day at a time."""
    for day, found in services.search.each_day(query, deadline):
        if table == "conversations":
            yield flat(
                found.sort_by([("started_at", "ascending"), ("conversation_id", "ascending")])
            )
            continue
        unit, schema = _EXPORTED[table]
        rows = services.reader.table(unit, schema.name, day)
        if rows is not None:
            wanted = pc.is_in(rows["conversation_id"], found["conversation_id"])
            yield flat(rows.filter(wanted))


def _add_exports() -> None:
    """One route a table, so that each is described by itself."""
    for table in ("conversations", *_EXPORTED):

        def export(
            request: Request,
            query: Annotated[ExportQuery, Query()],
            _table: str = table,
        ) -> Response:
            return _export(request, _table, query)

        router.get(
            f"/exports/{table}",
            name=f"export_{table}",
            response_class=Response,
            responses={200: {"description": "The file, as it is made.", "content": _CONTENT}},
        )(export)


_add_exports()

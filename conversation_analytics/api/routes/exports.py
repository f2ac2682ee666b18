"""Exports: files of conversations and what was made of them, of users, and of reports' figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import Query, Request
from starlette.responses import Response, StreamingResponse

from conversation_analytics.api.access import scoped_router
from conversation_analytics.api.asked import (
    dimension_named,
    metric_named,
    periods_within,
    value_alone,
)
from conversation_analytics.api.deadline import Deadline
from conversation_analytics.api.export import MEDIA_TYPES, Format, exported, flat, flat_schema
from conversation_analytics.api.keys import Scope
from conversation_analytics.api.parameters import (
    ExportQuery,
    FiguresExportQuery,
    UsersExportQuery,
)
from conversation_analytics.api.services import Services, services_of
from conversation_analytics.periods import Period
from conversation_analytics.reports.relations import NONE
from conversation_analytics.schemas import CATEGORIES, MESSAGES, TRANSLATIONS, USER_ANALYTICS
from conversation_analytics.schemas.reports import FIGURES
from conversation_analytics.storage.collections import CONVERSATION_DOCUMENTS
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    MESSAGES_UNIT,
    TRANSLATIONS_UNIT,
)

router = scoped_router(Scope.CONVERSATIONS, "exports", "future-date", "damaged-day")
figures_router = scoped_router(
    Scope.REPORTS,
    "exports",
    "future-date",
    "unknown-metric",
    "unknown-dimension",
    "damaged-report",
)

_FILES = {"csv": "csv", "parquet": "parquet", "arrow": "arrows"}
_OF_CONVERSATIONS = {
    "messages": (MESSAGES_UNIT, MESSAGES),
    "categories": (CATEGORIES_UNIT, CATEGORIES),
    "translations": (TRANSLATIONS_UNIT, TRANSLATIONS),
}
# The figures of many reports in one file, so each tells whose it is.
_FIGURES = pa.schema([("grain", pa.string()), ("key", pa.string()), *FIGURES.arrow])
_CONTENT: dict[str, dict[str, object]] = {
    type_.partition(";")[0]: {} for type_ in MEDIA_TYPES.values()
}

_ANSWER: dict[int | str, dict[str, object]] = {
    200: {"description": "The file, as it is made.", "content": _CONTENT}
}


@router.get("/exports/users", name="export_users", response_class=Response, responses=_ANSWER)
def users(request: Request, query: Annotated[UsersExportQuery, Query()]) -> Response:
    """Users that fit all filters, those seen last first."""
    rows = _users(services_of(request), query, _deadline(request))
    return _file(request, "users", query.format, USER_ANALYTICS.arrow, rows)


@figures_router.get(
    "/exports/figures", name="export_figures", response_class=Response, responses=_ANSWER
)
def figures(request: Request, query: Annotated[FiguresExportQuery, Query()]) -> Response:
    """Figures of the reports of a grain, of the whole and of the values of dimensions.

    One row a figure, with the grain and the key of its period; the earliest period comes first.
    """
    services = services_of(request)
    query.checked(services.today)
    for name in query.metric:
        metric_named(name)
    dimensions = [dimension_named(services, name) for name in query.by if name != NONE]
    if query.value and not dimensions:
        raise value_alone()
    periods, _ = periods_within(services, query.grain, query.first, query.last)
    rows = _figures(services, periods, query, _deadline(request))
    return _file(request, "figures", query.format, _FIGURES, rows)


def _add_exports_of_conversations() -> None:
    """One route a table, so that each is described by itself."""
    for table in ("conversations", *_OF_CONVERSATIONS):

        def export(
            request: Request,
            query: Annotated[ExportQuery, Query()],
            _table: str = table,
        ) -> Response:
            services = services_of(request)
            query.checked(services.today)
            if _table == "conversations":
                schema = CONVERSATION_DOCUMENTS.arrow
            else:
                schema = _OF_CONVERSATIONS[_table][1].arrow
            rows = _of_conversations(services, _table, query, _deadline(request))
            return _file(request, _table, query.format, schema, rows)

        router.get(
            f"/exports/{table}",
            name=f"export_{table}",
            response_class=Response,
            responses=_ANSWER,
        )(export)


_add_exports_of_conversations()


def _deadline(request: Request) -> Deadline:
    return Deadline(services_of(request).settings.api_export_timeout)


def _file(
    request: Request, table: str, format_: Format, schema: pa.Schema, rows: Iterator[pa.Table]
) -> Response:
    """A file, sent while it is made; what goes wrong before its first rows is still a problem."""
    name = f"{table}.{_FILES[format_]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    media_type = MEDIA_TYPES[format_]
    if request.state.head:
        return Response(None, headers=headers, media_type=media_type)
    data = exported(format_, flat_schema(schema), rows)
    first = next(data)
    return StreamingResponse(chain([first], data), headers=headers, media_type=media_type)


def _of_conversations(
    services: Services, table: str, query: ExportQuery, deadline: Deadline
) -> Iterator[pa.Table]:
    """The rows of a table that belong to the conversations wanted, a day at a time."""
    for day, found in services.search.each_day(query, deadline):
        if table == "conversations":
            yield flat(
                found.sort_by([("started_at", "ascending"), ("conversation_id", "ascending")])
            )
            continue
        unit, schema = _OF_CONVERSATIONS[table]
        rows = services.reader.table(unit, schema.name, day)
        if rows is not None:
            wanted = pc.is_in(rows["conversation_id"], found["conversation_id"])
            yield flat(rows.filter(wanted))


def _users(services: Services, query: UsersExportQuery, deadline: Deadline) -> Iterator[pa.Table]:
    yield flat(services.users.all(query, deadline))


def _figures(
    services: Services, periods: Sequence[Period], query: FiguresExportQuery, deadline: Deadline
) -> Iterator[pa.Table]:
    """The figures wanted, a period at a time."""
    wanted = {
        "metric": query.metric,
        "dimension": ["" if name == NONE else name for name in query.by],
        "value": query.value,
    }
    for period in periods:
        deadline.check()
        rows = services.reports.table(period)
        if rows is None:
            continue
        for column, values in wanted.items():
            if values:
                rows = rows.filter(pc.is_in(rows[column], pa.array(values, pa.string())))
        for place, told in enumerate((period.grain, period.key)):
            rows = rows.add_column(place, _FIGURES.field(place), pa.repeat(told, rows.num_rows))
        yield rows

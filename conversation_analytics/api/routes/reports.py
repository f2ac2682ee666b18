"""Reports, metrics, series and models: figures of many people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Path, Query, Request
from starlette.responses import Response

from conversation_analytics.api.access import scoped_router
from conversation_analytics.api.answers import PAGE_POLICY, json_answer, tagged
from conversation_analytics.api.asked import (
    dimension_named,
    dimensions_of,
    document_of,
    metric_named,
    page_of,
    period_named,
    periods_within,
    value_alone,
)
from conversation_analytics.api.keys import Scope
from conversation_analytics.api.parameters import (
    CompareQuery,
    ModelsQuery,
    Nothing,
    ReportsQuery,
    SeriesQuery,
)
from conversation_analytics.api.report_models import (
    Comparison,
    MetricCatalogue,
    ModelPage,
    Report,
    ReportPage,
    Series,
)
from conversation_analytics.api.services import Services, deadline_of, services_of
from conversation_analytics.periods import GRAINS, Grain, Period
from conversation_analytics.schemas.metric import Metric
from conversation_analytics.schemas.metrics import METRICS

router = scoped_router(
    Scope.REPORTS,
    "reports",
    "future-date",
    "unknown-metric",
    "unknown-dimension",
    "invalid-period",
    "no-report",
    "damaged-report",
)

_SHOWN = (
    "name",
    "title",
    "unit",
    "description",
    "direction",
    "group",
    "headline",
    "additive",
    "per_currency",
    "decimals",
)
_REPORT = Path(max_length=40, description="Period.", examples=["2024-01-31", "2024-W05"])


@router.get("/metrics", response_model=MetricCatalogue)
def metrics(request: Request, _: Annotated[Nothing, Query()]) -> Response:
    """The metrics, dimensions and grains that can be asked for."""
    answer = {
        "metrics": [_told(metric) for metric in METRICS.values()],
        "dimensions": dimensions_of(services_of(request)),
        "grains": GRAINS,
    }
    return json_answer(request, answer)


@router.get("/reports", response_model=ReportPage)
def reports(request: Request, query: Annotated[ReportsQuery, Query()]) -> Response:
    """The reports of a grain that there are, the newest first, and which are missing."""
    services = services_of(request)
    query.checked(services.today)
    wanted, missing = periods_within(services, query.grain, query.first, query.last)
    if query.before is not None:
        before = period_named(services, query.grain, query.before)
        wanted = [period for period in wanted if period < before]
    shown = wanted[::-1][: query.limit]
    answer = {
        "items": [_entry(services, period) for period in shown],
        "next_before": shown[-1].key if len(shown) < len(wanted) else None,
        "missing": missing,
        "coverage": services.reader.coverage(query.first, query.last).as_dict(),
    }
    return json_answer(request, answer)


@router.get("/reports/compare", response_model=Comparison)
def compare(request: Request, query: Annotated[CompareQuery, Query()]) -> Response:
    """Two reports of a grain side by side."""
    services = services_of(request)
    by = None if query.by is None else dimension_named(services, query.by)
    now = period_named(services, query.grain, query.key)
    before = (
        now.previous() if query.other is None else period_named(services, query.grain, query.other)
    )
    new, old = (orjson.loads(document_of(services, period)) for period in (now, before))
    answer = {
        "grain": query.grain,
        "now": _days(now),
        "before": _days(before),
        "changes": _changes(new["metrics"], old["metrics"]),
        "by": by,
        "breakdown": [] if by is None else _breakdown(new, old, by),
    }
    return json_answer(request, answer)


@router.get("/reports/{grain}/{key}", response_model=Report)
def report(
    request: Request,
    grain: Grain,
    key: Annotated[str, _REPORT],
    _: Annotated[Nothing, Query()],
) -> Response:
    """One report, as it is in the lake."""
    services = services_of(request)
    data = document_of(services, period_named(services, grain, key))
    return tagged(request, data, "application/json")


@router.get(
    "/reports/{grain}/{key}/page",
    name="report_page",
    response_class=Response,
    responses={200: {"description": "The page.", "content": {"text/html": {}}}},
)
def page(
    request: Request,
    grain: Grain,
    key: Annotated[str, _REPORT],
    _: Annotated[Nothing, Query()],
) -> Response:
    """One report as a page that needs no network and no script, as it is in the lake."""
    services = services_of(request)
    data = page_of(services, period_named(services, grain, key))
    return tagged(request, data, "text/html", {"Content-Security-Policy": PAGE_POLICY})


@router.get("/series", response_model=Series)
def series(request: Request, query: Annotated[SeriesQuery, Query()]) -> Response:
    """A metric over time, of the whole or of the values of a dimension.

    What few users have is pooled as `(other)`, as in reports.
    """
    services = services_of(request)
    query.checked(services.today)
    metric = metric_named(query.metric)
    by = None if query.by is None else dimension_named(services, query.by)
    if query.value and by is None:
        raise value_alone()
    wanted, missing = periods_within(services, query.grain, query.first, query.last)
    found = services.reports.figures(wanted, metric.name, by or "", deadline_of(request))
    lines: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
    for period, rows in found:
        for row in rows:
            if not query.value or row["value"] in query.value:
                point = {"key": period.key, "figure": row["figure"], "users": row["users"]}
                lines.setdefault((row["value"], row["currency"]), []).append(point)
    answer = {
        "metric": _told(metric),
        "grain": query.grain,
        "by": by,
        "series": [
            {"value": value, "currency": currency, "points": points}
            for (value, currency), points in sorted(
                lines.items(), key=lambda line: (line[0][0], line[0][1] or "")
            )
        ],
        "periods": [_days(period) for period, _ in found],
        "missing": missing,
        "coverage": services.reader.coverage(query.first, query.last).as_dict(),
    }
    return json_answer(request, answer)


@router.get("/models", response_model=ModelPage)
def models(request: Request, query: Annotated[ModelsQuery, Query()]) -> Response:
    """How the models of a period do, those with most messages first."""
    services = services_of(request)
    period = None
    if query.key is not None:
        period = period_named(services, query.grain, query.key)
    elif there := services.reports.periods(query.grain):
        period = there[-1]
    found = [] if period is None else orjson.loads(document_of(services, period))["models"]
    answer = {"grain": query.grain, "key": period.key if period else None, "models": found}
    return json_answer(request, answer)


def _told(metric: Metric) -> dict[str, Any]:
    return {name: getattr(metric, name) for name in _SHOWN}


def _days(period: Period) -> dict[str, Any]:
    return {"key": period.key, "from": period.first, "to": period.last}


def _entry(services: Services, period: Period) -> dict[str, Any]:
    manifest = services.reports.manifest(period)
    return {
        "grain": period.grain,
        **_days(period),
        "report_version": manifest.revision if manifest else 0,
        "made_at": manifest.committed_at if manifest else None,
        "shortcomings": manifest.note if manifest else "",
    }


def _breakdown(new: Mapping[str, Any], old: Mapping[str, Any], by: str) -> list[dict[str, Any]]:
    def values(document: Mapping[str, Any]) -> dict[str, Any]:
        return {one["value"]: one["metrics"] for one in document["breakdowns"].get(by, ())}

    now, before = values(new), values(old)
    return [
        {"value": value, **change}
        for value in dict.fromkeys([*now, *before])
        for change in _changes(now.get(value, {}), before.get(value, {}))
    ]


def _changes(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for metric in dict.fromkeys([*new, *old]):
        now, before = _by_currency(new.get(metric)), _by_currency(old.get(metric))
        found += [
            _change(metric, currency, now.get(currency), before.get(currency))
            for currency in dict.fromkeys([*now, *before])
        ]
    return found


def _by_currency(figure: Any) -> Mapping[str | None, float | None]:
    return figure if isinstance(figure, Mapping) else {None: figure}


def _change(
    metric: str, currency: str | None, now: float | None, before: float | None
) -> dict[str, Any]:
    change = None if now is None or before is None else now - before
    relative = change / abs(before) if change is not None and before else None
    return {
        "metric": metric,
        "currency": currency,
        "now": now,
        "before": before,
        "change": change,
        "relative": relative,
    }

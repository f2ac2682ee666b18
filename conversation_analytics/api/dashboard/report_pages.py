"""Pages of reports: overview, topics and intents, sentiment, models and cost."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Path, Query, Request
from starlette.responses import Response

from conversation_analytics.api.access import key_of
from conversation_analytics.api.asked import page_of, period_named
from conversation_analytics.api.dashboard import growth, pages, slices, spreads
from conversation_analytics.api.dashboard.addresses import HOME
from conversation_analytics.api.dashboard.cards import Card, cards
from conversation_analytics.api.dashboard.panels import panels
from conversation_analytics.api.dashboard.parameters import PeriodQuery, SliceQuery, TopicQuery
from conversation_analytics.api.dashboard.routing import dashboard_of, page_router, trail_of
from conversation_analytics.api.dashboard.shelf import Choice
from conversation_analytics.api.dashboard.why import Why, why
from conversation_analytics.api.keys import Scope
from conversation_analytics.api.parameters import ConversationQuery, Nothing
from conversation_analytics.api.services import deadline_of, services_of
from conversation_analytics.periods import GRAINS, Grain, Period
from conversation_analytics.reports.page import breakdowns, changes, figures, health
from conversation_analytics.reports.page.render import PLURALS
from conversation_analytics.schemas.metrics import METRICS

router = page_router(Scope.REPORTS)

_MOVED: Final = 4
_BY: Final = ("topic", "intent", "language", "model")


@router.get("")
def overview(request: Request, query: Annotated[SliceQuery, Query()]) -> Response:
    """The headline of a period, its past, and what moved."""
    choice = dashboard_of(request).shelf.choose(query.grain, query.period)
    document = choice.document
    if document is None:
        return _nothing(request, choice, query)
    within = slices.slice_of(query.only, document)
    shown, history = slices.confined(choice, within) if within else (document, choice.history)
    found = [] if shown is None else figures.figures(shown, history, METRICS)
    moved = {name: growth.moves(document, name) for name in ("topic", "intent")}
    return _page(
        request,
        "overview.html",
        choice,
        query,
        within=within,
        shown=shown,
        counts={one.metric.name: one.value for one in found},
        headline=[one for one in found if one.metric.headline],
        others=[one for one in found if not one.metric.headline],
        past=None if shown is None else figures.past(shown, history, METRICS),
        changes=changes.changes(document, METRICS) if within is None else [],
        moved={name: _most(ones) for name, ones in moved.items() if ones and within is None},
        values=slices.values_of(document),
        restatement=health.restatement(document, METRICS),
    )


@router.get("/topics")
def topics(request: Request, query: Annotated[TopicQuery, Query()]) -> Response:
    """Topics and intents within their taxonomy, which grew most, and why."""
    choice = dashboard_of(request).shelf.choose(query.grain, query.period)
    document = choice.document
    if document is None or choice.period is None:
        return _nothing(request, choice, query)
    sections = growth.sections(services_of(request).settings)
    tables = [
        (
            task,
            breakdowns.breakdown(document, task),
            growth.tree(document, task, sections.get(task)),
        )
        for task in growth.TASKS
    ]
    dimension, name = ("intent", query.intent) if query.intent else ("topic", query.topic)
    moved = growth.moves(document, dimension)
    most = moved[0] if moved and moved[0].change > 0 else None
    name = name or (most.name if most else None)
    focus: dict[str, Any] | None = None
    if name is not None:
        focus = {
            "dimension": dimension,
            "name": name,
            "moved": next((one for one in moved if one.name == name), None),
            "compared": growth.compared(choice, dimension, name),
            "why": _why(request, choice.period, dimension, name),
            "examples": _examples(request, choice.period, dimension, name),
        }
    return _page(
        request,
        "topics.html",
        choice,
        query,
        tables=tables,
        most=most,
        asked=bool(query.intent or query.topic),
        focus=focus,
        compared=bool(moved),
    )


@router.get("/sentiment")
def sentiment(request: Request, query: Annotated[PeriodQuery, Query()]) -> Response:
    """How users feel, and where they feel worse than elsewhere."""
    choice = dashboard_of(request).shelf.choose(query.grain, query.period)
    document = choice.document
    if document is None:
        return _nothing(request, choice, query)
    found = figures.figures(document, choice.history, METRICS)
    spread = {name: spreads.spread(document, name, "sentiment_negative_share") for name in _BY}
    return _page(
        request,
        "sentiment.html",
        choice,
        query,
        figures=[one for one in found if one.metric.group == "sentiment"],
        negative=next(one for one in found if one.metric.name == "sentiment_negative_share"),
        mix=breakdowns.sentiments(document),
        table=breakdowns.breakdown(document, "sentiment"),
        spread={name: ones for name, ones in spread.items() if ones},
        past=panels(choice, "sentiment_negative_share", "sentiment_mean"),
        whole=document["metrics"].get("sentiment_negative_share"),
    )


@router.get("/models")
def models(request: Request, query: Annotated[PeriodQuery, Query()]) -> Response:
    """How fast models answer, how often they fail, and what they cost."""
    choice = dashboard_of(request).shelf.choose(query.grain, query.period)
    document = choice.document
    if document is None:
        return _nothing(request, choice, query)
    found = figures.figures(document, choice.history, METRICS)
    names = ("cost", "cost_per_conversation", "latency_p95_ms", "error_rate", "total_tokens")
    return _page(
        request,
        "models.html",
        choice,
        query,
        models=breakdowns.models(document, METRICS),
        columns=[METRICS[name] for name in breakdowns.MODEL_COLUMNS if name in METRICS],
        slowest=spreads.slowest(document, choice.before),
        figures=[one for one in found if one.metric.name in names],
        past=panels(choice, "cost", "latency_p95_ms", "error_rate"),
    )


@router.get("/reports/{grain}/{key}.html")
def report_page(
    request: Request,
    grain: Grain,
    key: Annotated[str, Path(max_length=40)],
    _: Annotated[Nothing, Query()],
) -> Response:
    """A report as one page to print or send, as it is in the lake."""
    services = services_of(request)
    return pages.of_report(page_of(services, period_named(services, grain, key)))


def _page(
    request: Request, template: str, choice: Choice, query: PeriodQuery, **context: Any
) -> Response:
    """A page with the way to other periods."""
    within = context.get("within")
    return pages.page(
        request,
        template,
        period=choice.period,
        choice=choice,
        document=choice.document,
        here=request.url.path,
        kept=query.model_dump(exclude={"grain", "period"}, exclude_none=True),
        grains=GRAINS,
        trail=trail_of(request, choice.period, within),
        plurals=PLURALS,
        **context,
    )


def _nothing(request: Request, choice: Choice, query: PeriodQuery) -> Response:
    """That there is no report, and which there are."""
    shelf = dashboard_of(request).shelf
    return pages.page(
        request,
        "no_report.html",
        status=404 if query.period else 200,
        choice=choice,
        document=None,
        here=request.url.path,
        kept={},
        grains=GRAINS,
        others={grain: found[-1] for grain in GRAINS if (found := shelf.periods(grain))},
        home=HOME,
    )


def _most(moved: list[growth.Moved]) -> list[growth.Moved]:
    """Those that changed most, either way."""
    changed = [one for one in moved if one.change]
    return sorted(changed, key=lambda one: (-abs(one.change), one.name))[:_MOVED]


def _why(request: Request, period: Period, dimension: str, value: str) -> Why | None:
    if not key_of(request).may(Scope.CONVERSATIONS):
        return None
    return why(services_of(request), period, dimension, value, deadline_of(request))


def _examples(request: Request, period: Period, dimension: str, value: str) -> list[Card]:
    if not key_of(request).may(Scope.CONVERSATIONS):
        return []
    name = "main_topic" if dimension == "topic" else dimension
    query = ConversationQuery.model_validate(
        {"from": period.first, "to": period.last, name: [value], "limit": 3}
    )
    page = services_of(request).search.page(query, deadline_of(request))
    return cards(services_of(request), page.rows)

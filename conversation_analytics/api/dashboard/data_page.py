"""The page that tells whether the data are complete and fresh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Final

from fastapi import Query, Request
from starlette.responses import Response

from conversation_analytics.api.access import key_of
from conversation_analytics.api.dashboard import pages, words
from conversation_analytics.api.dashboard.parameters import DaysQuery
from conversation_analytics.api.dashboard.routing import dashboard_of, page_router, trail_of
from conversation_analytics.api.keys import Scope
from conversation_analytics.api.reader import Coverage, readable
from conversation_analytics.api.services import services_of
from conversation_analytics.partitions import days_between
from conversation_analytics.periods import GRAINS, period_of
from conversation_analytics.reports import wording
from conversation_analytics.reports.page.health import quarantined
from conversation_analytics.sync.day_states import DayState, totals
from conversation_analytics.sync.words import words_of

router = page_router(Scope.REPORTS)

_MOST_MONTHS: Final = 24


@dataclass(frozen=True)
class Day:
    """A day in the calendar.

    Attributes:
        state: ``good``, ``behind``, ``failed`` or ``missing``.
        told: what is the matter, in words; empty if nothing is.
        link: its conversations; empty where there are none to see.
    """

    day: date
    state: str
    told: str
    link: str


@dataclass(frozen=True)
class Verdict:
    """Whether the data are complete, in a sentence, and why not."""

    complete: bool
    sentence: str
    reasons: Sequence[str]


@router.get("/data")
def data(request: Request, query: Annotated[DaysQuery, Query()]) -> Response:  # noqa: ARG001
    """What the lake has of each day, what is behind, and what could not be used."""
    services = services_of(request)
    with readable():
        state = services.ledger.get()
    coverage = services.reader.coverage(None, None)
    is_admin = key_of(request).may(Scope.ADMIN)
    calendar = _calendar(request, state.days, coverage, is_admin=is_admin)
    synced = [one.synced_to for one in state.days if one.synced_to]
    committed = [one.committed for one in state.days if one.committed]
    shelf = dashboard_of(request).shelf
    return pages.page(
        request,
        "data.html",
        verdict=_verdict(calendar, coverage),
        months=_months(calendar),
        hidden_months=max(0, len({f"{one.day:%Y-%m}" for one in calendar}) - _MOST_MONTHS),
        troubled=[one for one in calendar if one.state != "good"],
        totals=totals(state.days),
        synced_to=max(synced, default=None),
        committed=max(committed, default=None),
        ago=words.ago,
        now=datetime.now(UTC),
        quarantined=_quarantined(request, [one.day for one in state.days]),
        unplaced=list(state.unplaced) if is_admin else [],
        coverage=coverage,
        reports={grain: shelf.periods(grain) for grain in GRAINS},
    )


def _quarantined(request: Request, days: Sequence[date]) -> list[tuple[str, str, int]]:
    with readable():
        catalogue = dashboard_of(request).catalogue.get()
    return quarantined({"quarantined": catalogue.quarantined(days)})


def _calendar(
    request: Request, states: Sequence[DayState], coverage: Coverage, *, is_admin: bool
) -> list[Day]:
    """Every day from the first to the last there is."""
    by_day = {one.day: one for one in states}
    ends = [*by_day, *filter(None, (coverage.first, coverage.last))]
    every = days_between(min(ends), max(ends)) if ends else []
    return [_day(request, day, by_day.get(day), is_admin=is_admin) for day in every]


def _day(request: Request, day: date, state: DayState | None, *, is_admin: bool) -> Day:
    if state is None:
        return Day(day, "missing", "not in the lake", "")
    told = list(state.problems)
    if state.pending:
        told.append(f"seen in the source and not in yet: {words_of(state.pending)}")
    if state.error:
        told.append(f"the last try failed{f': {state.error}' if is_admin else ''}")
    kind = "failed" if state.error else "behind" if told else "good"
    if state.conversations is None:
        kind = "failed" if state.error else "missing"
        told = told or ["not in the lake"]
    link = trail_of(request, period_of("daily", day)).all() if state.conversations else ""
    return Day(day, kind, "; ".join(told), link)


def _verdict(calendar: Sequence[Day], coverage: Coverage) -> Verdict:
    if not calendar or coverage.first is None or coverage.last is None:
        return Verdict(complete=False, sentence="There are no data yet.", reasons=[])
    span = f"from {words.day(calendar[0].day)} to {words.day(calendar[-1].day)}"
    counts = {
        kind: [one for one in calendar if one.state == kind]
        for kind in ("missing", "failed", "behind")
    }
    reasons = []
    if counts["missing"]:
        days = wording.dates(one.day for one in counts["missing"])
        reasons.append(f"{_days(len(counts['missing']))} missing: {days}.")
    if counts["failed"]:
        reasons.append(f"{_days(len(counts['failed']))} not written by the last try.")
    if counts["behind"]:
        reasons.append(f"{_days(len(counts['behind']))} not up to date in every part.")
    if not reasons:
        return Verdict(
            complete=True,
            sentence=f"Yes: all {len(calendar):,} days {span} are there and up to date.",
            reasons=[],
        )
    wrong = sum(len(ones) for ones in counts.values())
    sentence = f"Not quite: {wrong:,} of {len(calendar):,} days {span} lack something."
    return Verdict(complete=False, sentence=sentence, reasons=reasons)


def _days(count: int) -> str:
    return "1 day is" if count == 1 else f"{count:,} days are"


def _months(calendar: Sequence[Day]) -> list[tuple[date, list[Day]]]:
    """The days by month, the newest month first."""
    found: dict[date, list[Day]] = {}
    for one in calendar:
        found.setdefault(one.day.replace(day=1), []).append(one)
    return sorted(found.items(), reverse=True)[:_MOST_MONTHS]

"""A backfill with the reports of its days: one run a grain, each once the one before is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg

from conversation_analytics.cli import runs
from conversation_analytics.cli.backfilling import Outcome, PreparedBackfill
from conversation_analytics.cli.output import say
from conversation_analytics.jobs import DAILY_JOB, REPORT_JOBS
from conversation_analytics.periods import period_of

Selected = dict[str, frozenset[dg.AssetKey]]


def backfill_with_reports(
    prepared: PreparedBackfill,
    first: date | None,
    last: date | None,
    selection: str | None,
    *,
    force: bool,
    reports: bool,
) -> list[Outcome]:
    """Refresh a range of days, then make their reports; what comes after a failure is left out.

    Args:
        prepared: an opened backfill.
        first: first day; null for the first with data.
        last: last day, included; null for the last with data.
        selection: assets of any grain; null for all.
        force: whether any number of known rows may vanish.
        reports: whether to make reports if the selection does not name any.

    Raises:
        ConversationAnalyticsError: it cannot start; nothing was changed.
    """
    jobs = [prepared.job, *prepared.report_jobs.values()]
    selected = runs.selected_by_job(jobs if reports or selection else jobs[:1], selection)
    outcomes = []
    if selected[DAILY_JOB]:
        outcomes.append(prepared.run(first, last, selected[DAILY_JOB], force=force))
        first, last = outcomes[0].first, outcomes[0].last
    else:
        first, last = prepared.known_range(first, last)
    return outcomes + reports_of(prepared, first, last, selected, outcomes)


def reports_of(
    prepared: PreparedBackfill,
    first: date,
    last: date,
    selected: Selected,
    before: Sequence[Outcome],
) -> list[Outcome]:
    """Make the reports of a range of days, and those that late data changed.

    Args:
        prepared: an opened backfill.
        first: first day.
        last: last day, included.
        selected: assets by job; jobs that are left out are not run.
        before: outcomes of what the reports are made of.
    """
    outcomes: list[Outcome] = []
    for grain, name in REPORT_JOBS.items():
        if not selected.get(name):
            continue
        if not all(outcome.success for outcome in (*before, *outcomes)):
            say(f"the {grain} reports were left out, since what they are made of is not done")
            continue
        begin, end = (period_of(grain, day).first for day in (first, last))
        outcomes.append(prepared.of(grain).make(begin, end, selected[name]))
    return outcomes


def as_one(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Outcomes for `--json`: that of the days, with those of reports under ``reports``."""
    of_days = [outcome for outcome in outcomes if outcome.job == DAILY_JOB]
    others = [
        {"job": outcome.job, **outcome.as_dict()}
        for outcome in outcomes
        if outcome.job != DAILY_JOB
    ]
    found = of_days[0].as_dict() if of_days else {}
    return {
        **found,
        "success": all(outcome.success for outcome in outcomes),
        "reports": others,
    }

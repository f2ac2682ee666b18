"""`conversation-analytics backfill`: refresh a range of days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from conversation_analytics.cli.output import (
    ExitCode,
    Force,
    Json,
    day_option,
    read_settings,
    say,
    show,
    show_json,
    show_table,
)

if TYPE_CHECKING:
    from datetime import date

    from conversation_analytics.cli.backfilling import Outcome, PreparedBackfill
    from conversation_analytics.settings import Settings

_ESTIMATED = ("questions", "answered", "under_way", "failed", "to_pay", "calls", "tokens")


def backfill(
    first: Annotated[
        str | None, typer.Option("--from", help="First day; default: the first with data.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day, included; default: the last with data.")
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(help="Assets, with commas between; also Dagster's selection syntax."),
    ] = None,
    stale: Annotated[
        bool,
        typer.Option(
            "--stale",
            help="Only label and translate again, from the lake, the days whose taxonomy, models, "
            "corrections or workflows changed, or that wait for one.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only tell what asking workflows of Dify about the lake's days would cost.",
        ),
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Empty the lake first, then fill it anew.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before emptying.")] = False,
    force: Force = False,
    reports: Annotated[
        bool,
        typer.Option(help="Whether to make the reports of these days too, once they are done."),
    ] = True,
    as_json: Json = False,
) -> None:
    """Read the source for a range of days and refresh everything made of them, in one run.

    The same command after a failure goes on where that one stopped: days already done are kept.
    """
    from conversation_analytics.cli.backfilling import Backfill
    from conversation_analytics.cli.reporting import as_one, backfill_with_reports

    settings = read_settings()
    begin, end = day_option("--from", first), day_option("--to", last)
    if stale and (rebuild or select):
        raise typer.BadParameter("--stale goes with neither --rebuild nor --select")
    if dry_run:
        if rebuild or select:
            raise typer.BadParameter("--dry-run goes with neither --rebuild nor --select")
        _show_expected(settings, begin, end, stale=stale, as_json=as_json)
        return
    with Backfill(settings).prepared() as prepared:
        if stale:
            _show_relabelled(prepared, begin, end, reports=reports, as_json=as_json)
        if rebuild:
            keys = prepared.keys_to_delete()
            what = f"{len(keys):,} objects of {prepared.lake.store.url}"
            what += " and the documents made of them" if settings.mongodb_uri else ""
            if not yes:
                typer.confirm(f"Delete {what} and read everything again?", abort=True, err=True)
            prepared.empty(keys)
            say(f"deleted {what}")
        outcomes = backfill_with_reports(prepared, begin, end, select, force=force, reports=reports)
    if as_json:
        show_json(as_one(outcomes))
    else:
        for outcome in outcomes:
            show_outcome(outcome)
    raise typer.Exit(max(outcome.exit_code for outcome in outcomes))


def _show_expected(
    settings: Settings, first: date | None, last: date | None, *, stale: bool, as_json: bool
) -> None:
    """Print what asking Dify about days would cost."""
    from conversation_analytics.cli.estimating import expected

    found = expected(settings, first, last, stale=stale)
    if as_json:
        show_json([one.as_dict() for one in found])
        return
    columns = ["", "days", "texts", "known", "under way", "given up", "to pay", "calls", "tokens"]
    rows = []
    for one in found:
        counts: list[Any] = [one.table, one.days]
        if one.estimate:
            counts += [getattr(one.estimate, name) for name in _ESTIMATED]
            costs = one.estimate.cost or {}
            counts.append(", ".join(f"{cost:.4f} {name}" for name, cost in costs.items()))
        rows.append(counts + [None] * (len(columns) + 1 - len(counts)))
    show_table("What asking Dify would take", [*columns, "cost"], rows)
    for one in found:
        reasons = [one.off, one.estimate.reason if one.estimate else None]
        for reason in filter(None, reasons):
            say(f"{one.table}: {reason}")
        if one.skipped:
            day, why = next(iter(one.skipped.items()))
            say(f"{one.table}: {len(one.skipped)} day(s) not looked at, such as {day}: {why}")


def _show_relabelled(
    prepared: PreparedBackfill,
    first: date | None,
    last: date | None,
    *,
    reports: bool,
    as_json: bool,
) -> NoReturn:
    """Label again what is stale, make the reports of it anew, print both, and end."""
    from conversation_analytics.cli import runs
    from conversation_analytics.cli.reporting import reports_of

    outcomes = prepared.relabel(first, last)
    if outcomes and reports:
        begin, end = min(one.first for one in outcomes), max(one.last for one in outcomes)
        selected = runs.selected_by_job([*prepared.report_jobs.values()], None)
        outcomes += reports_of(prepared, begin, end, selected, outcomes)
    if as_json:
        show_json([outcome.as_dict() for outcome in outcomes])
    else:
        for outcome in outcomes:
            show_outcome(outcome)
        if not outcomes:
            say("no day is stale: all are labelled and translated by the settings of now")
    raise typer.Exit(max((outcome.exit_code for outcome in outcomes), default=ExitCode.OK))


def show_outcome(outcome: Outcome) -> None:
    """Print what a backfill did, and how to go on if some of it failed."""
    show_table(
        f"{outcome.first} to {outcome.last}",
        ["asset", "state", "days", "of these kept", "rows", "seconds"],
        [
            [a.name, a.state, len(a.rows), len(a.kept), sum(a.rows.values()), a.seconds]
            for a in outcome.assets
        ],
    )
    if outcome.quarantined:
        rows = [[reason, count] for reason, count in outcome.quarantined.items()]
        show_table("Quarantined source rows", ["reason", "rows"], rows)
    if outcome.reported:
        show(f"{outcome.reported:,} days done by an interrupted run were reported to Dagster.")
    if outcome.failed_days:
        rows = [
            [day, step, why]
            for step, days in outcome.failed_days.items()
            for day, why in sorted(days.items())
        ]
        show_table("Failed days", ["day", "asset", "why"], rows)
    for step, (_, message) in outcome.step_errors.items():
        say(f"error: {step}: {message}")
    if outcome.exit_code != ExitCode.OK:
        say(
            "Not all days are done. Once the cause is gone, give the same command again: it keeps "
            "what is done and does the rest."
        )
        if outcome.good_ranges:
            ranges = ", ".join(f"--from {a} --to {b}" for a, b in outcome.good_ranges[:5])
            say(f"To finish the other days meanwhile, leave those days out: backfill {ranges}")

"""`conversation-analytics sync`: find the days behind the source and refresh them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from conversation_analytics.cli.output import (
    Force,
    Json,
    read_settings,
    say,
    show,
    show_json,
    show_table,
)
from conversation_analytics.sync.words import words_of

if TYPE_CHECKING:
    from conversation_analytics.cli.syncing import Synced


def sync(
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="Compare every row: finds deletions and silent edits too."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which days are behind and why; change nothing.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Find the days that are behind the source and refresh them, one run a range of days.

    Exit status 1 if a day is still behind afterwards, or, with --dry-run, at all.
    """
    from conversation_analytics.cli.syncing import Sync

    synced = Sync(read_settings()).run(sweep=sweep, dry_run=dry_run, force=force)
    if as_json:
        show_json(synced.as_dict())
    else:
        _show(synced, dry_run=dry_run)
    raise typer.Exit(synced.exit_code)


def _show(synced: Synced, *, dry_run: bool) -> None:
    from conversation_analytics.cli.backfill import show_outcome

    fetched = ", ".join(f"{count:,} rows for {what}" for what, count in synced.look.rows.items())
    say(f"fetched {fetched or 'nothing'}")
    if synced.behind:
        rows = [
            [str(one.day), words_of(one.reasons), "; ".join(one.problems)] for one in synced.behind
        ]
        show_table("Days behind the source", ["day", "source rows", "besides"], rows)
    else:
        show("No day is behind the source.")
    for outcome in synced.outcomes:
        show_outcome(outcome)
    if synced.outcomes and not synced.left:
        show("Every day is up to date.")
    elif synced.left and not dry_run:
        days = ", ".join(str(one.day) for one in synced.left)
        say(f"Still behind: {days}. Give the same command again once the cause is gone.")

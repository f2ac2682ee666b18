"""`conversation-analytics verify`: compare source, lake and MongoDB row by row, and heal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from conversation_analytics.cli.output import (
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
    from conversation_analytics.cli.verifying import Compared
    from conversation_analytics.sync.differences import Differences

_SHOWN_IDS = 5
_COLUMNS = ["day", "store", "table", "expected", "found", "difference", "such as"]


def verify(
    first: Annotated[str | None, typer.Option("--from", help="First day.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day, included.")] = None,
    every_day: Annotated[
        bool, typer.Option("--all", help="Show the days that agree as well.")
    ] = False,
    heal: Annotated[
        bool, typer.Option("--heal", help="Refresh the days that differ, and compare again.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Compare every row of the source with the lake's files and MongoDB's documents.

    Exit status 0 if everything agrees, 1 if something differs (after --heal: still), 2 if it
    cannot look.
    """
    from conversation_analytics.cli.verifying import Verification

    begin, end = day_option("--from", first), day_option("--to", last)
    verification = Verification(read_settings(), begin, end, keep_all=every_day)
    verified = verification.heal(force=force) if heal else verification.look()
    if as_json:
        show_json(verified.as_dict())
    else:
        _show(verified.found)
        if verified.left is not None:
            from conversation_analytics.cli.backfill import show_outcome

            for outcome in verified.outcomes:
                show_outcome(outcome)
            show("After healing:")
            _show(verified.left)
        elif verified.found.differing and not heal:
            say("To refresh these days: conversation-analytics verify --heal")
    raise typer.Exit(verified.exit_code)


def _show(compared: Compared) -> None:
    rows = []
    for day in compared.days:
        for table in day.tables:
            if day.equal or not table.equal:
                difference, ids = _words(table)
                if day.meanwhile and not table.equal:
                    difference += "; written while this looked: verify again"
                counts = [table.wanted.rows, table.found.rows]
                rows.append([str(day.day), table.store, table.table, *counts, difference, ids])
    if rows:
        show_table("Source, lake and MongoDB", _COLUMNS, rows)
    counted = ", ".join(f"{count:,} rows in {store}" for store, count in compared.rows.items())
    words = f"{len(compared.differing):,} of {compared.total:,} days differ"
    agreed = f"{compared.total:,} days agree" if not compared.differing else words
    show(f"{agreed}; compared {counted or 'nothing'}")


def _words(table: Differences) -> tuple[str, str]:
    """What differs in a table, and some of the ids."""
    parts = [f"{count:,} {reason}" for reason, count in table.reasons().items() if count]
    parts += [table.problem] if table.problem else []
    ids = sorted(table.new | table.changed | table.vanished | table.damaged)
    more = f" and {len(ids) - _SHOWN_IDS:,} more" if len(ids) > _SHOWN_IDS else ""
    return "; ".join(parts) or "equal", ", ".join(ids[:_SHOWN_IDS]) + more

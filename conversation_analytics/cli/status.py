"""`conversation-analytics status`: what the lake and MongoDB hold, day by day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from conversation_analytics.cli.output import (
    ExitCode,
    Json,
    day_option,
    read_settings,
    show,
    show_json,
    show_table,
)
from conversation_analytics.sync.words import words_of

if TYPE_CHECKING:
    from conversation_analytics.sync.day_states import DayState

_SHOWN_DAYS = 31
_ERROR_CHARACTERS = 40


def status(
    first: Annotated[str | None, typer.Option("--from", help="First day.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day, included.")] = None,
    as_json: Json = False,
) -> None:
    """Show each day's rows, when it was last read, and what is pending, failed or not up to date.

    Exit status 1 if anything is.
    """
    from conversation_analytics.storage.lake import open_lake
    from conversation_analytics.sync.day_states import lake_state, totals

    settings = read_settings()
    begin, end = day_option("--from", first), day_option("--to", last)
    found = lake_state(settings, open_lake(settings), begin, end)
    url, states, problems = found.url, found.days, found.problems()
    if as_json:
        show_json(
            {
                "lake": url,
                "problems": [{"day": day, "problem": problem} for day, problem in problems],
                "totals": totals(states),
                "days": [state.as_dict() for state in states],
            }
        )
    else:
        if problems:
            show_table("Not up to date", ["day", "problem"], [list(pair) for pair in problems])
        _show_days(states if begin or end else states[-_SHOWN_DAYS:], len(states), url)
        show("  ".join(f"{name}: {count:,}" for name, count in totals(states).items()))
    raise typer.Exit(ExitCode.DIFFERENCE if problems else ExitCode.OK)


def _show_days(states: list[DayState], days: int, url: str) -> None:
    with_mongo = any(state.mongo is not None for state in states)
    with_open = any(state.untranslated for state in states)
    columns = ["day", "raw rows", "conversations", "messages", "quarantined", "epoch"]
    columns += ["last synced", "committed", "pending", "error"]
    columns += ["untranslated"] if with_open else []
    columns += ["MongoDB"] if with_mongo else []
    rows = []
    for state in states:
        row = [str(state.day), state.raw_rows, state.conversations, state.messages]
        row += [state.quarantined, state.epoch, _minute(state.synced_to), _minute(state.committed)]
        row += [words_of(state.pending) if state.pending else None, _shortened(state.error)]
        row += [_counted(state.untranslated)] if with_open else []
        rows.append(row + ([state.mongo] if with_mongo else []))
    show_table(f"{url}: {days:,} days", columns, rows)
    if len(states) < days:
        show(f"the last {len(states)} of {days:,} days; see others with --from and --to")


def _counted(texts: dict[str, int] | None) -> str | None:
    """Such as ``3 failed, 2 pending, 1 given up``."""
    if texts is None:
        return None
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in texts.items() if n)


def _shortened(error: str | None) -> str | None:
    """The beginning of an error; all of it stands above the days."""
    if error is None or len(error) <= _ERROR_CHARACTERS:
        return error
    return error[: _ERROR_CHARACTERS - 1] + "…"


def _minute(moment: object) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M}Z"

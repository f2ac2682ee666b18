"""`conversation-analytics source check`: what the source is and how its rows will be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from conversation_analytics.cli.output import (
    ExitCode,
    Json,
    read_settings,
    say,
    show,
    show_json,
    show_table,
)

if TYPE_CHECKING:
    from conversation_analytics.sources.base import SourceInfo
    from conversation_analytics.sources.interpret import Interpreter

source_app = typer.Typer(help="Look at the source of conversations.", no_args_is_help=True)


@source_app.callback()
def _group() -> None:
    pass


@source_app.command()
def check(
    accept: Annotated[
        bool,
        typer.Option("--accept", help="From now on read rows with the columns there are now."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Reach the source and show which column is read as what.

    Exit status 1 if columns have changed since the lake was filled, so that nothing is read until
    that is undone or accepted.
    """
    from conversation_analytics.sources.interpret import build_interpreter
    from conversation_analytics.sources.open import open_source
    from conversation_analytics.storage.lake import open_store
    from conversation_analytics.transforms.settled import accept_columns, column_problems

    settings = read_settings()
    store = open_store(settings)
    opened = open_source(settings)
    try:
        info = opened.source.probe()
        found = _described(info, build_interpreter(opened.mapping, info))
        if accept:
            accept_columns(settings, store, opened, info)
        problems = column_problems(store, opened, info)
    finally:
        opened.source.close()
    if as_json:
        show_json({**found, "changed_columns": problems})
    else:
        _show(found)
        for problem in problems:
            say(problem)
        if problems:
            say("To read rows with the columns as they are now: source check --accept")
    raise typer.Exit(ExitCode.DIFFERENCE if problems else ExitCode.OK)


def _show(found: dict[str, Any]) -> None:
    facts = [[name, found[name]] for name in ("kind", "location", "profile", "clock")]
    facts += [[name.replace("_", " "), value] for name, value in found["details"].items()]
    show_table("Source", ["", "found"], facts)
    for name, table in found["tables"].items():
        show_table(
            f"{name}: {table['name']}",
            ["field", "source column"],
            [[field, ", ".join(columns)] for field, columns in table["mapped"].items()],
        )
        key = f"{table['primary_key']} ({table['key_type']})" if table["primary_key"] else "none"
        rows = "not counted" if table["rows"] is None else f"{table['rows']:,}"
        filterable = "yes" if table["range_filterable"] else "no"
        show(f"  kept as attributes: {', '.join(table['unmapped']) or 'nothing'}")
        show(f"  key: {key}; rows: {rows}; can be asked for a time range: {filterable}\n")


def _described(info: SourceInfo, interpreter: Interpreter) -> dict[str, Any]:
    tables = {}
    for name, table in (("conversations", info.conversations), ("messages", info.messages)):
        resolved = interpreter.conversations if name == "conversations" else interpreter.messages
        tables[name] = {
            "name": table.name,
            "mapped": {field: list(columns) for field, columns in resolved.columns.items()},
            "unmapped": [c for c in table.columns if c not in resolved.consumed],
            "system_columns": sorted(table.system_columns),
            "primary_key": table.primary_key,
            "key_type": table.key_type,
            "rows": table.rows,
            "range_filterable": table.range_filterable,
        }
    return {
        "kind": info.kind,
        "location": info.location,
        "profile": interpreter.profile,
        "clock": info.clock.isoformat(),
        "details": info.details,
        "tables": tables,
    }

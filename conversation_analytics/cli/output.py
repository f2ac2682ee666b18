"""What all commands share: where they print, how they fail, options that mean the same."""

from __future__ import annotations

import logging
import sys
from datetime import date
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from conversation_analytics.errors import (
    ConversationAnalyticsError,
    DataCheckFailed,
    FencedWriter,
    MassDeletion,
    SettingsError,
    StaleInput,
)

if TYPE_CHECKING:
    from conversation_analytics.settings import Settings

_logger = logging.getLogger("conversation_analytics")
_WIDE = 240
_OF_DATA = (DataCheckFailed, FencedWriter, MassDeletion, StaleInput)

errors = Console(stderr=True)
"""Standard error: progress, notes and errors."""

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Force = Annotated[
    bool, typer.Option("--force", help="Let rows vanish, more than MAX_DELETE_FRACTION too.")
]


class ExitCode(IntEnum):
    """What a command's exit status means."""

    OK = 0
    DIFFERENCE = 1
    """A data difference, a failed check, a failed day."""
    USAGE = 2
    """Wrong usage or settings, or something that cannot be reached."""


def exit_code_of(error: type[BaseException]) -> ExitCode:
    """The exit status for an error of ours."""
    return ExitCode.DIFFERENCE if issubclass(error, _OF_DATA) else ExitCode.USAGE


class CommandGroup(TyperGroup):
    """Commands whose errors of ours are one line on standard error, not a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """See click."""
        try:
            return super().invoke(ctx)
        except ConversationAnalyticsError as error:
            if ctx.params.get("debug") or _logger.level == logging.DEBUG:
                raise
            say(f"error: {error}")
            raise typer.Exit(exit_code_of(type(error))) from error


def read_settings() -> Settings:
    """The settings, with logging set up as they say.

    Raises:
        SettingsError: one is wrong.
    """
    from conversation_analytics.logs import set_up_logging
    from conversation_analytics.settings import load_settings

    settings = load_settings()
    set_up_logging(settings, say)
    return settings


def say(text: str) -> None:
    """Print a line on standard error, as it is."""
    errors.print(text, markup=False, highlight=False, soft_wrap=True)


def show(text: str) -> None:
    """Print a line of the result."""
    typer.echo(text)


def show_json(value: Any) -> None:
    """Print the result as JSON."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    typer.echo(orjson.dumps(value, default=str, option=options).decode())


def show_table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    """Print a table of the result; numbers to the right. Nulls are dashes."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for position, name in enumerate(columns):
        numbers = all(isinstance(row[position], int | float | None) for row in rows)
        table.add_column(name, justify="right" if numbers and rows else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    width = None if sys.stdout.isatty() else _WIDE  # a pipe has no width to fit into
    Console(width=width).print(table)


def day_option(name: str, text: str | None) -> date | None:
    """The day given to an option.

    Raises:
        SettingsError: it is none.
    """
    from conversation_analytics.partitions import parse_day

    if text is None:
        return None
    try:
        return parse_day(text)
    except ValueError:
        raise SettingsError(f"{name} is '{text}': give a day such as 2024-01-31") from None


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return str(value).replace("[", "\\[")

"""The `conversation-analytics` command.

Progress goes to standard error, results to standard output. Exit status: 0 all is well, 1 a data
difference, failed check or failed day, 2 wrong usage or settings or no connection.
"""

from __future__ import annotations

from typing import Annotated

import typer

from conversation_analytics import __version__
from conversation_analytics.cli.alerts import alerts_app
from conversation_analytics.cli.api import api_app
from conversation_analytics.cli.backfill import backfill
from conversation_analytics.cli.categories import categories_app
from conversation_analytics.cli.categorize import categorize
from conversation_analytics.cli.demo import demo
from conversation_analytics.cli.doctor import doctor
from conversation_analytics.cli.evaluate import evaluate
from conversation_analytics.cli.generate import generate
from conversation_analytics.cli.output import CommandGroup
from conversation_analytics.cli.report import report_app
from conversation_analytics.cli.source import source_app
from conversation_analytics.cli.status import status
from conversation_analytics.cli.sync import sync
from conversation_analytics.cli.topics import topics_app
from conversation_analytics.cli.verify import verify

app = typer.Typer(
    cls=CommandGroup,
    help="Turn conversations in NocoDB or files into Parquet, MongoDB documents and answers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=lambda value: _version(wanted=value), is_eager=True),
    ] = False,
) -> None:
    pass


app.command()(demo)
app.command()(generate)
app.add_typer(source_app, name="source")
app.command()(backfill)
app.command()(sync)
app.command()(status)
app.command()(verify)
app.add_typer(report_app, name="report")
app.add_typer(alerts_app, name="alerts")
app.command()(doctor)
app.command()(categorize)
app.add_typer(categories_app, name="categories")
app.add_typer(topics_app, name="topics")
app.command()(evaluate)
app.add_typer(api_app, name="api")

"""`conversation-analytics report`: what the reports in the lake say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conversation_analytics.cli.output import (
    CommandGroup,
    ExitCode,
    Json,
    read_settings,
    say,
    show,
    show_json,
    show_table,
)

if TYPE_CHECKING:
    from conversation_analytics.periods import Grain, Period
    from conversation_analytics.storage.lake import Lake

report_app = typer.Typer(
    cls=CommandGroup, help="What the reports in the lake say.", no_args_is_help=True
)

_MOST_VALUES = 5
_Grain = Annotated[str, typer.Argument(help="daily, weekly or monthly.")]


@report_app.command("list")
def list_(
    grain: Annotated[str | None, typer.Argument(help="daily, weekly or monthly.")] = None,
    as_json: Json = False,
) -> None:
    """List the reports there are, with their versions and what they lack."""
    from conversation_analytics.reports.published import published

    found = published(_lake(), _grain(grain) if grain else None)
    if as_json:
        show_json(
            [
                {
                    "grain": one.period.grain,
                    "key": one.period.key,
                    "version": one.version,
                    "made_at": one.made_at,
                    "shortcomings": one.shortcomings,
                    "page": one.page,
                }
                for one in found
            ]
        )
        return
    rows = [
        [
            one.period.grain,
            one.period.key,
            one.version,
            f"{one.made_at:%Y-%m-%d %H:%M}Z",
            one.shortcomings,
        ]
        for one in found
    ]
    show_table("Reports", ["grain", "period", "version", "made", "what it lacks"], rows)


@report_app.command("show")
def show_(
    grain: _Grain,
    key: Annotated[str, typer.Argument(help="Such as 2024-01-31, 2024-W05 or 2024-01.")],
    html: Annotated[
        Path | None, typer.Option(help="Also write its page to this file, to open in a browser.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a report. Exit status 1 if it is not there."""
    from conversation_analytics.periods import parse_period
    from conversation_analytics.reports.published import read_page, read_report

    period, lake = parse_period(grain, key), _lake()
    document = read_report(lake, period)
    if document is None:
        say(f"error: there is no {grain} report of {key}. {_how_to_make(period, lake)}")
        raise typer.Exit(ExitCode.DIFFERENCE)
    if html:
        html.write_bytes(read_page(lake, period) or b"")
        say(f"the page is in {html}")
    if as_json:
        show_json(document)
    else:
        show_report(document)


def show_report(document: dict[str, Any]) -> None:
    """Print what a report says: its summary, headlines and largest topics and intents."""
    from conversation_analytics.reports.page.numbers import change, shown
    from conversation_analytics.schemas.metrics import METRICS

    for sentence in document["summary"]:
        show(sentence)
    before = (document["comparisons"]["previous"] or {}).get("metrics", {})
    rows: list[list[Any]] = []
    for name, metric in METRICS.items():
        value = document["metrics"].get(name)
        if not metric.headline or value is None:
            continue
        of_currency = value if metric.per_currency else {None: value}
        for currency, figure in of_currency.items():
            old = before.get(name)
            earlier = (old or {}).get(currency) if metric.per_currency else old
            rows.append(
                [
                    metric.title,
                    shown(figure, metric, currency),
                    shown(earlier, metric, currency),
                    change(figure, earlier, metric),
                ]
            )
    title = f"{document['grain']} report of {document['key']}, version "
    title += str(document["report_version"])
    show_table(title, ["", "now", "before", "change"], rows)
    for dimension in ("topic", "intent"):
        entries = document["breakdowns"].get(dimension, [])[:_MOST_VALUES]
        values = [[one["value"], one["metrics"]["conversations"], one["users"]] for one in entries]
        show_table(f"Most frequent: {dimension}", [dimension, "conversations", "users"], values)


def _lake() -> Lake:
    from conversation_analytics.storage.lake import open_lake

    return open_lake(read_settings())


def _grain(text: str) -> Grain:
    from conversation_analytics.periods import parse_grain

    return parse_grain(text)


def _how_to_make(period: Period, lake: Lake) -> str:
    from conversation_analytics.reports.published import published

    there = [one.period.key for one in published(lake, period.grain)]
    known = f"There are {there[0]} to {there[-1]}. " if there else ""
    span = f"--from {period.first} --to {period.last}"
    return (
        f"{known}Make it with: conversation-analytics backfill {span} "
        f"--select user_analytics,{period.grain}_report"
    )

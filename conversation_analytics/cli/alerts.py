"""`conversation-analytics alerts`: rules that reports are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from conversation_analytics.cli.output import (
    CommandGroup,
    ExitCode,
    Json,
    read_settings,
    say,
    show_json,
    show_table,
)
from conversation_analytics.errors import SettingsError

if TYPE_CHECKING:
    from conversation_analytics.periods import Grain, Period
    from conversation_analytics.reports.alerts.check import AlertCheck
    from conversation_analytics.reports.alerts.rules import Rule
    from conversation_analytics.settings import Settings

alerts_app = typer.Typer(
    cls=CommandGroup,
    help="Hold reports against the rules of ALERTS_FILE, and tell of what fires.",
    no_args_is_help=True,
)


@alerts_app.command()
def check(
    grain: Annotated[
        str | None, typer.Option(help="daily, weekly or monthly; default: all.")
    ] = None,
    period: Annotated[
        str | None,
        typer.Option(help="One period, such as 2024-W05; default: the newest that are over."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell nobody, and write nothing down.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at the newest reports, and tell of each event once.

    Exit status 1 if a rule fires in the newest period, or in the one given.
    """
    from conversation_analytics.cli.known_lake import known_lake
    from conversation_analytics.reports.alerts.check import check_alerts

    settings = read_settings()
    rules = _rules(settings)
    grains, one = _asked(grain, period)
    lake = known_lake(settings)
    found = [
        check_alerts(settings, lake, rules, each, period=one, dry_run=dry_run)
        for each in grains
        if any(rule.grain == each for rule in rules)
    ]
    if as_json:
        show_json([each.as_dict() for each in found])
    else:
        _show(found, dry_run=dry_run)
    if any(each.firing for each in found):
        raise typer.Exit(ExitCode.DIFFERENCE)


@alerts_app.command("test")
def validate(as_json: Json = False) -> None:
    """Read the rules of ALERTS_FILE, and say what is wrong with them. Looks at no report."""
    settings = read_settings()
    rules = _rules(settings)
    if as_json:
        show_json([rule.model_dump(mode="json") for rule in rules])
        return
    rows = [
        [
            rule.name,
            rule.grain,
            rule.kind,
            "conversations" if rule.kind == "emerging" else rule.metric,
            rule.dimension,
            None if rule.kind == "emerging" else rule.value,
            rule.severity,
        ]
        for rule in rules
    ]
    columns = ["rule", "grain", "kind", "metric", "dimension", "value", "severity"]
    show_table(f"{settings.alerts_file} has no mistakes", columns, rows)


def _rules(settings: Settings) -> tuple[Rule, ...]:
    from conversation_analytics.reports.alerts.file import rules_of

    if settings.alerts_file is None:
        raise SettingsError("ALERTS_FILE is not set: give it a file of rules, see docs/alerts.md")
    return rules_of(settings)


def _asked(grain: str | None, period: str | None) -> tuple[tuple[Grain, ...], Period | None]:
    """The grains to look at, and the one period, if only one is asked for."""
    from conversation_analytics.periods import GRAINS, parse_period

    if period is None:
        found = tuple(one for one in GRAINS if grain in (None, one))
        if not found:
            raise SettingsError(f"--grain is '{grain}': it is one of {', '.join(GRAINS)}")
        return found, None
    if grain is None:
        raise SettingsError("--period needs --grain: daily, weekly or monthly")
    one = parse_period(grain, period)
    return (one.grain,), one


def _show(found: list[AlertCheck], *, dry_run: bool) -> None:
    rows = [
        [alert.period.key, alert.rule.name, alert.rule.severity, alert.text]
        for each in found
        for alert in each.alerts
    ]
    show_table("Alerts", ["period", "rule", "severity", "alert"], rows)
    would = "would be told" if dry_run else "told"
    for each in found:
        if not each.periods:
            say(f"there is no {each.grain} report of a period that is over")
        for text in (*each.raised, *each.withdrawn):
            say(f"{would}: {text}")
        for text in each.waiting:
            say(f"could not be told, is tried again the next time: {text}")
        for note in each.notes:
            say(f"note: {note}")

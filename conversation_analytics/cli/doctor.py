"""`conversation-analytics doctor`: is everything there that a run needs?"""

from __future__ import annotations

from dataclasses import asdict

import typer

from conversation_analytics.cli.output import (
    ExitCode,
    Json,
    read_settings,
    show_json,
    show_table,
)
from conversation_analytics.errors import SettingsError


def doctor(as_json: Json = False) -> None:
    """Check settings and the files they name, source, lake, MongoDB, Dagster's home, this machine.

    Exit status 2 if a run, or the API, would fail.
    """
    from conversation_analytics.cli.examination import Finding, examine

    try:
        settings = read_settings()
    except SettingsError as error:
        findings = [Finding("settings", "fail", str(error))]
    else:
        findings = [Finding("settings", "ok", "all valid"), *examine(settings)]
    failed = any(finding.state == "fail" for finding in findings)
    if as_json:
        show_json({"ok": not failed, "checks": [asdict(finding) for finding in findings]})
    else:
        rows = [[finding.check, finding.state, finding.words] for finding in findings]
        show_table("Checks", ["check", "state", "found"], rows)
    raise typer.Exit(ExitCode.USAGE if failed else ExitCode.OK)

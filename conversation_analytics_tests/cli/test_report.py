"""The command line's reports: made by a backfill, listed and shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversation_analytics_tests.cli.conftest import CommandLine

pytestmark = pytest.mark.filterwarnings(
    "ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"
)


@pytest.fixture
def reported(ca: CommandLine) -> CommandLine:
    ca.reports = True
    ca.set(MIN_USERS_PER_CELL=1)
    ca.export(days=3)
    return ca


def test_a_backfill_ends_with_the_reports_of_its_days(
    reported: CommandLine, tmp_path: Path
) -> None:
    outcome = reported.json("backfill")
    assert outcome["success"]
    made = {
        one["job"]: {asset["asset"]: asset["days"] for asset in one["assets"]}
        for one in outcome["reports"]
    }
    assert made == {
        "daily_reports": {"user_analytics": 1, "daily_report": 3, "model_performance": 3},
        "weekly_reports": {"weekly_report": 1},
        "monthly_reports": {"monthly_report": 1},
    }

    listed = reported.json("report", "list")
    assert [(one["grain"], one["key"], one["version"]) for one in listed] == [
        *(("daily", f"2024-01-0{day}", 1) for day in (1, 2, 3)),
        ("weekly", "2024-W01", 1),
        ("monthly", "2024-01", 1),
    ]
    assert [bool(one["shortcomings"]) for one in listed] == [False, False, False, True, True]

    page = tmp_path / "report.html"
    shown = reported("report", "show", "weekly", "2024-W01", "--html", str(page))
    assert shown.exit_code == 0
    assert "6 conversations started." in shown.stdout
    assert "weekly report of 2024-W01, version 1" in shown.stdout
    assert page.read_bytes().startswith(b"<!doctype html>")
    document = reported.json("report", "show", "daily", "2024-01-02")
    assert document["metrics"]["conversations"] == 2

    # Late data is taken up by the next backfill, and the versions count up.
    reported.export(days=3, conversations_a_day=3)
    reported.json("backfill", "--from", "2024-01-02", "--to", "2024-01-02")
    assert reported.json("report", "show", "daily", "2024-01-02")["report_version"] == 2
    assert reported.json("report", "show", "weekly", "2024-W01")["metrics"]["conversations"] == 7


def test_reports_can_be_left_out_and_made_alone(reported: CommandLine) -> None:
    assert reported.json("backfill", "--no-reports")["reports"] == []
    missing = reported("report", "show", "daily", "2024-01-02")
    assert missing.exit_code == 1
    assert "there is no daily report of 2024-01-02. Make it with: " in missing.stderr

    outcome = reported.json("backfill", "--select", "user_analytics,daily_report")

    assert [one["job"] for one in outcome["reports"]] == ["daily_reports"]
    assert "assets" not in outcome
    assert reported.json("report", "show", "daily", "2024-01-02")["metrics"]["messages"] == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list", "yearly"), "there is no grain 'yearly': it is one of daily, weekly, monthly"),
        (("show", "hourly", "2024-01-01"), "there is no grain 'hourly'"),
        (("show", "daily", "2024-W01"), "'2024-W01' is not a daily period"),
        (("show", "weekly", "2024-W54"), "'2024-W54' is not a weekly period"),
    ],
)
def test_what_is_no_period_is_said_to_be_none(
    ca: CommandLine, arguments: tuple[str, ...], words: str
) -> None:
    result = ca("report", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_reports_of_days_that_are_not_done_are_left_out(
    reported: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "conversation_analytics.storage.lake.Lake.commit_day",
        lambda *_: (_ for _ in ()).throw(OSError("the disk is full")),
    )
    result = reported("backfill")
    assert result.exit_code != 0
    assert "the daily reports were left out" in result.stderr

"""Alerts on the command line: rules are tried out, and what fires is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conversation_analytics.storage.store import LocalStore
from conversation_analytics_tests.cli.conftest import CommandLine
from conversation_analytics_tests.reports.alerts.told_lake import BUSY, QUIET, ToldLake

RULE = "alerts: [{name: busy, grain: daily, kind: above, metric: conversations, threshold: 100}]"


@pytest.fixture
def days(ca: CommandLine) -> Callable[..., None]:
    """Writes reports of days into the lake of a command line that has one rule."""
    (ca.folder / "alerts.yaml").write_text(RULE)
    ca.set(ALERTS_FILE="alerts.yaml")
    return ToldLake(store=LocalStore(ca.folder / "data" / "lake")).reports


def test_what_fires_is_told_once_and_fails_as_long_as_it_fires(
    ca: CommandLine, days: Callable[..., None]
) -> None:
    days(QUIET, BUSY)

    first, second = (ca("alerts", "check") for _ in range(2))

    assert (first.exit_code, second.exit_code) == (1, 1)
    assert "Conversations: 150, above 100, on Saturday, 2 March 2024." in first.stdout
    assert "told: Conversations: 150" in first.stderr
    assert "told: " not in second.stderr
    days(QUIET, BUSY, QUIET)
    assert ca("alerts", "check").exit_code == 0


def test_a_dry_run_of_one_period_tells_nobody(ca: CommandLine, days: Callable[..., None]) -> None:
    days(BUSY, QUIET)
    asked = ["alerts", "check", "--grain", "daily", "--period", "2024-03-01", "--dry-run"]

    (found,) = ca.json(*asked, exit_code=1)

    assert found["periods"] == ["2024-03-01"]
    assert [one["rule"] for one in found["alerts"]] == ["busy"]
    assert "would be told: Conversations" in ca(*asked).stderr
    assert not (ca.folder / "data/lake/_alerts").exists()


def test_without_reports_that_are_over_it_says_so(
    ca: CommandLine, days: Callable[..., None]
) -> None:
    days()
    result = ca("alerts", "check")
    assert result.exit_code == 0, result.output
    assert "there is no daily report of a period that is over" in result.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--grain", "hourly"], "--grain is 'hourly': it is one of daily, weekly, monthly"),
        (["--period", "2024-03-01"], "--period needs --grain"),
        (["--grain", "weekly", "--period", "2024-03-01"], "is not a weekly period"),
    ],
)
def test_what_is_no_period_is_refused(
    ca: CommandLine, days: Callable[..., None], options: list[str], told: str
) -> None:
    result = ca("alerts", "check", *options)
    assert result.exit_code == 2
    assert told in result.stderr


def test_rules_are_shown_if_they_are_right(ca: CommandLine, days: Callable[..., None]) -> None:
    result = ca("alerts", "test")
    assert result.exit_code == 0, result.output
    assert "alerts.yaml has no mistakes" in result.stdout
    assert [one["threshold"] for one in ca.json("alerts", "test")] == [100.0]


def test_mistakes_in_the_rules_are_told_with_their_line(ca: CommandLine) -> None:
    (ca.folder / "alerts.yaml").write_text("alerts:\n  - name: busy\n    kind: abov\n")
    ca.set(ALERTS_FILE="alerts.yaml")
    for command in ("test", "check"):
        result = ca("alerts", command)
        assert result.exit_code == 2
        assert "alerts.yaml: line 3: rule 'busy': kind is 'abov'" in result.stderr


def test_without_a_file_of_rules_its_setting_is_named(ca: CommandLine) -> None:
    result = ca("alerts", "test")
    assert result.exit_code == 2
    assert "ALERTS_FILE is not set" in result.stderr

"""Alerts in Dagster: a check that runs after the reports, warns, and blocks nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from conversation_analytics.build import build_defs
from conversation_analytics.settings import load_settings
from conversation_analytics_tests.dagster.runs import DAGSTER_WARNS
from conversation_analytics_tests.reports.reported_lake import MONDAY, ReportedLake, talk
from conversation_analytics_tests.services.webhook import Hook, hook

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)

RULE = "alerts: [{name: busy, grain: daily, kind: above, metric: conversations, threshold: 0}]"


@pytest.fixture
def lake(tmp_path: Path) -> ReportedLake:
    made = ReportedLake(tmp_path)
    made.add(talk("c1", "2024-01-01T10:00:00"))
    made.run(MONDAY)
    return made


def run_reports(lake: ReportedLake, rules: str, url: str | None = None) -> dg.AssetCheckEvaluation:
    """Run the job of daily reports; tells what the check found."""
    folder = lake.source_dir.parent
    file = folder / "alerts.yaml"
    file.write_text(rules)
    settings: dict[str, Any] = {"alerts_file": file, "alert_webhook_url": url}
    used = lake.settings.model_dump(include={"source_dir", "parquet_base_dir"})
    defs = build_defs(load_settings(None, source="files", **used, **settings))
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.resolve_job_def("daily_reports")
        result = job.execute_in_process(
            instance=instance, partition_key="2024-01-01", raise_on_error=False
        )
        assert result.success
        assert lake.read(MONDAY)["metrics"]["conversations"] == 1
        (found,) = (
            one for one in result.get_asset_check_evaluations() if one.check_name == "no_alerts"
        )
    return found


def test_what_fires_is_posted_once_and_warns(lake: ReportedLake) -> None:
    server: Hook
    with hook(200) as server:
        found, again = (run_reports(lake, RULE, server.url) for _ in range(2))

    assert [one["rule"] for one in server.posted] == ["busy"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.description == "Conversations: 1, above 0, on Monday, 1 January 2024."
    assert found.metadata["raised"].value == [found.description]
    assert again.metadata["raised"].value == []
    assert not again.passed


def test_a_webhook_that_fails_does_not_fail_the_run(lake: ReportedLake) -> None:
    with hook(404) as server:
        found = run_reports(lake, RULE, server.url)
    assert found.metadata["waiting"].value == [found.description]


def test_mistakes_in_the_rules_fail_the_check_and_not_the_reports(lake: ReportedLake) -> None:
    found = run_reports(lake, "alerts: [{name: busy}]")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "line 1: rule 'busy': kind is missing" in (found.description or "")


def test_without_rules_there_is_no_check() -> None:
    defs = build_defs(load_settings(None))
    names = {key.name for key in defs.resolve_asset_graph().asset_check_keys}
    assert "no_alerts" not in names

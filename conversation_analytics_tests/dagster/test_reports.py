"""Reports in Dagster: a run a grain, a partition a period, and what it shows of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from conversation_analytics.build import build_defs
from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.periods import Grain
from conversation_analytics.reports import user_states
from conversation_analytics.settings import Settings, load_settings
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT
from conversation_analytics.storage.mongo import connect
from conversation_analytics.storage.mongo_client import MongoDatabase
from conversation_analytics_tests.dagster.runs import DAGSTER_WARNS, RANGE_END, RANGE_START
from conversation_analytics_tests.reports.reported_lake import (
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    ReportedLake,
    talk,
)

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back what the definitions put into the environment."""
    monkeypatch.setenv("MONGODB_URI", "mongodb://nowhere")
    monkeypatch.delenv("MONGODB_URI")


@pytest.fixture
def lake(tmp_path: Path) -> ReportedLake:
    made = ReportedLake(tmp_path)
    made.add(
        talk("c1", "2024-01-01T23:59:50", user="u1", answered="2024-01-02T00:00:10"),
        talk("c2", "2024-01-02T10:00:00", user="u2"),
    )
    made.run(MONDAY, TUESDAY)
    return made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def settings_of(lake: ReportedLake, **more: Any) -> Settings:
    used = lake.settings.model_dump(include={"source_dir", "parquet_base_dir"})
    return load_settings(None, source="files", min_users_per_cell=1, **used, **more)


def run(
    lake: ReportedLake,
    instance: dg.DagsterInstance,
    grain: Grain,
    first: str,
    last: str | None = None,
    **more: Any,
) -> dg.ExecuteInProcessResult:
    """Run the job of a grain for the periods that begin on these days."""
    job = build_defs(settings_of(lake, **more)).resolve_job_def(f"{grain}_reports")
    return job.execute_in_process(
        instance=instance,
        tags={RANGE_START: first, RANGE_END: last or first},
        raise_on_error=False,
    )


def partitions(instance: dg.DagsterInstance, asset: str) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))


def metadata_of(instance: dg.DagsterInstance, asset: str, partition: str) -> dict[str, Any]:
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition]), limit=1
    ).records
    found = records[0].asset_materialization
    assert found is not None
    return {name: value.value for name, value in found.metadata.items()}


def test_one_run_makes_users_and_the_reports_of_a_range_of_days(
    lake: ReportedLake, instance: dg.DagsterInstance
) -> None:
    assert run(lake, instance, "daily", "2024-01-01", "2024-01-02").success

    for asset in ("daily_report", "model_performance"):
        assert partitions(instance, asset) == {"2024-01-01", "2024-01-02"}
    users = instance.get_latest_materialization_event(dg.AssetKey("user_analytics"))
    assert users is not None
    assert users.asset_materialization is not None
    assert users.asset_materialization.metadata["dagster/row_count"].value == 2
    models = lake.table("daily_report", "model_performance", TUESDAY).to_pylist()
    assert [(one["model"], one["assistant_messages"]) for one in models] == [("m", 2.0)]


def test_a_report_shows_its_summary_a_plot_and_where_its_page_is(
    lake: ReportedLake, instance: dg.DagsterInstance
) -> None:
    assert run(lake, instance, "daily", "2024-01-02").success

    shown = metadata_of(instance, "daily_report", "2024-01-02")
    assert shown["report_version"] == 1
    assert "1 conversation started" in shown["summary"]
    assert shown["plot"].startswith("![Report of 2024-01-02](data:image/svg+xml;base64,")
    assert any(one.endswith("daily/2024-01-02/report.html") for one in shown["documents"])


def test_a_period_that_lacks_days_warns_and_says_which(
    lake: ReportedLake, instance: dg.DagsterInstance
) -> None:
    assert run(lake, instance, "daily", "2024-01-01").success
    result = run(lake, instance, "weekly", "2024-01-01")

    assert result.success
    assert partitions(instance, "weekly_report") == {"2024-01-01"}
    found = [
        one
        for one in result.get_asset_check_evaluations()
        if one.check_name == "complete" and one.partition
    ]
    assert [(one.partition, one.passed, one.severity) for one in found] == [
        ("2024-01-01", False, dg.AssetCheckSeverity.WARN)
    ]
    assert "5 day(s) not in the lake: 2024-01-03" in found[0].metadata["problems"].value


def test_a_run_restates_what_late_data_changed_and_shows_what(
    lake: ReportedLake, instance: dg.DagsterInstance
) -> None:
    assert run(lake, instance, "daily", "2024-01-01", "2024-01-02").success
    lake.add(talk("c3", "2024-01-01T12:00:00", user="u3"))
    lake.run(MONDAY, WEDNESDAY)

    assert run(lake, instance, "daily", "2024-01-03").success

    assert partitions(instance, "daily_report") == {"2024-01-01", "2024-01-02", "2024-01-03"}
    shown = metadata_of(instance, "daily_report", "2024-01-01")
    assert shown["report_version"] == 2
    assert "| conversations | 1" in shown["restated"]


def test_a_damaged_manifest_fails_the_run_and_says_what_to_do(
    lake: ReportedLake, instance: dg.DagsterInstance
) -> None:
    key = lake.lake.layout.manifest(CONVERSATIONS_UNIT, MONDAY)
    (lake.settings.parquet_base_dir / key).write_text("{")

    result = run(lake, instance, "daily", "2024-01-01")

    assert not result.success
    errors = [one.step_failure_data.error for one in result.all_events if one.is_step_failure]
    assert any("is damaged: delete it and materialise" in str(error) for error in errors)


@pytest.fixture
def database(mongo_uri: str, mongo_database: str) -> Iterator[MongoDatabase]:
    opened = connect(mongo_uri, database=mongo_database)
    yield opened
    opened.client.drop_database(mongo_database)
    opened.client.close()


def test_mongodb_has_every_report_and_every_user(
    lake: ReportedLake,
    instance: dg.DagsterInstance,
    mongo_uri: str,
    database: MongoDatabase,
) -> None:
    mongo = {"mongodb_uri": mongo_uri, "mongodb_database": database.name}
    assert run(lake, instance, "daily", "2024-01-01", "2024-01-02", **mongo).success
    assert run(lake, instance, "monthly", "2024-01-01", **mongo).success

    reports = {one["_id"]: one for one in database["analytics_reports"].find()}
    assert reports.keys() == {"daily|2024-01-01", "daily|2024-01-02", "monthly|2024-01"}
    tuesday = reports["daily|2024-01-02"]
    assert tuesday["metrics"] == lake.read(TUESDAY)["metrics"]
    assert (tuesday["partition"], tuesday["report_version"]) == ("2024-01-02", 1)
    users = {one["_id"]: one for one in database["user_analytics"].find()}
    assert users.keys() == {"u1", "u2"}
    assert users["u1"]["first_active_day"] == "2024-01-01"

    lake.add(talk("c3", "2024-01-01T12:00:00", user="u3"))
    lake.run(MONDAY)
    assert run(lake, instance, "daily", "2024-01-02", **mongo).success
    assert (
        database["analytics_reports"].find_one({"_id": "daily|2024-01-01"}, {"_id": 0})[  # type: ignore[index]
            "metrics"
        ]["conversations"]
        == 2
    )
    assert database["user_analytics"].count_documents({}) == 3


def test_users_are_summed_up_again_by_itself_where_the_store_was_away(
    lake: ReportedLake, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tries = user_states.user_days, []

    def away_at_first(**tables: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise StoreUnavailable("the store is away")
        return real(**tables)

    monkeypatch.setattr(user_states, "user_days", away_at_first)

    assert run(lake, instance, "daily", "2024-01-01", retry_delay=0, max_retries=1).success
    assert len(tries) == 3  # Monday twice, and Tuesday

"""What Dagster is told: the assets, their graph and checks, quickly and without any I/O."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import (
    RepositorySnap,
    ResourceConfigEnvVarSnap,
)
from pydantic import SecretStr

from conversation_analytics.build import build_defs
from conversation_analytics.jobs import REPORT_JOBS
from conversation_analytics.periods import GRAINS, Grain
from conversation_analytics.settings import Settings, load_settings

SECRET = "sesame-open-9"

# asset → (group, upstream assets, kinds)
LAKE = {
    "raw_conversations": ("raw", set(), {"parquet", "arrow"}),
    "raw_messages": ("raw", set(), {"parquet", "arrow"}),
    "quarantine": ("raw", set(), {"parquet", "arrow"}),
    "messages": ("conversations", {"raw_conversations", "raw_messages"}, {"parquet", "arrow"}),
    "conversations": ("conversations", {"raw_conversations", "messages"}, {"parquet", "arrow"}),
    "categories": ("categories", {"conversations", "messages", "taxonomy"}, {"parquet", "arrow"}),
    "category_summaries": (
        "categories",
        {"conversations", "messages", "taxonomy"},
        {"parquet", "arrow"},
    ),
    "translations": (
        "translations",
        {"conversations", "messages", "categories"},
        {"parquet", "arrow"},
    ),
    "message_activity": (
        "conversations",
        {"raw_conversations", "raw_messages"},
        {"parquet", "arrow"},
    ),
}
STATES = {"conversations", "message_activity", "category_summaries"}
REPORTS = {
    name: ("reports", STATES | {"user_analytics"}, {"parquet", "duckdb"})
    for name in ("daily_report", "model_performance", "weekly_report", "monthly_report")
}
WITHOUT_DAYS = {
    "taxonomy": ("categories", set(), {"yaml"}),
    "discovered_topics": ("categories", {"categories"}, {"scikitlearn"}),
    "user_analytics": ("reports", STATES, {"parquet", "duckdb"}),
}
MONGO_WITHOUT_DAYS = {
    "mongo_analytics_reports": (
        "operational",
        {"daily_report", "weekly_report", "monthly_report"},
        {"mongodb"},
    ),
    "mongo_user_analytics": ("operational", {"user_analytics"}, {"mongodb"}),
}
MONGO = {
    "mongo_conversation_analytics": (
        "operational",
        {"conversations", "category_summaries"},
        {"mongodb"},
    ),
    "mongo_conversation_categories": ("operational", {"categories"}, {"mongodb"}),
    "mongo_conversation_messages": ("operational", {"messages"}, {"mongodb"}),
    "mongo_conversation_translations": ("operational", {"translations"}, {"mongodb"}),
}
CHECKS = {
    ("raw_conversations", "valid"),
    ("raw_conversations", "agrees_with_source"),
    ("raw_messages", "valid"),
    ("quarantine", "valid"),
    ("messages", "valid"),
    ("conversations", "valid"),
    ("categories", "valid"),
    ("category_summaries", "valid"),
    ("translations", "valid"),
    ("message_activity", "valid"),
    ("model_performance", "valid"),
    *((f"{grain}_report", name) for grain in GRAINS for name in ("valid", "complete")),
}
# Prints the processor's seconds that loading the code location takes, and what it touches outside.
NO_IO = """
import json, sys, time
touched = []
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        touched.append(event)
    elif event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        touched.append(f"write {args[0]}")
    elif event in ("os.mkdir", "os.rename", "os.remove"):
        touched.append(f"{event} {args[0]}")
sys.dont_write_bytecode = True
sys.addaudithook(hook)
begun = time.process_time()
from conversation_analytics.definitions import defs
names = [job.name for job in defs.resolve_all_job_defs()]
print(json.dumps({
    "seconds": time.process_time() - begun,
    "touched": touched,
    "jobs": names,
    "loaded": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""


def everything() -> Settings:
    """Settings that turn every part on."""
    return load_settings(
        None,
        nocodb_base_url="http://nocodb.invalid",
        nocodb_api_token=SECRET,
        nocodb_project_id="p",
        mongodb_uri=f"mongodb://user:{SECRET}@mongo.invalid/",
        dify_base_url="http://dify.invalid/v1",
        dify_api_key=SECRET,
        s3_enabled=True,
        s3_bucket="bucket",
        aws_access_key_id="key",
        aws_secret_access_key=SECRET,
    )


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back what the definitions put into the environment."""
    for name in ("NOCODB_API_TOKEN", "MONGODB_URI", "DIFY_API_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, SECRET)
        monkeypatch.delenv(name)


def load_in_a_fresh_process(folder: Path) -> dict[str, Any]:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", NO_IO],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == []
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_code_location_loads_in_less_than_three_seconds_without_any_io(tmp_path: Path) -> None:
    answer = load_in_a_fresh_process(tmp_path)

    assert answer["touched"] == []
    assert "daily" in answer["jobs"]
    assert answer["seconds"] < 3


def test_what_the_settings_do_not_ask_for_is_not_imported(tmp_path: Path) -> None:
    loaded = load_in_a_fresh_process(tmp_path)["loaded"]

    assert not {"dagster_aws", "pymongo", "pandas", "boto3", "httpx_sse"} & set(loaded)


@pytest.mark.parametrize("with_mongo", [False, True])
def test_the_asset_graph(with_mongo: bool) -> None:
    settings = everything() if with_mongo else load_settings(None)
    graph = build_defs(settings).resolve_asset_graph()

    shown = {
        key.to_user_string(): (
            graph.get(key).group_name,
            {parent.to_user_string() for parent in graph.get(key).parent_keys},
            graph.get(key).kinds,
        )
        for key in graph.get_all_asset_keys()
    }
    without = WITHOUT_DAYS | (MONGO_WITHOUT_DAYS if with_mongo else {})
    assert shown == without | LAKE | REPORTS | (MONGO if with_mongo else {})
    for key in graph.get_all_asset_keys():
        asset = graph.get(key)
        assert asset.description
        assert asset.owners == ["team:analytics"]
        if key.to_user_string() in without:
            assert asset.partitions_def is None
            continue
        assert asset.metadata["dagster/column_schema"].columns
        assert isinstance(asset.partitions_def, dg.TimeWindowPartitionsDefinition)
        if key.to_user_string() not in REPORTS:
            assert isinstance(asset.partitions_def, dg.DailyPartitionsDefinition)
        assert asset.backfill_policy == dg.BackfillPolicy.single_run()


def test_every_lake_table_has_its_blocking_checks() -> None:
    graph = build_defs(load_settings(None)).resolve_asset_graph()

    checks = graph.asset_check_keys
    assert {(key.asset_key.to_user_string(), key.name) for key in checks} == CHECKS


def test_one_job_makes_everything_that_is_made_by_the_day() -> None:
    defs = build_defs(everything())

    job = defs.resolve_job_def("daily")
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == (
        LAKE.keys() | MONGO.keys()
    )
    assert job.executor_def.name == "in_process"


@pytest.mark.parametrize(
    ("grain", "made", "keys"),
    [
        (
            "daily",
            {"user_analytics", "daily_report", "model_performance", "mongo_user_analytics"},
            ["2024-01-01", "2024-01-02"],
        ),
        ("weekly", {"weekly_report"}, ["2024-01-01", "2024-01-08"]),
        ("monthly", {"monthly_report"}, ["2024-01-01", "2024-02-01"]),
    ],
)
def test_the_reports_of_each_grain_have_a_job_and_partitions_from_the_first_day_on(
    grain: Grain, made: set[str], keys: list[str]
) -> None:
    job = build_defs(everything()).resolve_job_def(REPORT_JOBS[grain])

    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == (
        made | {"mongo_analytics_reports"}
    )
    assert job.partitions_def is not None
    assert job.partitions_def.get_partition_keys()[:2] == keys


@pytest.mark.parametrize(
    ("grain", "night", "partition"),
    [
        ("daily", "2024-01-08T04:10", "2024-01-07"),
        ("weekly", "2024-01-08T04:20", "2024-01-01"),
        ("weekly", "2024-01-09T04:20", "2024-01-08"),
        ("monthly", "2024-03-01T04:30", "2024-02-01"),
        ("daily", "2024-01-01T04:10", None),  # before the first day there is nothing
    ],
)
def test_every_night_the_report_is_made_that_yesterday_belongs_to(
    grain: Grain, night: str, partition: str | None
) -> None:
    defs = build_defs(load_settings(None, analytics_timezone="Asia/Bangkok"))
    schedule = defs.resolve_schedule_def(f"{grain}_reports_schedule")
    moment = datetime.fromisoformat(night).replace(tzinfo=ZoneInfo("Asia/Bangkok"))
    repository = defs.get_repository_def()
    context = dg.build_schedule_context(scheduled_execution_time=moment, repository_def=repository)

    requests = schedule.evaluate_tick(context).run_requests or []

    assert schedule.execution_timezone == "Asia/Bangkok"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert [one.partition_key for one in requests] == ([partition] if partition else [])


def test_topics_are_discovered_every_week_by_the_clock_of_the_settings() -> None:
    defs = build_defs(load_settings(None, analytics_timezone="Asia/Bangkok"))

    schedule = defs.resolve_schedule_def("topics_schedule")

    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 4 * * 1", "Asia/Bangkok")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    made = defs.resolve_job_def(schedule.job_name).asset_layer.executable_asset_keys
    assert {key.to_user_string() for key in made} == {"discovered_topics"}


def test_resources_are_those_the_settings_need() -> None:
    plain = {"lake", "lake_io_manager", "source"}

    assert set(build_defs(load_settings(None)).resources) == plain
    assert set(build_defs(everything()).resources) == plain | {
        "nocodb",
        "s3",
        "mongo",
        "mongo_io_manager",
        "dify",
    }


def test_a_resource_can_be_swapped() -> None:
    swapped = object()

    defs = build_defs(load_settings(None), resource_overrides={"source": swapped})

    assert defs.resources["source"] is swapped


# Dagster calls what it has deprecated itself.
@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`")
def test_no_secret_is_shown_with_the_resources() -> None:
    defs = build_defs(everything())

    snapshot = RepositorySnap.from_def(defs.get_repository_def())

    shown = {one.name: one.configured_values for one in snapshot.resources or []}
    assert {"nocodb", "mongo", "s3", "dify"} <= shown.keys()
    assert SECRET not in repr(snapshot)
    assert SECRET not in dg.serialize_value(snapshot)
    assert shown["mongo"]["uri"] == ResourceConfigEnvVarSnap(name="MONGODB_URI")
    assert os.environ["MONGODB_URI"] == f"mongodb://user:{SECRET}@mongo.invalid/"
    assert defs.resources["nocodb"].process_config_and_initialize().api_token == SECRET


def test_two_lakes_with_different_secrets_keep_them_apart() -> None:
    settings = everything()
    first = build_defs(settings).resources["nocodb"]
    other = settings.model_copy(update={"nocodb_api_token": SecretStr("another")})
    second = build_defs(other).resources["nocodb"]

    assert first.process_config_and_initialize().api_token == SECRET
    assert second.process_config_and_initialize().api_token == "another"


def test_the_days_are_those_of_the_settings() -> None:
    settings = load_settings(
        None, partitions_start_date="2024-04-01", analytics_timezone="Asia/Bangkok"
    )

    graph = build_defs(settings).resolve_asset_graph()

    partitions = graph.get(dg.AssetKey("messages")).partitions_def
    assert isinstance(partitions, dg.DailyPartitionsDefinition)
    assert partitions.get_first_partition_key() == "2024-04-01"
    assert partitions.timezone == "Asia/Bangkok"

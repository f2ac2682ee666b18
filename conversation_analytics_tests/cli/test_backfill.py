from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from conversation_analytics.cli import progress, runs
from conversation_analytics.storage.store import LocalStore
from conversation_analytics_tests.cli.conftest import CommandLine
from conversation_analytics_tests.services.mongo_server import Mongod

# Dagster uses its own deprecated attribute when it starts resources that need others.
pytestmark = pytest.mark.filterwarnings(
    "ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"
)

ASSETS = ("raw_conversations", "raw_messages", "quarantine", "messages", "conversations")


def test_without_a_range_it_refreshes_the_days_that_have_data(ca: CommandLine) -> None:
    ca.export(days=3)
    outcome = ca.json("backfill")
    assert (outcome["from"], outcome["to"]) == ("2024-01-01", "2024-01-03")
    figures = {one["asset"]: (one["days"], one["rows"]) for one in outcome["assets"]}
    assert figures == {
        "raw_conversations": (3, 6),
        "raw_messages": (3, 12),
        "quarantine": (3, 0),
        "messages": (3, 12),
        "message_activity": (3, 12),
        "conversations": (3, 6),
        # A label a task for each message and conversation that has one of that task.
        "categories": (3, 12 + 6 + 12 + 6 + 6 + 6 + 6),
        "category_summaries": (3, 6),
        # Nothing is translated without Dify.
        "translations": (3, 0),
    }
    assert outcome["success"]
    assert outcome["resumed"] is None
    assert outcome["failed_days"] == {}


def test_dagster_shows_the_run_and_its_days_and_can_repeat_it(ca: CommandLine) -> None:
    ca.export(days=3)
    run_id = ca.json("backfill")["run_id"]
    with ca.instance() as instance:
        (run,) = instance.get_runs()
    assert (run.run_id, run.job_name, run.status) == (run_id, "daily", dg.DagsterRunStatus.SUCCESS)
    assert run.tags[runs.RANGE_START_TAG] == "2024-01-01"
    assert run.tags[runs.RANGE_END_TAG] == "2024-01-03"
    # what the UI looks the job up by
    selector = run.remote_job_origin.repository_origin.get_selector()
    assert selector.location_name == "conversation_analytics.definitions"
    assert selector.repository_name == "__repository__"
    for asset in ASSETS:
        assert ca.materialized(asset) == {"2024-01-01", "2024-01-02", "2024-01-03"}


def test_a_given_range_is_inclusive_and_may_be_empty(ca: CommandLine) -> None:
    ca.export(days=3)
    outcome = ca.json("backfill", "--from", "2024-01-02", "--to", "2024-01-05")
    assert {one["asset"]: one["days"] for one in outcome["assets"]}["conversations"] == 4
    assert ca.materialized("conversations") == {f"2024-01-0{day}" for day in (2, 3, 4, 5)}


def test_an_unknown_messages_day_is_within_the_default_range(ca: CommandLine) -> None:
    ca.export(days=2)
    source = ca.folder / "data" / "source" / "messages.jsonl"
    with source.open("a") as file:
        file.write(
            '{"id": "m", "conversation_id": "gone", "role": "user", "content": "x", '
            '"created_at": "2024-01-09T00:00:00Z"}\n'
        )
    outcome = ca.json("backfill")
    assert outcome["to"] == "2024-01-09"
    assert outcome["quarantined"] == {"orphan_message": 1}


def test_selected_assets_only_and_what_is_made_together_with_them(ca: CommandLine) -> None:
    ca.export(days=1)
    outcome = ca.json("backfill", "--select", "raw_messages")
    assert {one["asset"] for one in outcome["assets"]} == set(ASSETS[:3])
    assert ca.json("backfill", "--select", "messages+")["success"]
    assert ca.materialized("conversations") == {"2024-01-01"}


def test_a_failed_day_is_named_and_the_same_command_goes_on(
    ca: CommandLine, failing_day: Callable[[str | None], None]
) -> None:
    ca.export(days=4)
    failing_day("2024-01-03")
    failed = ca("backfill")
    assert failed.exit_code == 1
    assert "2024-01-03" in failed.stdout
    assert "the moon is full" in failed.stdout
    assert "give the same command again" in failed.stderr
    assert "Traceback" not in failed.output
    assert ca.materialized("messages") == {"2024-01-01", "2024-01-02", "2024-01-04"}
    with ca.instance() as instance:
        (first,) = instance.get_runs()

    failing_day(None)
    outcome = ca.json("backfill")
    assert outcome["resumed"] == first.run_id
    kept = {one["asset"]: one["kept"] for one in outcome["assets"]}
    assert kept == {
        "raw_conversations": 4,
        "raw_messages": 4,
        "quarantine": 4,
        "messages": 3,
        "message_activity": 3,
        "conversations": 0,
        "categories": 0,
        "category_summaries": 0,
        "translations": 0,
    }
    assert len(ca.materialized("conversations")) == 4

    afresh = ca.json("backfill")
    assert afresh["resumed"] is None
    assert {one["kept"] for one in afresh["assets"]} == {0}


def test_another_range_or_selection_does_not_go_on_with_a_failed_run(
    ca: CommandLine, failing_day: Callable[[str | None], None]
) -> None:
    ca.export(days=3)
    failing_day("2024-01-02")
    ca.json("backfill", exit_code=1)
    failing_day(None)
    assert ca.json("backfill", "--to", "2024-01-02")["resumed"] is None
    assert ca.json("backfill", "--select", "messages")["resumed"] is None


def test_a_killed_backfill_is_gone_on_with(ca: CommandLine) -> None:
    ca.export(days=25, conversations_a_day=9)
    command = Path(sys.executable).with_name("conversation-analytics")
    raw = ca.folder / "data" / "lake" / "raw" / "conversations"
    with (ca.folder / "killed.log").open("w") as log:
        process = subprocess.Popen([command, "backfill"], stdout=log, stderr=log, env=os.environ)
        try:
            deadline = time.monotonic() + 60
            while len(list(raw.rglob("_manifest.json"))) < 4:  # of the last the index may miss
                assert process.poll() is None, (ca.folder / "killed.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    outcome = ca.json("backfill")
    assert outcome["success"]
    assert outcome["resumed"]
    assert {one["asset"]: one["kept"] for one in outcome["assets"]}["raw_messages"] >= 3
    with ca.instance() as instance:
        killed = instance.get_run_by_id(outcome["resumed"])
    assert killed is not None
    assert killed.status == dg.DagsterRunStatus.FAILURE


def test_a_run_still_at_work_is_not_disturbed(
    ca: CommandLine, failing_day: Callable[[str | None], None]
) -> None:
    ca.export(days=1)
    failing_day("2024-01-01")
    run_id = ca.json("backfill", exit_code=1)["run_id"]
    ca.monkeypatch.setattr(runs, "_UNFINISHED", [dg.DagsterRunStatus.FAILURE])
    ca.monkeypatch.setattr(runs, "_is_at_work", lambda _: True)
    result = ca("backfill")
    assert result.exit_code == 2
    assert run_id in result.stderr
    assert "wait until it is done" in result.stderr


def test_days_that_dagster_never_heard_of_are_reported_to_it(ca: CommandLine) -> None:
    ca.export(days=3)
    ca.json("backfill")
    with ca.instance() as instance:
        instance.wipe_assets([dg.AssetKey("messages")])
    outcome = ca.json("backfill", "--to", "2024-01-01", "--select", "conversations")
    assert outcome["reported_to_dagster"] == 3
    assert len(ca.materialized("messages")) == 3


def test_a_lake_of_other_settings_is_refused_until_rebuilt(ca: CommandLine) -> None:
    ca.export(days=2)
    ca.json("backfill")
    ca.set(ANALYTICS_TIMEZONE="Asia/Bangkok", PARQUET_PARTITION_BY="date")
    refused = ca("backfill")
    assert refused.exit_code == 2
    assert "Asia/Bangkok" in refused.stderr
    assert "--rebuild" in refused.stderr

    keep = ca.folder / "data" / "lake" / "conversations" / "notes.txt"
    keep.write_text("not ours")
    declined = ca("backfill", "--rebuild", stdin="n\n")
    assert declined.exit_code == 1
    assert (ca.folder / "data/lake/conversations/year=2024").exists()

    assert ca("backfill", "--rebuild", "--yes").exit_code == 0
    keys = LocalStore(ca.folder / "data" / "lake").list("")
    assert not [key for key in keys if "year=" in key]
    assert "conversations/date=2024-01-01/conversations.parquet" in keys
    assert keep.read_text() == "not ours"


def test_a_rebuild_needs_a_readable_source_before_it_deletes(ca: CommandLine) -> None:
    ca.export(days=1)
    ca.json("backfill")
    (ca.folder / "data" / "source" / "messages.jsonl").unlink()
    assert ca("backfill", "--rebuild", "--yes").exit_code == 2
    assert (ca.folder / "data/lake/_lake.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "yesterday"], "--from is 'yesterday'"),
        (["--from", "2023-12-31"], "PARTITIONS_START_DATE"),
        (["--to", "2999-01-01"], "today"),
        (["--from", "2024-01-03", "--to", "2024-01-02"], "is after"),
        (["--select", "nothing_of_ours"], "selects no asset"),
        (["--select", "messages,,"], "selects no asset"),
        (["--nonsense"], "No such option"),
    ],
)
def test_wrong_usage_is_one_clear_line(ca: CommandLine, arguments: list[str], words: str) -> None:
    ca.export(days=1)
    result = ca("backfill", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_a_source_that_is_not_there_or_empty_is_one_clear_line(ca: CommandLine) -> None:
    missing = ca("backfill")
    assert missing.exit_code == 2
    assert "SOURCE_DIR" in missing.stderr
    assert len(missing.stderr.splitlines()) == 1
    header = {"id": "c", "created_at": "2019-01-01T00:00:00Z"}
    message = {"id": "m", "conversation_id": "c", "role": "user", "content": "x"}
    ca.write([header], [{**message, "created_at": "2019-01-01T00:00:00Z"}])
    empty = ca("backfill")
    assert empty.exit_code == 2
    assert "no day with data" in empty.stderr


def test_an_error_while_reading_is_one_line_and_says_what_to_do(ca: CommandLine) -> None:
    ca.export(days=1)
    ca.json("backfill")
    source = ca.folder / "data" / "source" / "messages.jsonl"
    source.rename(source.with_suffix(".jsonl.gz"))  # no gzip file at all
    result = ca("backfill", "--from", "2024-01-01", "--to", "2024-01-01")
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr
    assert "Traceback" not in result.output


def test_debug_shows_the_traceback(ca: CommandLine) -> None:
    result = ca("--debug", "backfill")
    assert type(result.exception).__name__ == "SourceUnavailable"


@pytest.mark.services
def test_mongo_is_filled_rebuilt_and_checked_beforehand(
    ca: CommandLine, mongod: Mongod, mongo_database: str
) -> None:
    ca.export(days=2)
    ca.set(MONGODB_URI=mongod.uri, MONGODB_DATABASE=mongo_database)
    outcome = ca.json("backfill")
    assert {one["asset"]: one["rows"] for one in outcome["assets"]}[
        "mongo_conversation_messages"
    ] == 8
    assert {day["mongo"] for day in ca.json("status")["days"]} == {"current"}

    ca.json("backfill", "--select", "raw_messages,messages,conversations")
    ca.set(ANALYTICS_TIMEZONE="Asia/Tokyo")
    assert ca.json("backfill", "--rebuild", "--yes")["success"]
    assert {day["mongo"] for day in ca.json("status")["days"]} == {"current"}

    ca.set(MONGODB_URI="mongodb://someone:hidden-word@127.0.0.1:9/?serverSelectionTimeoutMS=200")
    down = ca("backfill")
    assert down.exit_code == 2
    assert "MongoDB cannot be reached" in down.stderr
    assert "hidden-word" not in down.output


def test_a_terminal_sees_a_bar_for_each_asset(ca: CommandLine) -> None:
    ca.export(days=2)
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    ca.monkeypatch.setattr(progress, "errors", terminal)
    assert ca.json("backfill")["success"]
    screen = terminal.file.getvalue()
    assert all(asset in screen for asset in ASSETS)
    assert "2/2" in screen

"""What becomes of runs afterwards: people hear of those that failed, and old ones are forgotten."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from conversation_analytics.errors import SourceAccessDenied
from conversation_analytics.retention import forget_runs
from conversation_analytics_tests.dagster.following import Following, fail_on, following
from conversation_analytics_tests.dagster.runs import DAGSTER_WARNS, LAKE_ASSETS
from conversation_analytics_tests.services.webhook import SECRET, Hook, hook

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)

LATER = timedelta(days=1)


@pytest.fixture
def webhook() -> Iterator[Hook]:
    with hook(200) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, webhook: Hook) -> Iterator[Following]:
    """Three days with a conversation each, all of them in the lake."""
    with following(tmp_path, monkeypatch, alert_webhook_url=webhook.url) as opened:
        for number in (2, 3, 5):
            opened.converse(f"c{number}", number)
        opened.sleep(60)
        opened.work()
        yield opened


def fail(home: Following, run: dg.DagsterRun) -> dg.DagsterEvent:
    """Have a run fail; its last event."""

    def refuse() -> None:
        raise SourceAccessDenied(f"the token is wrong at {home.settings.alert_webhook_url}")

    home.source.on_page = refuse
    assert not home.execute(run)
    home.source.on_page = lambda: None
    return last_event(home, run)


def last_event(home: Following, run: dg.DagsterRun) -> dg.DagsterEvent:
    failed = dg.DagsterEventType.RUN_FAILURE
    event = home.instance.all_logs(run.run_id, of_type=failed)[-1].dagster_event
    assert event is not None
    return event


def tell(home: Following, run: dg.DagsterRun, event: dg.DagsterEvent) -> None:
    """Evaluate the failure sensor for a run."""
    sensor = home.defs.resolve_sensor_def("run_failure_sensor")
    found = home.instance.get_run_by_id(run.run_id)
    assert found is not None
    context = dg.build_run_status_sensor_context(
        sensor_name=sensor.name,
        dagster_event=event,
        dagster_instance=home.instance,
        dagster_run=found,
    ).for_run_failure()
    sensor(context)


def test_people_hear_which_run_failed_for_which_days_and_why(
    home: Following, webhook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    home.edit("c3")
    home.edit("c2")
    home.sleep(60)
    (request,) = home.tick().run_requests or []
    run = home.queue(request)

    tell(home, run, fail(home, run))

    (told,) = webhook.posted
    text = told.pop("text")
    assert told == {
        "job": "daily",
        "run_id": run.run_id,
        "first_day": "2024-04-02",
        "last_day": "2024-04-03",
        "error": (
            "conversation_analytics.errors.SourceAccessDenied: the token is wrong at **********"
        ),
        "will_be_retried": True,
    }
    logged = [one.message for one in caplog.records if one.levelno == logging.ERROR]
    assert text in logged
    assert SECRET not in " ".join(logged)


def test_a_failing_day_is_named_with_its_own_error(
    home: Following, webhook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on(monkeypatch, 3)

    run = home.launch("daily", tags={"dagster/partition": "2024-04-03"})
    tell(home, run, last_event(home, run))

    (told,) = webhook.posted
    assert told["error"] == "2024-04-03: the cable was pulled"
    assert told["will_be_retried"] is False


def test_a_run_whose_process_is_gone_is_told_too(home: Following, webhook: Hook) -> None:
    home.edit("c3")
    home.sleep(60)
    (request,) = home.tick().run_requests or []
    run = home.queue(request)
    home.kill(run)

    tell(home, run, last_event(home, run))

    (told,) = webhook.posted
    assert told["error"] == "its process is gone"


def test_old_runs_are_forgotten_and_the_grid_stays_as_it_was(home: Following) -> None:
    for _ in range(3):
        home.edit("c3")
        home.sleep(60)
        home.work()
    home.edit("c5")
    home.sleep(60)
    (request,) = home.tick().run_requests or []
    fail(home, home.queue(request))
    before = grid(home)
    runs = {run.run_id for run in home.runs()}

    assert forget_runs(home.instance, datetime.now(UTC) - LATER) == 0
    forgotten = forget_runs(home.instance, datetime.now(UTC) + LATER)

    left = {run.run_id for run in home.runs()}
    assert forgotten == len(runs - left) == 3  # the sweep, and two refreshes of the 3rd
    files = Path(home.instance.root_directory, "history", "runs").glob("*-*.db")
    assert {file.stem for file in files} == left
    assert grid(home) == before
    assert before["failed"] == {(asset, "2024-04-05") for asset in LAKE_ASSETS}
    home.sleep(60)
    assert home.work() == ["05-05"]


def test_maintenance_runs_as_a_job(home: Following) -> None:
    run = home.launch("maintenance")

    assert run.is_success
    assert home.done() == {2, 3, 5}


def grid(home: Following) -> dict[str, object]:
    """What the UI's grid shows of each asset: done, failed, stale, and the days' metadata."""
    log = home.instance.event_log_storage
    graph = home.defs.resolve_asset_graph()
    stale = CachingStaleStatusResolver(home.instance, graph, LoadingContextForTest(home.instance))
    shown: dict[str, object] = {"failed": set()}
    failed = set()
    for asset in LAKE_ASSETS:
        key = dg.AssetKey(asset)
        done = sorted(home.instance.get_materialized_partitions(key))
        shown[asset] = [
            (day, stale.get_status(key, day) == StaleStatus.FRESH, metadata(home, key, day))
            for day in done
        ]
        tried = log.get_latest_asset_partition_materialization_attempts_without_materializations
        failed |= {(asset, day) for day in tried(key)}
    shown["failed"] = failed
    return shown


def metadata(home: Following, key: dg.AssetKey, day: str) -> object:
    wanted = dg.AssetRecordsFilter(key, asset_partitions=[day])
    (record,) = home.instance.fetch_materializations(wanted, limit=1).records
    event = record.asset_materialization
    assert event is not None
    return event.metadata, event.tags

"""The event log of dagster.yaml: what Dagster's own log says, with shards that stay open."""

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from conversation_analytics.resources.event_log import PooledEventLogStorage
from conversation_analytics_tests.dagster.web import REPOSITORY

ASSET, CHECK = dg.AssetKey("messages"), "valid"
WAIT_SECONDS = 60.0

KILLED_AFTER_TWO_DAYS = f"""
import os, signal, sys
from pathlib import Path
from typing import Any
from {__name__} import materialize, opened
with opened(Path(sys.argv[1])) as instance:
    for partition in "ab":
        materialize(instance, partition)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@dg.asset(
    key=ASSET,
    code_version="1",
    partitions_def=dg.StaticPartitionsDefinition(list("abc")),
    check_specs=[dg.AssetCheckSpec(CHECK, asset=ASSET)],
)
def messages(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Any asset; the check of partition b fails."""
    yield dg.MaterializeResult(
        metadata={"rows": 1},
        tags={"dagster/data_version": f"version of {context.partition_key}"},
        check_results=[dg.AssetCheckResult(passed=context.partition_key != "b", check_name=CHECK)],
    )


@contextmanager
def opened(home: Path, *, pooled: bool = True) -> Iterator[dg.DagsterInstance]:
    """The instance of a home under the repository's dagster.yaml, or under Dagster's defaults."""
    home.mkdir(exist_ok=True)
    if pooled:
        shutil.copy(REPOSITORY / "dagster.yaml", home)
    else:
        (home / "dagster.yaml").unlink(missing_ok=True)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        kind = PooledEventLogStorage if pooled else SqliteEventLogStorage
        assert type(instance.event_log_storage) is kind
        yield instance


def materialize(instance: dg.DagsterInstance, partition: str) -> str:
    """Make a partition; tells the run."""
    return dg.materialize([messages], instance=instance, partition_key=partition).run_id


def shown(instance: dg.DagsterInstance) -> dict[str, object]:
    """What Dagster says of the asset and its runs, but for times and ids."""
    log = instance.event_log_storage
    checks = log.get_asset_check_execution_history(dg.AssetCheckKey(ASSET, CHECK), limit=99)
    made = instance.fetch_materializations(ASSET, limit=99).records
    return {
        "partitions": instance.get_materialized_partitions(ASSET),
        "made": [(one.partition_key, one.asset_materialization) for one in made],
        "checks": [one.status for one in checks],
        "runs": [run.status for run in instance.get_runs()],
        "events": [
            [entry.dagster_event_type for entry in instance.all_logs(run.run_id)]
            for run in instance.get_runs()
        ],
    }


def open_shards(home: Path) -> set[Path]:
    """The databases of the log that this process has open."""
    links = (one for one in Path("/proc/self/fd").iterdir() if one.is_symlink())
    files = {one.readlink() for one in links}
    return {file for file in files if home in file.parents and file.suffix == ".db"}


def test_it_says_what_dagsters_own_log_says(tmp_path: Path) -> None:
    said = []
    for pooled in (True, False):
        with opened(tmp_path / str(pooled), pooled=pooled) as instance:
            for partition in ("a", "b", "a"):
                materialize(instance, partition)
            said.append(shown(instance))

    assert said[0] == said[1]


@pytest.mark.parametrize("pooled", [True, False], ids=["to Dagster's own", "from Dagster's own"])
def test_a_home_keeps_its_history_when_it_changes(tmp_path: Path, pooled: bool) -> None:
    with opened(tmp_path, pooled=pooled) as instance:
        materialize(instance, "a")
        before = shown(instance)

    with opened(tmp_path, pooled=not pooled) as instance:
        assert shown(instance) == before
        materialize(instance, "b")
        assert instance.get_materialized_partitions(ASSET) == {"a", "b"}


def test_what_was_logged_before_a_process_was_killed_is_there(tmp_path: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-c", KILLED_AFTER_TWO_DAYS, tmp_path], cwd=REPOSITORY, check=False
    )

    assert died.returncode == -signal.SIGKILL
    with opened(tmp_path) as instance:
        assert instance.get_materialized_partitions(ASSET) == {"a", "b"}


def test_who_follows_a_run_elsewhere_is_told_at_once(tmp_path: Path) -> None:
    told = threading.Event()
    with opened(tmp_path) as writer, opened(tmp_path) as reader:
        run_id = materialize(writer, "a")
        logged = reader.get_records_for_run(run_id)
        reader.watch_event_logs(run_id, logged.cursor, lambda entry, _: told.set())

        writer.report_engine_event("more of it", run_id=run_id, job_name="any")

        assert told.wait(WAIT_SECONDS)


def test_however_many_runs_there_are_few_files_are_open(tmp_path: Path) -> None:
    with opened(tmp_path) as instance:
        for number in range(20):
            instance.report_engine_event("a word", run_id=f"run-{number}", job_name="any")

        assert 0 < len(open_shards(tmp_path)) < 10
        assert {len(instance.all_logs(f"run-{number}")) for number in range(20)} == {1}
    assert open_shards(tmp_path) == set()


def test_a_log_that_was_wiped_can_be_written_again(tmp_path: Path) -> None:
    with opened(tmp_path) as instance:
        materialize(instance, "a")
        instance.wipe()
        assert shown(instance) == {
            "partitions": set(),
            "made": [],
            "checks": [],
            "runs": [],
            "events": [],
        }

        materialize(instance, "c")

        assert instance.get_materialized_partitions(ASSET) == {"c"}

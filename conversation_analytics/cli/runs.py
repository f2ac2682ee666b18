"""Runs of a job over a range of days, in this process, as Dagster's UI shows and repeats them."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.utils import make_new_run_id
from dagster._core.workspace.load import location_origin_from_module_name

from conversation_analytics.assets.lake_tables import reading_config
from conversation_analytics.cli.home import home_folder
from conversation_analytics.errors import ConversationAnalyticsError, SettingsError
from conversation_analytics.partitions import day_key
from conversation_analytics.run_requests import RANGE_END_TAG, RANGE_START_TAG

CODE_LOCATION = "conversation_analytics.definitions"
# Holds the run's own id: a repetition by the UI inherits the tag, but is not ours to look after.
OWN_RUN_TAG = "conversation_analytics/command_line_run"

# Dagster would print every event; the progress bars and the UI's log show them better.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_LATEST = 50
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Work:
    """A run to be made.

    Attributes:
        job: the job.
        assets: the assets to refresh.
        first: first day.
        last: last day.
        whole: whether to read the whole source in any case.
        merge: whether changed rows may be put into what the lake has.
        force: whether any number of known rows may vanish.
    """

    job: dg.JobDefinition
    assets: frozenset[dg.AssetKey]
    first: date
    last: date
    whole: bool = False
    merge: bool = False
    force: bool = False

    @property
    def everything(self) -> bool:
        """Whether all assets of the job are refreshed."""
        return self.assets == assets_of(self.job)

    @property
    def config(self) -> dict[str, Any]:
        """The run's configuration."""
        reading = {"whole": self.whole, "merge": self.merge, "force": self.force}
        chosen = {name: True for name, wanted in reading.items() if wanted}
        return {**_QUIET, **(reading_config(**chosen) if chosen else {})}

    @property
    def range_tags(self) -> dict[str, str]:
        """The tags that name the range to Dagster."""
        return {RANGE_START_TAG: day_key(self.first), RANGE_END_TAG: day_key(self.last)}


def assets_of(job: dg.JobDefinition) -> frozenset[dg.AssetKey]:
    """The assets a job refreshes."""
    return frozenset(job.asset_layer.executable_asset_keys)


def select_assets(job: dg.JobDefinition, selection: str | None) -> frozenset[dg.AssetKey]:
    """The assets that a selection names, and those that are only made together with them.

    Args:
        job: whose assets.
        selection: names or expressions of Dagster's selection syntax with commas between; null
            for all.

    Raises:
        SettingsError: a part of it selects nothing; names it and what there is.
    """
    return selected_by_job([job], selection)[job.name]


def selected_by_job(
    jobs: Sequence[dg.JobDefinition], selection: str | None
) -> dict[str, frozenset[dg.AssetKey]]:
    """The assets of each job that a selection names, as `select_assets`; maybe none of some.

    Raises:
        SettingsError: a part of the selection selects nothing of any job.
    """
    everything = {job.name: assets_of(job) for job in jobs}
    if selection is None:
        return everything
    chosen: dict[str, set[dg.AssetKey]] = {job.name: set() for job in jobs}
    for part in (part.strip() for part in selection.split(",")):
        found = {job.name: _named(job, part) & everything[job.name] for job in jobs}
        if not any(found.values()):
            keys = {key for of_job in everything.values() for key in of_job}
            names = ", ".join(sorted(key.to_user_string() for key in keys))
            raise SettingsError(f"--select '{part}' selects no asset of {names}")
        for name, of_job in found.items():
            chosen[name].update(of_job)
    return {job.name: _with_companions(job, chosen[job.name]) for job in jobs}


def _named(job: dg.JobDefinition, part: str) -> Set[dg.AssetKey]:
    """What a part of a selection names in the graph of a job."""
    try:
        expression = dg.AssetSelection.from_string(part) if part else dg.AssetSelection.assets()
        return expression.resolve(job.asset_layer.asset_graph, allow_missing=True)
    except dg.DagsterError as error:
        raise SettingsError(f"--select {part}: {error}") from error


def _with_companions(job: dg.JobDefinition, chosen: Set[dg.AssetKey]) -> frozenset[dg.AssetKey]:
    """Assets of a job with those that are only made together with them."""
    graph = job.asset_layer.asset_graph
    together = (key for one in chosen for key in graph.get(one).execution_set_entity_keys)
    return frozenset(chosen | {key for key in together if isinstance(key, dg.AssetKey)})


def unfinished_run(instance: dg.DagsterInstance, work: Work) -> dg.DagsterRun | None:
    """The last run of the same work, unless it succeeded.

    Raises:
        ConversationAnalyticsError: it is still at work.
    """
    _close_dead_runs(instance)
    filters = dg.RunsFilter(job_name=work.job.name, tags=dict(work.range_tags))
    for run in instance.get_runs(filters, limit=_LATEST):
        if (run.asset_selection or assets_of(work.job)) != work.assets:
            continue
        if run.status in _UNFINISHED:
            raise ConversationAnalyticsError(
                f"run {run.run_id} is at work on the same days and assets: wait until it is done, "
                "or terminate it in Dagster's UI"
            )
        return None if run.status == dg.DagsterRunStatus.SUCCESS else run
    return None


def create_run(
    instance: dg.DagsterInstance, work: Work, previous: dg.DagsterRun | None, run_id: str
) -> dg.DagsterRun:
    """Make a run known to Dagster, as a retry of a previous one if there is one."""
    return instance.create_run_for_job(
        work.job,
        run_id=run_id,
        run_config=work.config,
        # Who gave the command repeats it: Dagster is not to start it again behind their back.
        tags={**work.range_tags, OWN_RUN_TAG: run_id, "dagster/max_retries": "0"},
        root_run_id=(previous.root_run_id or previous.run_id) if previous else None,
        parent_run_id=previous.run_id if previous else None,
        asset_selection=None if work.everything else work.assets,
        remote_job_origin=_origin(work.job.name),
    )


def execute(instance: dg.DagsterInstance, work: Work, run: dg.DagsterRun) -> bool:
    """Execute a run here; tells whether it succeeded."""
    return execute_run(InMemoryJob(work.job), run, instance).success


@contextmanager
def claimed_run_id() -> Iterator[str]:
    """A new run id, known to be at work as long as the context (or the process) lasts."""
    run_id = make_new_run_id()
    path = _lock_path(run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield run_id
        finally:
            path.unlink(missing_ok=True)


def _close_dead_runs(instance: dg.DagsterInstance) -> None:
    """Mark runs of the command line whose process is gone as failed; they may hold a pool."""
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        if run.tags.get(OWN_RUN_TAG) != run.run_id or _is_at_work(run.run_id):
            continue
        instance.report_run_failed(run, "Its process ended without a word, so it was cut off.")
        if instance.event_log_storage.supports_global_concurrency_limits:
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        _lock_path(run.run_id).unlink(missing_ok=True)


def _is_at_work(run_id: str) -> bool:
    with suppress(FileNotFoundError), _lock_path(run_id).open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock_path(run_id: str) -> Path:
    return home_folder() / "command_line_runs" / f"{run_id}.lock"


def _origin(job: str) -> RemoteJobOrigin:
    """Where the UI finds the job to show and repeat the run: the location of workspace.yaml."""
    location = location_origin_from_module_name(CODE_LOCATION, None, None)
    return RemoteRepositoryOrigin(location, "__repository__").get_job_origin(job)

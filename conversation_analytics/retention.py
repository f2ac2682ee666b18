"""Which of Dagster's runs are kept: young ones, and those that tell what became of a day.

Deleting a run deletes its materialisations too, and with the last one of a day the day would no
longer be shown as done. Such runs stay; there are no more of them than there are days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import dagster as dg

_ENDED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
_AT_A_TIME = 500


def forget_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete runs that were made before a moment and tell nothing of any day; how many.

    Their events and the logs of their processes go with them.
    """
    telling = _telling_runs(instance)
    filters = dg.RunsFilter(statuses=_ENDED, created_before=before)
    old = [run.run_id for run in instance.get_runs(filters) if run.run_id not in telling]
    for run_id in old:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    return len(old)


def _telling_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs with the last materialisation of a partition, or a vain attempt after that."""
    log = instance.event_log_storage
    runs: set[str] = set()
    for asset in instance.all_asset_keys():
        made = dg.DagsterEventType.ASSET_MATERIALIZATION
        events = sorted(instance.get_latest_storage_id_by_partition(asset, made).values())
        runs.update(_runs_of(instance, asset, events))
        tried = log.get_latest_asset_partition_materialization_attempts_without_materializations
        runs.update(run_id for run_id, _ in tried(asset).values())
    return runs


def _runs_of(instance: dg.DagsterInstance, asset: dg.AssetKey, events: list[int]) -> Iterator[str]:
    for start in range(0, len(events), _AT_A_TIME):
        some = events[start : start + _AT_A_TIME]
        wanted = dg.AssetRecordsFilter(asset_key=asset, storage_ids=some)
        yield from (
            one.run_id for one in instance.fetch_materializations(wanted, len(some)).records
        )

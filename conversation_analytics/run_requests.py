"""Runs that the sensor asks for: which are at work, which failed, when they are due again.

Nothing is remembered but by Dagster: a run's tags say what it was asked for and how often that
was tried before, and Dagster knows of each day whether the last run that was to make it did.

Tries of the same are ever further apart, up to an hour. Days that failed are asked for apart from
the others, so that these do not wait for them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from conversation_analytics.assets.lake_tables import reading_config
from conversation_analytics.jobs import DAILY_JOB, SWEEP_JOB, VERIFY_JOB
from conversation_analytics.partitions import day_key, days_between, to_micros

if TYPE_CHECKING:  # would bring pymongo into every process of Dagster
    from conversation_analytics.sync.pending import PendingDay, PendingRange

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
PARTITION_TAG = "dagster/partition"
# What a run was asked for, the same for every try; and the number of tries before it.
ASKED_TAG = "conversation_analytics/asked_for"
ATTEMPT_TAG = "conversation_analytics/attempt"
# A run that crashed is asked for again here, so Dagster itself need not start it again.
_NOT_BY_DAGSTER = {"dagster/max_retries": "0"}

_MOST_RUNS = 10
_FIRST_PAUSE_SECONDS = 30
_LONGEST_PAUSE_SECONDS = 3600
# After a sweep there is none for so many times as long as it took.
_REST = 10
_AT_WORK = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class RunRequests:
    """The runs to ask for in one tick.

    Attributes:
        found: what to ask for, in order.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.found: list[dg.RunRequest] = []
        self._instance = instance
        at_work = instance.get_runs(dg.RunsFilter(statuses=_AT_WORK))
        writing = [run for run in at_work if run.job_name != VERIFY_JOB]
        self._busy = {day for run in writing for day in days_of(run)}
        self._most = _MOST_RUNS - sum(ASKED_TAG in run.tags for run in at_work)

    def sweep(self, reason: str) -> None:
        """Ask for a sweep, unless one is at work or the last one was only just made."""
        last = self._instance.get_run_records(dg.RunsFilter(job_name=SWEEP_JOB), limit=1)
        if not any(self._at_work(one) or _is_resting(one) for one in last):
            asked = f"sweep: {reason}"
            self._add(asked, self._asked_before(asked), job_name=SWEEP_JOB, tags={}, run_config={})

    def days(self, pending: Sequence[PendingDay], *, anchor: date) -> None:
        """Ask for a run for each range of pending days that nobody is at work on.

        Args:
            pending: the days.
            anchor: the day to refresh where only rows without a day are pending.
        """
        from conversation_analytics.sync.pending import pending_ranges

        free = [one for one in pending if one.day not in self._busy]
        failed = self._failed([one.day for one in free if isinstance(one.day, date)] + [anchor])
        well = [one for one in free if one.day not in failed]
        for range_ in pending_ranges(well, anchor=anchor):
            self._range(range_, failed)
        for range_ in pending_ranges([one for one in free if one.day in failed], anchor=anchor):
            self._range(range_, failed)

    def _range(self, range_: PendingRange, failed: dict[date, set[str]]) -> None:
        days = days_between(range_.first, range_.last)
        if not self._busy.isdisjoint(days):
            return
        asked = f"{range_.first}..{range_.last}@{to_micros(range_.mark)}"
        ids = {run_id for day in days for run_id in failed.get(day, ())}
        tries = self._asked_before(asked) + self._records(ids)
        self._busy.update(days)
        self._add(
            asked,
            tries,
            job_name=DAILY_JOB,
            tags={RANGE_START_TAG: day_key(range_.first), RANGE_END_TAG: day_key(range_.last)},
            run_config=reading_config(whole=range_.whole, merge=not range_.whole),
        )

    def _add(
        self,
        asked: str,
        tries: Sequence[dg.RunRecord],
        *,
        job_name: str,
        tags: dict[str, str],
        run_config: dict[str, object],
    ) -> None:
        """Ask for a run, unless it is too early after the earlier tries, or there are too many."""
        attempt = 1 + max((_attempt(one) for one in tries), default=-1)
        ended = max((one.end_time or time.time() for one in tries), default=0.0)
        if len(self.found) >= self._most or time.time() < ended + _pause(attempt):
            return
        self.found.append(
            dg.RunRequest(
                run_key=f"{asked}#{attempt}",
                job_name=job_name,
                tags={**tags, **_NOT_BY_DAGSTER, ASKED_TAG: asked, ATTEMPT_TAG: str(attempt)},
                run_config=run_config,
            )
        )

    def _failed(self, days: Iterable[date]) -> dict[date, set[str]]:
        """Days that the last run that was to make them did not make, with the ids of such runs."""
        log = self._instance.event_log_storage
        wanted = {day_key(day): day for day in days}
        found: dict[date, set[str]] = {}
        for asset in self._instance.all_asset_keys():
            tried = log.get_latest_asset_partition_materialization_attempts_without_materializations
            for partition, (run_id, _) in tried(asset).items():
                if partition in wanted:
                    found.setdefault(wanted[partition], set()).add(run_id)
        return found

    def _asked_before(self, asked: str) -> list[dg.RunRecord]:
        filters = dg.RunsFilter(tags={ASKED_TAG: asked})
        return list(self._instance.get_run_records(filters, limit=1))

    def _records(self, run_ids: Iterable[str]) -> list[dg.RunRecord]:
        ids = sorted(run_ids)
        return list(self._instance.get_run_records(dg.RunsFilter(run_ids=ids))) if ids else []

    def _at_work(self, record: dg.RunRecord) -> bool:
        return record.dagster_run.status in _AT_WORK


def days_of(run: dg.DagsterRun) -> list[date]:
    """The days a run is to refresh."""
    one = run.tags.get(PARTITION_TAG)
    first, last = run.tags.get(RANGE_START_TAG, one), run.tags.get(RANGE_END_TAG, one)
    if not (first and last):
        return []
    return days_between(date.fromisoformat(first), date.fromisoformat(last))


def _attempt(record: dg.RunRecord) -> int:
    return int(record.dagster_run.tags.get(ATTEMPT_TAG, 0))


def _pause(attempt: int) -> float:
    """Seconds from the end of a try to the next one, which has a number from 0 on."""
    if not attempt:
        return 0
    return min(_FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)


def _is_resting(sweep: dg.RunRecord) -> bool:
    """Whether a sweep was made so lately that another one would be one after the other.

    Where a source does not tell when rows were changed, each tick would have reason for one.
    """
    if not (sweep.dagster_run.is_success and sweep.start_time and sweep.end_time):
        return False
    return time.time() < sweep.end_time + _REST * (sweep.end_time - sweep.start_time)

"""The product driven by Dagster: runs of the daily job with a history that persists."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.product import day_range, settings_for
from conversation_analytics.build import build_defs
from conversation_analytics.jobs import DAILY_JOB
from conversation_analytics.partitions import day_key
from conversation_analytics.run_requests import RANGE_END_TAG, RANGE_START_TAG

_CONFIG = Path(__file__).parents[1] / "dagster.yaml"


def one_run(overrides: dict[str, Any], days: int) -> None:
    """Materialise a range of days in one run."""
    _runs(overrides, [(0, days - 1)], days)


def run_per_day(overrides: dict[str, Any], days: int) -> None:
    """Materialise the same days in a run each."""
    _runs(overrides, [(number, number) for number in range(days)], days)


def _runs(overrides: dict[str, Any], ranges: list[tuple[int, int]], days: int) -> None:
    keys = [day_key(day) for day in day_range(days)]
    with tempfile.TemporaryDirectory(prefix="benchmark-dagster-") as folder:
        settings = settings_for(**{"parquet_base_dir": Path(folder) / "lake", **overrides})
        job = build_defs(settings).resolve_job_def(DAILY_JOB)
        home = Path(folder) / "home"
        home.mkdir()
        shutil.copy(_CONFIG, home)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            for first, last in ranges:
                tags = {RANGE_START_TAG: keys[first], RANGE_END_TAG: keys[last]}
                job.execute_in_process(instance=instance, tags=tags)

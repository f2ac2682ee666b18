"""A sensor's ticks on a real instance, over a source in memory, with every run executed here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.execution.api import execute_run

from conversation_analytics import run_requests
from conversation_analytics.build import build_defs
from conversation_analytics.errors import StorageError
from conversation_analytics.resources.sources import SourceResource
from conversation_analytics.run_requests import days_of
from conversation_analytics.settings import Settings, load_settings
from conversation_analytics.sources.mapping import load_mapping
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.days import PreparedDay
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.layout import RAW
from conversation_analytics.transforms.derived import DayTask
from conversation_analytics_tests.builders import conversation, message, with_messages_by
from conversation_analytics_tests.dagster.web import REPOSITORY
from conversation_analytics_tests.sync.memory_source import MemorySource

SENSOR = "nocodb_changes_sensor"
START = date(2024, 4, 1)
NOW = datetime(2024, 4, 8, 12, tzinfo=UTC)

_sources: dict[str, MemorySource] = {}


class MemoryResource(SourceResource):
    """A source that lives in this process."""

    key: str

    def open(self) -> OpenedSource:
        return OpenedSource(_sources[self.key], load_mapping("plain", None))


@dataclass
class Following:
    """An instance whose sensor follows a source in memory.

    Attributes:
        instance: the instance, in SQLite.
        source: the source.
        settings: the settings.
        defs: the definitions.
        slept: seconds by which the sensor's clock is ahead since the last run.
    """

    instance: dg.DagsterInstance
    source: MemorySource
    settings: Settings
    defs: dg.Definitions
    slept: float = 0.0

    def tick(self) -> SensorExecutionData:
        """Evaluate the sensor once."""
        sensor = self.defs.resolve_sensor_def(SENSOR)
        used = {name: (self.defs.resources or {})[name] for name in ("lake", "source")}
        with dg.build_sensor_context(
            self.instance, definitions=self.defs, resources=used
        ) as context:
            return sensor.evaluate_tick(context)

    def asked(self) -> list[str]:
        """What a tick asks for: names of jobs, or ranges of days such as 02-04."""
        return [_short(request) for request in self.tick().run_requests or []]

    def queue(self, request: dg.RunRequest) -> dg.DagsterRun:
        """Make the run of a request known to Dagster."""
        job = self.defs.resolve_job_def(request.job_name or "")
        return self.instance.create_run_for_job(
            job, run_config=request.run_config, tags=dict(request.tags)
        )

    def execute(self, run: dg.DagsterRun) -> bool:
        """Execute a run; tells whether it succeeded."""
        job = self.defs.resolve_job_def(run.job_name)
        self.slept = 0.0
        return execute_run(InMemoryJob(job), run, self.instance).success

    def kill(self, run: dg.DagsterRun) -> None:
        """What the monitoring does to a run whose process is gone."""
        self.slept = 0.0
        self.instance.report_run_failed(run, "its process is gone")

    def work(self) -> list[str]:
        """Tick and execute what is asked for, until a tick asks for nothing; what was done."""
        done = []
        while requests := self.tick().run_requests:
            for request in requests:
                assert self.execute(self.queue(request))
                done.append(_short(request))
            self.sleep(60)
        return done

    def sleep(self, seconds: float) -> None:
        """Let time pass for the sensor and the source."""
        self.slept += seconds
        self.source.advance(seconds)

    def launch(self, job: str, **options: Any) -> dg.DagsterRun:
        """A run that a person asks for in the UI, executed."""
        run = self.instance.create_run_for_job(self.defs.resolve_job_def(job), **options)
        self.execute(run)
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found

    def converse(self, id_: str, number: int) -> None:
        """Insert a conversation with a message on a day of the month."""
        at = f"2024-04-{number:02d}T10:00:00+00:00"
        self.source.insert("conversations", conversation(id_, at))
        self.source.insert("messages", message(f"{id_}:0", id_, at))

    def edit(self, id_: str) -> None:
        """Change the message of a conversation."""
        (key,) = (
            key
            for key in self.source.keys("messages")
            if self.source.row("messages", key)["conversation_id"] == id_
        )
        self.source.edit("messages", key, content=f"edited at {self.source.clock}")

    @property
    def lake(self) -> Lake:
        return open_lake(self.settings)

    def epochs(self) -> dict[int, int]:
        """Day of the month → how often its raw rows were written."""
        lake = self.lake
        found = lake.manifests(RAW, lake.days(RAW))
        return {day.day: manifest.epoch for day, manifest in found.items()}

    def done(self, asset: str = "conversations") -> set[int]:
        """The days of the month that Dagster shows as materialised."""
        found = self.instance.get_materialized_partitions(dg.AssetKey(asset))
        return {int(key[-2:]) for key in found}

    def runs(self) -> list[dg.DagsterRun]:
        """All runs, the newest first."""
        return list(self.instance.get_runs())


@contextmanager
def following(
    root: Path, patch: pytest.MonkeyPatch, *, page_rows: int = 100, **values: Any
) -> Iterator[Following]:
    """An instance whose sensor follows an empty source.

    Args:
        root: an empty folder.
        patch: gives the sensor its clock.
        page_rows: rows in a page of the source.
        values: settings.
    """
    source = MemorySource(clock=NOW, page_rows=page_rows)
    settings = load_settings(
        None,
        **{
            "parquet_base_dir": root / "lake",
            "partitions_start_date": START,
            "enable_multithreading": False,
            "retry_delay": 0,
            **values,
        },
    )
    key = str(root)
    _sources[key] = source
    defs = build_defs(settings, resource_overrides={"source": MemoryResource(key=key)})
    (root / "home").mkdir(parents=True)
    shipped = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text(encoding="utf-8"))
    overrides = {"event_log_storage": shipped["event_log_storage"]}
    with dg.instance_for_test(overrides, temp_dir=str(root / "home")) as instance:
        opened = Following(instance, source, settings, defs)
        clock = SimpleNamespace(time=lambda: time.time() + opened.slept)
        patch.setattr(run_requests, "time", clock)
        try:
            yield opened
        finally:
            del _sources[key]


def fail_on(patch: pytest.MonkeyPatch, number: int) -> None:
    """Break the messages of a day."""

    def prepare(task: DayTask) -> PreparedDay:
        if task.claim.day == START.replace(day=number):
            raise StorageError("the cable was pulled")
        return whole(task)

    whole = with_messages_by(patch, prepare)


def _short(request: dg.RunRequest) -> str:
    run = dg.DagsterRun("any", tags=dict(request.tags))
    days = days_of(run)
    if not days:
        return request.job_name or ""
    whole = " whole" if request.run_config["ops"]["raw"]["config"]["whole"] else ""
    return f"{days[0].day:02d}-{days[-1].day:02d}{whole}"

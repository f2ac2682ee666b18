"""Following a run: its event log as figures by asset, and these as bars or lines."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster_shared.error import SerializableErrorInfo
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from conversation_analytics.cli.output import errors, say
from conversation_analytics.storage.layout import ALL_DAYS

_POLL_SECONDS = 0.5
_LINE_SECONDS = 5.0
_PAGE = 1_000
_EVENTS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_SKIPPED,
    dg.DagsterEventType.RUN_FAILURE,
}


@dataclass
class AssetFigures:
    """One asset of a run.

    Attributes:
        name: of the asset.
        state: ``waiting``, ``running``, ``done``, ``failed``, ``skipped`` or, once the run is
            over, ``not run``.
        rows: rows by day, for the days done.
        kept: how many of these days were done before and kept.
        seconds: time its step took so far; tables made by one step share it.
    """

    name: str
    state: str = "waiting"
    rows: dict[str, int] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    seconds: float = 0.0


class RunFigures:
    """The figures of a run, as far as its event log has been read.

    Args:
        instance: where the log is.
        run_id: the run.
    """

    def __init__(self, instance: dg.DagsterInstance, run_id: str) -> None:
        self._instance = instance
        self._run_id = run_id
        self._cursor: str | None = None
        self._started: dict[str, float] = {}
        self._step_of: dict[str, str] = {}
        self._reading = threading.Lock()
        self.assets: dict[str, AssetFigures] = {}
        self.failed_days: dict[str, dict[str, str]] = {}
        self.step_errors: dict[str, tuple[str, str]] = {}

    def read(self) -> None:
        """Read what is new in the log."""
        with self._reading:
            more = True
            while more:
                page = self._instance.get_records_for_run(
                    self._run_id, cursor=self._cursor, of_type=_EVENTS, limit=_PAGE
                )
                for record in page.records:
                    self._take(record.event_log_entry)
                self._cursor, more = page.cursor, page.has_more
            for asset in self.assets.values():
                if asset.state == "running":
                    asset.seconds = time.time() - self._started[self._step_of[asset.name]]

    def close(self) -> None:
        """Read the last of the log, after the run ended."""
        self.read()
        for asset in self.assets.values():
            if asset.state in ("waiting", "skipped"):
                asset.state = "not run"

    def in_order(self) -> list[AssetFigures]:
        """The assets in the order in which their steps began."""
        started = self._started
        return sorted(
            self.assets.values(),
            key=lambda asset: (
                started.get(self._step_of.get(asset.name, ""), math.inf),
                asset.name,
            ),
        )

    def _take(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            return
        if event.is_asset_materialization_planned:
            name = event.asset_materialization_planned_data.asset_key.to_user_string()
            self._step_of[name] = event.step_key or ""
            self.assets.setdefault(name, AssetFigures(name))
        elif event.is_step_materialization:
            self._take_day(event.step_materialization_data.materialization)
        elif event.event_type == dg.DagsterEventType.STEP_START:
            self._started[event.step_key or ""] = entry.timestamp
            self._set_state(event.step_key, "running", entry.timestamp)
        elif event.is_step_success:
            self._set_state(event.step_key, "done", entry.timestamp)
        elif event.is_step_failure:
            self._set_state(event.step_key, "failed", entry.timestamp)
            self._take_failure(event)
        elif event.is_step_skipped:
            self._set_state(event.step_key, "skipped", entry.timestamp)
        elif event.event_type == dg.DagsterEventType.RUN_FAILURE:
            self._take_run_failure(event)

    def _set_state(self, step: str | None, state: str, moment: float) -> None:
        for name, of_step in self._step_of.items():
            if of_step == step:
                self.assets[name].state = state
                self.assets[name].seconds = moment - self._started.get(step, moment)

    def _take_day(self, event: dg.AssetMaterialization) -> None:
        partition = event.partition or ALL_DAYS
        asset = self.assets.setdefault(
            event.asset_key.to_user_string(), AssetFigures(event.asset_key.to_user_string())
        )
        asset.rows[partition] = int(_plain(event.metadata.get("dagster/row_count")) or 0)
        if _plain(event.metadata.get("outcome")) == "kept":
            asset.kept.add(partition)

    def _take_failure(self, event: dg.DagsterEvent) -> None:
        step, data = event.step_key or "", event.step_failure_data
        if data.user_failure_data and data.user_failure_data.metadata:
            self.failed_days[step] = {
                day: str(_plain(why)) for day, why in data.user_failure_data.metadata.items()
            }
            return
        self._take_error(step, data.error)

    def _take_run_failure(self, event: dg.DagsterEvent) -> None:
        if not self.failed_days and not self.step_errors:  # it failed outside of its steps
            self._take_error("run", event.job_failure_data.error)

    def _take_error(self, step: str, error: SerializableErrorInfo | None) -> None:
        while error is not None and error.cause is not None:
            error = error.cause
        if error is None:
            self.step_errors[step] = ("", "it ended without saying why")
        elif error.cls_name == "DagsterExecutionInterruptedError":
            self.step_errors[step] = (error.cls_name, "interrupted")
        else:
            message = error.message.strip().partition(": ")[2] or error.message.strip()
            self.step_errors[step] = (error.cls_name or "", message)


@contextmanager
def followed(figures: RunFigures, days: int) -> Iterator[None]:
    """Show a run's figures on standard error while the context lasts.

    Args:
        figures: of the run.
        days: number of days each asset has to do.
    """
    done = threading.Event()
    show = _bars if errors.is_terminal else _lines
    thread = threading.Thread(target=show, args=(figures, days, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        figures.close()


def _bars(figures: RunFigures, days: int, done: threading.Event) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("days, {task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=errors) as progress:
        finished = False
        while not finished:
            finished = done.wait(_POLL_SECONDS)
            figures.read()
            for asset in figures.in_order():
                name = asset.name
                if name not in tasks:
                    tasks[name] = progress.add_task(name, total=days, start=False, rows=0)
                task = tasks[name]
                if asset.state == "running":
                    progress.start_task(task)
                progress.update(task, completed=len(asset.rows), rows=sum(asset.rows.values()))
                if asset.state in ("done", "failed", "skipped"):
                    progress.stop_task(task)


def _lines(figures: RunFigures, days: int, done: threading.Event) -> None:
    """A line for each asset at work every few seconds, and one when it ends."""
    ended: set[str] = set()
    finished, told = False, time.monotonic()
    while not finished:
        finished = done.wait(_POLL_SECONDS)
        figures.read()
        due = time.monotonic() - told >= _LINE_SECONDS
        if due:
            told = time.monotonic()
        for asset in figures.in_order():
            name = asset.name
            over = asset.state in ("done", "failed", "skipped")
            if name not in ended and (over or (due and asset.state == "running")):
                say(
                    f"{name}: {len(asset.rows)}/{days} days, {sum(asset.rows.values()):,} rows, "
                    f"{asset.seconds:.1f} s, {asset.state}"
                )
                if over:
                    ended.add(name)


def _plain(value: Any) -> Any:
    """What a metadata value holds."""
    return getattr(value, "value", value)

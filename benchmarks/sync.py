"""Following a source of which one row in a hundred changed, against reading the same days again."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import orjson

from benchmarks.harness import Bar, Figure, Report, progress
from benchmarks.nocodb import loaded
from benchmarks.product import export, refresh, settings_for
from conversation_analytics.compute.runner import runner_for
from conversation_analytics.partitions import days_between
from conversation_analytics.settings import Settings
from conversation_analytics.sources.nocodb.client import NocoDBClient
from conversation_analytics.sources.open import open_source
from conversation_analytics.storage.lake import open_lake
from conversation_analytics.sync.look import look_at_changes, sweep
from conversation_analytics.sync.pending import pending_days, pending_ranges
from conversation_analytics_tests.services.nocodb_server import NocoDB

_SHARE = 0.01
_LAG_SECONDS = 2


@dataclass
class Traffic:
    """What was asked of NocoDB.

    Attributes:
        requests: how many.
        rows: rows in the answers.
    """

    requests: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Synced:
    """A sync.

    Attributes:
        seconds: it took.
        days: it refreshed.
    """

    seconds: float
    days: list[date]


def run(*, quick: bool) -> Report:
    """Measure syncs of NocoDB's own tables and of files."""
    messages, days = (3_000, 10) if quick else (100_000, 30)
    figures = _nocodb(messages, days)
    of_files, span = (20_000, 10) if quick else (1_000_000, 90)
    figures += _files(of_files, span)
    return Report(
        f"One message in a hundred was edited. NocoDB: {messages:,} messages of {days} days, the "
        f"edits spread over all days, or all on neighbouring ones. Files: {of_files:,} messages of "
        f"{span} days, the edits on neighbouring days. A sync finds the days, refreshes raw rows, "
        "messages and conversations, and ends with nothing pending.",
        figures,
    )


def _nocodb(messages: int, days: int) -> list[Figure]:
    figures = []
    with loaded(messages, days) as (tables, source), tempfile.TemporaryDirectory() as folder:
        settings = settings_for(
            **source, parquet_base_dir=Path(folder), sync_lag_seconds=_LAG_SECONDS
        )
        table, rows = list(tables.rows.items())[1]
        count = int(rows * _SHARE)
        progress("  first load …")
        time.sleep(_LAG_SECONDS + 1)  # or the next look would see the newest rows once more
        _sync(settings, sweeping=True)
        everywhere = random.Random(7).sample(range(1, rows + 1), count)
        for where, ids in (
            ("all days", everywhere),
            ("neighbouring days", range(rows // 2, rows // 2 + count)),
        ):
            time.sleep(_LAG_SECONDS + 1)
            _edit(tables.base_url, tables.token, table, ids)
            time.sleep(_LAG_SECONDS + 1)
            with _traffic() as traffic:
                synced = _sync(settings)
            with _traffic() as again:
                seconds = _timed(lambda days=synced.days: refresh(settings, days))
            name = f"NocoDB, edits on {where}"
            fetched = traffic.rows / count
            figures += [
                Figure(
                    f"{name}: rows fetched / row changed", [fetched], bar=Bar(1.5, at_most=True)
                ),
                Figure(f"{name}: sync / re-reading the same days", [synced.seconds / seconds]),
                Figure(f"{name}: sync of {len(synced.days)} days", [synced.seconds], "s"),
                Figure(f"{name}: requests", [traffic.requests]),
                Figure(f"{name}: requests of the re-reading", [again.requests]),
            ]
    return figures


def _files(messages: int, days: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        progress(f"  generating {messages:,} messages …")
        source = export(folder / "source", messages=messages, days=days)
        settings = settings_for(source_dir=source, parquet_base_dir=folder / "lake")
        progress("  first load …")
        _sync(settings, sweeping=True)
        path = source / "messages.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        first, count = len(lines) // 2, int(len(lines) * _SHARE)
        for number in range(first, first + count):
            row = orjson.loads(lines[number])
            lines[number] = orjson.dumps(row | {"content": "edited"}) + b"\n"
        path.write_bytes(b"".join(lines))
        del lines
        synced = _sync(settings)
        seconds = _timed(lambda: refresh(settings, synced.days))
    return [
        Figure("files: sync / re-reading the same days", [synced.seconds / seconds]),
        Figure(f"files: sync of {len(synced.days)} days", [synced.seconds], "s"),
    ]


def _sync(settings: Settings, *, sweeping: bool = False) -> Synced:
    """Bring a lake up to date."""
    started = time.perf_counter()
    lake, opened, runner = open_lake(settings), open_source(settings), runner_for(settings)
    try:
        changes = None if sweeping else look_at_changes(settings, lake, opened)
        if changes is None or changes.sweep:
            sweep(settings, lake, opened, runner)
    finally:
        opened.source.close()
        runner.close()
    today = settings.calendar.day_of(datetime.now(UTC))
    days: list[date] = []
    for one in pending_ranges(pending_days(lake, None), anchor=today):
        wanted = days_between(one.first, one.last)
        refresh(settings, wanted, whole=one.whole, merge=not one.whole)
        days += wanted
    if left := pending_days(lake, None):
        raise RuntimeError(f"still pending: {left}")
    return Synced(time.perf_counter() - started, days)


def _edit(base_url: str, token: str, table: str, ids: Sequence[int]) -> None:
    """Give some messages another text."""
    import httpx

    with httpx.Client(base_url=base_url, headers={"xc-token": token}, timeout=60) as http:
        server = NocoDB(base_url, token, http, process=None)  # type: ignore[arg-type]
        text = f"edited {time.time()}"
        server.update(table, [{"Id": id_, "content": text} for id_ in ids])


@contextmanager
def _traffic() -> Iterator[Traffic]:
    """Count requests and rows."""
    traffic, get = Traffic(), NocoDBClient.get

    def counting(self: NocoDBClient, *args: Any, **kwargs: Any) -> Any:
        answer = get(self, *args, **kwargs)
        traffic.requests += 1
        if args[0].endswith("/records"):
            traffic.rows += len(answer.parsed[0])
        return answer

    with mock.patch.object(NocoDBClient, "get", counting):
        yield traffic


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

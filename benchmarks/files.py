"""Files into raw rows, conversations and messages: memory, speed, and what Dagster adds."""

from __future__ import annotations

import tempfile
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.dagster_runs import one_run, run_per_day
from benchmarks.harness import (
    MIB,
    Bar,
    Figure,
    Report,
    Usage,
    measured,
    progress,
    ratios,
    rounds,
    walls,
)
from benchmarks.product import all_days, export, settings_for
from conversation_analytics.storage.encoding import ParquetOptions
from conversation_analytics.storage.layout import UNITS, Layout

_MEMORY = Bar(1024, at_most=True)


def run(*, quick: bool) -> Report:
    """Measure a whole range, one crowded day, and a run a day."""
    messages, days = (50_000, 90) if quick else (1_000_000, 90)
    crowd = 10_000 if quick else 200_000
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        progress(f"  generating {messages:,} messages …")
        source = export(folder / "range", messages=messages, days=days)
        figures = [
            *_range(source, folder / "lakes", messages, days, quick=quick),
            *_crowded_day(folder / "crowd", crowd),
            *_run_per_day(folder / "short", quick=quick),
        ]
    figures.sort(key=lambda figure: figure.bar is None)
    return Report(
        f"{messages:,} generated messages over {days} days, read from JSON lines; one day of "
        f"{crowd:,} for the memory of a crowded day.",
        figures,
    )


def _range(source: Path, lakes: Path, messages: int, days: int, *, quick: bool) -> list[Figure]:
    settings = {"source_dir": source}

    def into_a_lake_that_stays() -> Usage:
        lake = lakes / uuid.uuid4().hex
        return measured(all_days, {**settings, "parquet_base_dir": lake}, days)

    found = rounds(
        {
            "plain functions": into_a_lake_that_stays,
            "one Dagster run": partial(measured, one_run, settings, days),
        },
        at_least=1,
        at_most=1 if quick else 5,
        seconds=330,
    )
    plain, run = found["plain functions"], found["one Dagster run"]
    one_lake = next(lakes.iterdir())
    bare = [measured(read_and_write, one_lake) for _ in plain]
    return [
        Figure("peak memory of the processes", _peaks(plain), "MiB", _MEMORY),
        Figure("peak memory under Dagster", _peaks(run), "MiB", _MEMORY),
        Figure(
            "one Dagster run / plain functions",
            ratios(walls(run), walls(plain)),
            bar=Bar(1.3, at_most=True),
        ),
        Figure("throughput", [messages / wall for wall in walls(plain)], "messages/s"),
        Figure(
            "plain functions / pyarrow reading and writing the same Parquet",
            ratios(walls(plain), walls(bare)),
        ),
        *(
            Figure(f"time of {unit}", [usage.result[unit] for usage in plain], "s")
            for unit in plain[0].result
        ),
    ]


def read_and_write(lake: Path) -> None:
    """Read every Parquet file of a lake and write it again with the options it has."""
    options, layout = ParquetOptions.of(settings_for()), Layout()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for schema in (schema for unit in UNITS.values() for schema in unit.tables):
            for path in lake.glob(layout.glob(schema.name)):
                pq.write_table(
                    pq.ParquetFile(path).read(),
                    Path(folder) / "copy.parquet",
                    compression=options.compression,
                    row_group_size=options.row_group_size,
                    data_page_size=options.page_size,
                    use_dictionary=[column.name for column in schema.columns if column.categorical],
                )


def _crowded_day(source: Path, messages: int) -> list[Figure]:
    settings: dict[str, Any] = {"source_dir": export(source, messages=messages, days=1)}
    usage = measured(all_days, settings, 1)
    progress(f"  one day: {usage.wall:.2f} s")
    return [Figure(f"peak memory, {messages:,} messages in a day", _peaks([usage]), "MiB", _MEMORY)]


def _run_per_day(source: Path, *, quick: bool) -> list[Figure]:
    days = 5 if quick else 20
    settings = {"source_dir": export(source, messages=1000 * days, days=days)}
    found = rounds(
        {
            "a run a day": partial(measured, run_per_day, settings, days),
            "one run": partial(measured, one_run, settings, days),
        },
        at_least=1,
        at_most=1,
        seconds=0,
    )
    name = f"{days} runs of a day / one run of {days} days, 1,000 messages a day"
    return [Figure(name, ratios(walls(found["a run a day"]), walls(found["one run"])))]


def _peaks(usages: list[Usage]) -> list[float]:
    return [usage.peak_memory / MIB for usage in usages]

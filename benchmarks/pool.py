"""One worker against two: what the pool of processes is worth."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.harness import Figure, Report, measured, ratios, rounds, walls
from benchmarks.product import all_days, export


def run(*, quick: bool) -> Report:
    """Measure the plain functions with PROCESSING_THREADS of 1 and 2."""
    messages, days = (5_000, 3) if quick else (110_000, 10)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        source = export(Path(folder), messages=messages, days=days)
        found = rounds(
            {
                name: partial(
                    measured, all_days, {"source_dir": source, "processing_threads": workers}, days
                )
                for workers, name in ((1, "1 worker"), (2, "2 workers"))
            },
            at_least=1 if quick else 2,
            at_most=1 if quick else 5,
            seconds=60,
        )
    one, two = found["1 worker"], found["2 workers"]
    return Report(
        f"{messages:,} generated messages over {days} days, from files to conversations, by "
        "PROCESSING_THREADS=1 (in process) and 2 (a pool).",
        [
            Figure("speed of 2 workers / 1 worker", ratios(walls(one), walls(two))),
            *(
                Figure(
                    f"speed of 2 workers / 1 worker, {unit}",
                    ratios([u.result[unit] for u in one], [u.result[unit] for u in two]),
                )
                for unit in one[0].result
            ),
        ],
    )

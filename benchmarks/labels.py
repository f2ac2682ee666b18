"""Labelling: language, sentiment, intent and topic of the same messages, against VADER alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.harness import (
    MIB,
    Bar,
    Figure,
    Report,
    Usage,
    Work,
    measured,
    ratios,
    rounds,
)
from benchmarks.product import (
    all_days,
    categories,
    export,
    label_days,
    ready_to_label,
    vader_days,
)

_MORE = 4  # times as many days


def run(*, quick: bool) -> Report:
    """Measure days of a lake, each of about as many messages."""
    messages, days = (4_000, 4) if quick else (120_000, 8)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        source = export(Path(folder) / "export", messages=messages, days=days)
        lake = {"source_dir": source, "parquet_base_dir": Path(folder) / "lake"}
        all_days(lake, days)
        found = rounds(
            _works(lake, days),
            at_least=1 if quick else 3,
            at_most=1 if quick else 7,
            seconds=240,
        )
    few, many, vader = found["labels of few"], found["labels"], found["VADER"]
    pool = [[one.result for one in found[name]] for name in ("1 worker", "2 workers")]
    return Report(
        f"{messages:,} generated messages over {days} days: the language, the sentiment, the "
        "intent and the topic of messages and conversations, as rows; VADER tells the sentiment "
        "of the same messages. Speeds are by CPU time, so that of one core.",
        [
            Figure(
                "speed of all four labels / VADER alone",
                ratios(_cpu(vader), _cpu(many)),
                bar=Bar(0.4),
            ),
            Figure(
                f"CPU a message, {days} days / {days // _MORE}",
                ratios(_each(many), _each(few)),
                bar=Bar(1.2, at_most=True),
            ),
            Figure(
                f"peak memory, {days} days / {days // _MORE}",
                ratios(_memory(many), _memory(few)),
                bar=Bar(1.1, at_most=True),
            ),
            Figure("speed of all four labels, messages/s", [1 / one for one in _each(many)]),
            Figure("speed of VADER alone, messages/s", [1 / one for one in _each(vader)]),
            Figure("peak memory", [one / MIB for one in _memory(many)], "MiB"),
            Figure("speed of 2 workers / 1 worker, to categories in the lake", ratios(*pool)),
        ],
    )


def _works(lake: dict[str, Path], days: int) -> dict[str, Work]:
    def work(function: Callable[..., object], days: int, **overrides: int) -> Work:
        return partial(measured, function, {**lake, **overrides}, days, first=ready_to_label)

    return {
        "labels of few": work(label_days, days // _MORE),
        "labels": work(label_days, days),
        "VADER": work(vader_days, days),
        "1 worker": work(categories, days, processing_threads=1),
        "2 workers": work(categories, days, processing_threads=2),
    }


def _cpu(usages: Sequence[Usage]) -> list[float]:
    return [usage.cpu for usage in usages]


def _each(usages: Sequence[Usage]) -> list[float]:
    """CPU seconds a message."""
    return [usage.cpu / usage.result for usage in usages]


def _memory(usages: Sequence[Usage]) -> list[float]:
    return [usage.peak_memory for usage in usages]

"""The product driven by its plain functions, as the measured work."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

# DuckDB imports it late, if it is there; imports are not timed.
import pandas  # noqa: F401
import pyarrow as pa
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from conversation_analytics.categorization.days import (
    categories_derivation,
    labelled,
    labeller_for,
)
from conversation_analytics.categorization.explanation import explained
from conversation_analytics.compute.runner import Runner, runner_for
from conversation_analytics.dify.questions import Asker, Contract
from conversation_analytics.generator.generate import generate
from conversation_analytics.generator.options import GeneratorOptions
from conversation_analytics.partitions import days_between
from conversation_analytics.schemas.categories import TASKS
from conversation_analytics.settings import Settings, load_settings
from conversation_analytics.sources.open import open_source
from conversation_analytics.storage.days import DayItem, Request, commit_days, failures
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT, MESSAGES_UNIT
from conversation_analytics.transforms.derived import (
    CONVERSATIONS_DERIVATION,
    MESSAGES_DERIVATION,
    DerivedDays,
)
from conversation_analytics.transforms.raw import RawDays
from conversation_analytics.translation.days import translations_derivation

FIRST_DAY = date(2024, 1, 1)


def export(folder: Path, *, messages: int, days: int) -> Path:
    """Generate an export, outside any measurement."""
    generate(GeneratorOptions(out=folder, messages=messages, days=days))
    return folder


def day_range(days: int) -> list[date]:
    """The first days of the calendar."""
    return days_between(FIRST_DAY, FIRST_DAY + timedelta(days=days - 1))


def settings_for(**overrides: Any) -> Settings:
    """Settings with nothing from a file."""
    return load_settings(None, **overrides)


def raw_days(overrides: dict[str, Any], days: int) -> None:
    """Read the source into raw days of a new lake."""
    with tempfile.TemporaryDirectory(prefix="benchmark-lake-") as folder:
        settings = settings_for(parquet_base_dir=Path(folder), **overrides)
        lake, runner = open_lake(settings), runner_for(settings)
        try:
            _commit_raw(settings, lake, day_range(days), runner)
        finally:
            runner.close()


def all_days(overrides: dict[str, Any], days: int) -> dict[str, float]:
    """Bring days from the source to raw, messages and conversations; seconds by unit.

    Without `parquet_base_dir` among the overrides the lake is gone afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-lake-") as folder:
        settings = settings_for(**{"parquet_base_dir": Path(folder), **overrides})
        lake, runner = open_lake(settings), runner_for(settings)
        seconds = {}
        started = time.perf_counter()
        try:
            _commit_raw(settings, lake, day_range(days), runner)
            seconds["raw"] = time.perf_counter() - started
            for how in (MESSAGES_DERIVATION, CONVERSATIONS_DERIVATION):
                started = time.perf_counter()
                stream = DerivedDays(settings, lake, how, day_range(days), _request(), runner)
                commit(lake, stream)
                seconds[how.unit.name] = time.perf_counter() - started
        finally:
            runner.close()
    return seconds


def label_days(overrides: dict[str, Any], days: int) -> int:
    """Label the messages of an existing lake, day by day, and throw the labels away; messages."""
    settings = settings_for(**overrides)
    lake, labeller, count = open_lake(settings), labeller_for(settings), 0
    for conversations, messages in _tables(lake, days):
        for labels in labelled(labeller, conversations, messages, TASKS):
            del labels
        count += messages.num_rows
    return count


def vader_days(overrides: dict[str, Any], days: int) -> int:
    """Ask VADER alone about the same messages; how many."""
    analyzer, count = SentimentIntensityAnalyzer(), 0
    for _, messages in _tables(open_lake(settings_for(**overrides)), days):
        for text in messages["content"].to_pylist():
            analyzer.polarity_scores(text)
        count += messages.num_rows
    return count


def ready_to_label() -> None:
    """Load what labels, and make it do so once: the models learn from the taxonomy only then."""
    explained(labeller_for(settings_for()), "Where is my order?")


def categories(overrides: dict[str, Any], days: int) -> float:
    """Bring days of an existing lake from messages and conversations to categories; seconds.

    The clock starts when every worker has labelled a day, and so has its models.
    """
    settings = settings_for(**overrides)
    lake, runner = open_lake(settings), runner_for(settings)
    how = categories_derivation(settings, lake)
    try:
        for some in (settings.processing_threads, days):
            started = time.perf_counter()
            commit(lake, DerivedDays(settings, lake, how, day_range(some), _request(), runner))
    finally:
        runner.close()
    return time.perf_counter() - started


def _tables(lake: Lake, days: int) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The conversations and the messages of each day."""
    for day in day_range(days):
        found = [lake.read_day(unit, day) for unit in (CONVERSATIONS_UNIT, MESSAGES_UNIT)]
        conversations, messages = (tables for _, tables in filter(None, found))
        yield conversations["conversations"], messages["messages"]


def refresh(
    settings: Settings, days: Sequence[date], *, whole: bool = False, merge: bool = False
) -> None:
    """Bring days of an existing lake from the source to raw and everything made of it."""
    lake, opened, runner = open_lake(settings), open_source(settings), runner_for(settings)
    request = replace(_request(), whole=whole, merge=merge)
    try:
        commit(lake, RawDays(settings, lake, opened, days, request, runner))
        told = (categories_derivation(settings, lake), translations_derivation(settings, _nobody))
        for how in (MESSAGES_DERIVATION, CONVERSATIONS_DERIVATION, *told):
            commit(lake, DerivedDays(settings, lake, how, days, request, runner))
    finally:
        opened.source.close()
        runner.close()


def _commit_raw(settings: Settings, lake: Lake, days: Sequence[date], runner: Runner) -> None:
    opened = open_source(settings)
    try:
        commit(lake, RawDays(settings, lake, opened, days, _request(), runner))
    finally:
        opened.source.close()


def commit(lake: Lake, stream: Iterable[DayItem]) -> None:
    """Commit days, none of which may fail."""
    failed = failures(commit_days(lake, stream))
    if failed:
        raise RuntimeError(f"days failed: {failed}")


def _nobody(_: Contract) -> Asker:
    raise RuntimeError("benchmarks ask nothing of Dify: unset DIFY_BASE_URL")


def _request() -> Request:
    return Request(uuid.uuid4().hex, "benchmark")

"""`backfill --dry-run`: what days would cost that workflows of Dify are asked about.

Days are made as a backfill makes them, by askers that pay for nothing, and thrown away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from conversation_analytics.categorization.days import (
    categories_derivation,
    labeller_for,
    stale_days,
)
from conversation_analytics.cli.known_lake import known_lake
from conversation_analytics.dify.estimate import Estimate, EstimatingAsker
from conversation_analytics.errors import SettingsError
from conversation_analytics.settings import Settings
from conversation_analytics.storage.days import FailedDay, Request
from conversation_analytics.storage.lake import Claim, Lake
from conversation_analytics.storage.layout import MESSAGES_UNIT
from conversation_analytics.transforms.derived import DayTask, Derivation, prepare_day
from conversation_analytics.translation.days import days_to_translate, translations_derivation
from conversation_analytics.translation.translator import translator_for, why_off

_REQUEST = Request("dry-run", "dry-run")
_NO_LLM = "DIFY_CATEGORIZE_API_KEY is not set, or CATEGORIZE_WITH_LLM=none"


@dataclass(frozen=True)
class Expected:
    """What a table's days are expected to cost.

    Attributes:
        table: the table.
        days: how many were looked at.
        estimate: what asking comes to; null if nothing is asked.
        off: why nothing is asked; empty if something is.
        skipped: why a day could not be looked at, by day.
    """

    table: str
    days: int
    estimate: Estimate | None
    off: str
    skipped: dict[date, str]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def expected(
    settings: Settings, first: date | None, last: date | None, *, stale: bool
) -> list[Expected]:
    """What the days of the lake would cost, a table that Dify is asked for after the other.

    Args:
        settings: the settings.
        first: first day; null for the lake's.
        last: last day, included; null for the lake's.
        stale: whether only what `backfill --stale` makes again.

    Raises:
        SettingsError: none of the days is in the lake.
        CategorizationError: the taxonomy, a model or the corrections cannot be used.
        StorageError: the lake cannot be read.
    """
    lake = known_lake(settings)
    days = [day for day in lake.days(MESSAGES_UNIT) if (first or day) <= day <= (last or day)]
    if not days:
        raise SettingsError("none of these days is in the lake: a dry run reads no source")
    labels = _among(days, stale_days(settings, lake)) if stale else days
    texts = _among(days, {*labels, *days_to_translate(settings, lake)}) if stale else days
    return [_categories(settings, lake, labels), _translations(settings, lake, texts)]


def _among(days: Iterable[date], some: Iterable[date]) -> list[date]:
    """The days that are also some others."""
    return sorted({*days} & {*some})


def _categories(settings: Settings, lake: Lake, days: list[date]) -> Expected:
    llm = labeller_for(settings).llm
    if llm is None:
        return Expected("categories", len(days), None, _NO_LLM, {})
    asker = _asker(settings, lake, llm.contract.workflow)
    return _looked_at(
        settings, lake, days, asker, categories_derivation(settings, lake, lambda _: asker)
    )


def _translations(settings: Settings, lake: Lake, days: list[date]) -> Expected:
    if off := why_off(settings):
        return Expected("translations", len(days), None, off, {})
    asker = _asker(settings, lake, translator_for(settings).workflow)
    return _looked_at(
        settings, lake, days, asker, translations_derivation(settings, lambda _: asker)
    )


def _asker(settings: Settings, lake: Lake, workflow: str) -> EstimatingAsker:
    return EstimatingAsker(
        lake.store,
        workflow,
        batch_size=settings.dify_batch_size,
        max_attempts=settings.dify_max_attempts,
        io_threads=settings.io_threads,
    )


def _looked_at(
    settings: Settings,
    lake: Lake,
    days: list[date],
    asker: EstimatingAsker,
    derivation: Derivation,
) -> Expected:
    unit, skipped = derivation.unit, {}
    for day in days:
        task = DayTask(
            lake,
            settings,
            Claim(unit.name, day, epoch=0),  # which nobody may commit by
            _REQUEST,
            derivation.prepare,
            versions=derivation.versions(day),
        )
        made = prepare_day(task)
        if isinstance(made, FailedDay):
            skipped[day] = made.error
    return Expected(unit.name, len(days), asker.estimate, "", skipped)

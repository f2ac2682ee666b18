"""What `categories diff` compares: taxonomies, the lake's labels, what the settings give."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from conversation_analytics.categorization.changes import Changes, changes
from conversation_analytics.categorization.days import labeller_by, labeller_for
from conversation_analytics.categorization.encoders import encoder_for
from conversation_analytics.categorization.labeller import Labeller
from conversation_analytics.categorization.taxonomies import kept
from conversation_analytics.categorization.taxonomy import load_taxonomy
from conversation_analytics.cli.known_lake import known_lake
from conversation_analytics.schemas.categories import TASKS
from conversation_analytics.settings import Settings
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT

_BY_TAXONOMY = ("topic", "intent")


def compared(
    settings: Settings,
    before: str | None,
    after: str | None,
    days: tuple[date | None, date | None],
    *,
    most: int | None,
) -> Changes:
    """Compare labels.

    Args:
        settings: the settings.
        before: version or file of a taxonomy; null for the labels that the lake holds.
        after: version or file of a taxonomy; null for what the settings would give.
        days: first and last day; null for all.
        most: conversations to compare, about; null for all.

    Raises:
        CategorizationError: a taxonomy, a model or the corrections cannot be used.
        StorageError: the lake cannot be read.
        LakeMismatch: the lake was made with other settings.
    """
    lake = known_lake(settings)
    first, last = days
    wanted = [
        day
        for day in lake.days(CONVERSATIONS_UNIT)
        if (first is None or day >= first) and (last is None or day <= last)
    ]
    # Two taxonomies differ in what they are about; all else is the same for both.
    tasks = _BY_TAXONOMY if before and after else TASKS
    old = _labeller(settings, lake, before) if before else None
    new = _labeller(settings, lake, after) if after else labeller_for(settings)
    return changes(lake, wanted, old, new, tasks=tasks, most=most)


def _labeller(settings: Settings, lake: Lake, named: str) -> Labeller:
    """What labels by the taxonomy of a file or version, and by the settings' corrections."""
    file = Path(named)
    taxonomy = load_taxonomy(file) if file.is_file() else kept(lake.store, named)
    encoder = encoder_for(settings.text_encoder, settings.enable_gpu)
    return labeller_by(taxonomy, labeller_for(settings).corrections, encoder)

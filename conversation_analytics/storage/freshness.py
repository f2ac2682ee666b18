"""Whether what was derived from a day's raw rows follows them, told from manifests alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from conversation_analytics.settings import Settings
from conversation_analytics.storage.collections import COLLECTIONS
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    RAW,
    TRANSLATIONS_UNIT,
    UNITS,
)
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.storage.mongo_client import connect
from conversation_analytics.storage.mongo_days import DayRecord, recorded

DERIVED = (MESSAGES_UNIT, CONVERSATIONS_UNIT, CATEGORIES_UNIT, TRANSLATIONS_UNIT)

# MongoDB's complete days, by unit.
Records = Mapping[str, Mapping[date, DayRecord]]


def mongo_records(settings: Settings) -> Records | None:
    """MongoDB's complete days by unit; null without MongoDB.

    Raises:
        StoreUnavailable: MongoDB cannot be reached.
    """
    if not settings.mongodb_uri:
        return None
    uri = settings.mongodb_uri.get_secret_value()
    database = connect(uri, database=settings.mongodb_database)
    try:
        return {
            unit: recorded(database, collection.name(settings))
            for unit, collection in COLLECTIONS.items()
        }
    finally:
        database.client.close()


def lake_problems(here: Mapping[str, Manifest]) -> list[str]:
    """What is missing or behind among the units of a day, and what to do.

    Args:
        here: the day's manifests by unit.
    """
    problems = [] if RAW.name in here else ["it has no raw rows: backfill the day"]
    for unit in DERIVED:
        problems += _behind(unit.name, here)
    return problems


def mongo_problems(
    day: date, here: Mapping[str, Manifest], records: Records
) -> tuple[str, list[str]]:
    """MongoDB's state of a day, and what is wrong with it.

    Returns:
        ``current``, ``behind`` or ``missing``; and what is so, with what to do.
    """
    state, problems = "current", []
    for unit, collection in COLLECTIONS.items():
        shown, record = collection.shown(here), records[unit].get(day)
        if shown is None:
            continue
        if record is None:
            state = "missing"
            problems.append(f"MongoDB has no complete {unit} of it: backfill the day")
        elif record.content_hash != shown.content_hash:
            state = "behind" if state == "current" else state
            problems.append(f"MongoDB has older {unit} of it: backfill the day")
    return state, problems


def _behind(unit: str, here: Mapping[str, Manifest]) -> list[str]:
    """What is wrong with a derived unit of a day."""
    manifest = here.get(unit)
    if manifest is None:
        return [f"{unit} were not made: backfill the day with --select {unit}"]
    return [
        f"{unit} were made of other {name} than there are now: backfill the day"
        for name in UNITS[unit].inputs
        if name in here and manifest.inputs.get(name) != here[name].content_hash
    ]

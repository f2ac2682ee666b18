"""The state of each day: what is there, what it was made of, what is behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from conversation_analytics.schemas import QUARANTINE, RAW_CONVERSATIONS, RAW_MESSAGES
from conversation_analytics.settings import Settings
from conversation_analytics.storage.identity import LakeIdentity, read_identity
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.layout import (
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    RAW,
    UNITS,
    UNKNOWN_DAY,
    UNPLACED,
)
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.storage.mongo_client import connect
from conversation_analytics.storage.mongo_days import DayRecord, recorded

_DERIVED = (MESSAGES_UNIT, CONVERSATIONS_UNIT)
Records = Mapping[str, Mapping[date, DayRecord]]


@dataclass(frozen=True)
class DayState:
    """One day; a null count means that the table was not made yet.

    Attributes:
        day: the day.
        raw_rows: raw conversations and messages.
        conversations: conversations.
        messages: messages.
        quarantined: source rows in quarantine.
        epoch: number of the last write of the raw rows.
        synced_to: the source's clock up to which its changes are in.
        committed: when the raw rows were written.
        mongo: what MongoDB has of it: ``current``, ``behind`` or ``missing``; null without MongoDB.
        problems: what is not up to date, and what to do.
    """

    day: date
    raw_rows: int | None
    conversations: int | None
    messages: int | None
    quarantined: int | None
    epoch: int | None
    synced_to: datetime | None
    committed: datetime | None
    mongo: str | None
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The state for `--json`."""
        return asdict(self)


def day_states(
    settings: Settings, first: date | None, last: date | None
) -> tuple[str, list[DayState]]:
    """Where the lake is, and the states of its days from `first` to `last`, in order.

    Raises:
        StorageError: the lake or MongoDB cannot be read.
        LakeMismatch: the lake was made with other settings.
    """
    lake = open_lake(settings)
    if read_identity(lake.store) is not None:
        _same_meaning(settings, lake)
    days = sorted(
        day
        for day in {day for unit in (RAW, *_DERIVED) for day in lake.days(unit)}
        if (first is None or day >= first) and (last is None or day <= last)
    )
    manifests = {unit.name: lake.manifests(unit, days) for unit in (RAW, *_DERIVED)}
    records = _records(settings)
    return lake.store.url, [_state(day, manifests, records) for day in days]


def unplaced_rows(settings: Settings) -> int:
    """Quarantined rows whose day cannot be told."""
    manifest = open_lake(settings).manifest(UNPLACED, UNKNOWN_DAY)
    return manifest.rows if manifest else 0


def totals(states: list[DayState]) -> dict[str, int]:
    """The sums over days."""
    names = ("raw_rows", "conversations", "messages", "quarantined")
    sums = {name: sum(getattr(state, name) or 0 for state in states) for name in names}
    return {"days": len(states), **sums, "problems": sum(len(s.problems) for s in states)}


def _same_meaning(settings: Settings, lake: Lake) -> None:
    """Refuse a lake whose days mean something else; nothing is written."""
    from conversation_analytics.storage.identity import ensure_identity

    ensure_identity(lake.store, LakeIdentity.of(settings))


def _records(settings: Settings) -> Records | None:
    """MongoDB's complete days by unit; null without MongoDB."""
    if not settings.mongodb_uri:
        return None
    uri = settings.mongodb_uri.get_secret_value()
    database = connect(uri, database=settings.mongodb_database)
    try:
        return {
            CONVERSATIONS_UNIT.name: recorded(database, settings.mongodb_conversations_collection),
            MESSAGES_UNIT.name: recorded(database, settings.mongodb_messages_collection),
        }
    finally:
        database.client.close()


def _state(
    day: date, manifests: Mapping[str, Mapping[date, Manifest]], records: Records | None
) -> DayState:
    here = {unit: found[day] for unit, found in manifests.items() if day in found}
    raw = here.get(RAW.name)
    problems = [] if raw else ["it has no raw rows: backfill the day"]
    for unit in _DERIVED:
        problems += _behind(unit.name, here)
    mongo = None
    if records is not None:
        wanted = [
            (unit.name, here.get(unit.name), records[unit.name].get(day)) for unit in _DERIVED
        ]
        mongo, more = _mongo(wanted)
        problems += more
    return DayState(
        day=day,
        raw_rows=_rows(raw, RAW_CONVERSATIONS.name, RAW_MESSAGES.name),
        conversations=_rows(here.get(CONVERSATIONS_UNIT.name), CONVERSATIONS_UNIT.name),
        messages=_rows(here.get(MESSAGES_UNIT.name), MESSAGES_UNIT.name),
        quarantined=_rows(raw, QUARANTINE.name),
        epoch=raw.epoch if raw else None,
        synced_to=raw.change_mark if raw else None,
        committed=raw.committed_at if raw else None,
        mongo=mongo,
        problems=tuple(problems),
    )


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


def _mongo(
    wanted: list[tuple[str, Manifest | None, DayRecord | None]],
) -> tuple[str, list[str]]:
    """MongoDB's state of a day, and what is wrong with it."""
    state, problems = "current", []
    for unit, manifest, record in wanted:
        if manifest is None:
            continue
        if record is None:
            state = "missing"
            problems.append(f"MongoDB has no complete {unit} of it: backfill the day")
        elif record.content_hash != manifest.content_hash:
            state = "behind" if state == "current" else state
            problems.append(f"MongoDB has older {unit} of it: backfill the day")
    return state, problems


def _rows(manifest: Manifest | None, *tables: str) -> int | None:
    return None if manifest is None else sum(manifest.tables[name].rows for name in tables)

"""The state of each day: what is there, what it was made of, what is behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from conversation_analytics.schemas import QUARANTINE, RAW_CONVERSATIONS, RAW_MESSAGES
from conversation_analytics.settings import Settings
from conversation_analytics.storage.failed import FailedDays, Failure
from conversation_analytics.storage.freshness import (
    DERIVED,
    Records,
    lake_problems,
    mongo_problems,
    mongo_records,
)
from conversation_analytics.storage.identity import LakeIdentity, ensure_identity, read_identity
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    ALL_DAYS,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    RAW,
    TRANSLATIONS_UNIT,
    UNITS,
    UNKNOWN_DAY,
    Day,
    Place,
)
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.sync.pending import pending_days
from conversation_analytics.sync.words import words_of


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
        untranslated: texts whose translation is ``failed``, ``pending`` or ``given_up``, for which
            nothing is asked any more; null if there are none.
        mongo: what MongoDB has of it: ``current``, ``behind`` or ``missing``; null without MongoDB.
        problems: what is not up to date, and what to do.
        pending: what was seen in the source and is not in the lake yet, with the number of rows;
            null if nothing is.
        error: why it was not written the last time; null if it was.
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
    pending: dict[str, int] | None = None
    error: str | None = None
    untranslated: dict[str, int] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The state for `--json`."""
        return asdict(self)


@dataclass(frozen=True)
class LakeState:
    """The days of a lake.

    Attributes:
        url: where it is.
        days: those that were asked for, in order.
        unplaced: what is wrong with the rows whose day cannot be told.
    """

    url: str
    days: list[DayState]
    unplaced: tuple[str, ...] = ()

    def problems(self) -> list[tuple[Day, str]]:
        """Everything that is not as it should be, with its day."""
        found: list[tuple[Day, str]] = []
        for state in self.days:
            found += [(state.day, problem) for problem in state.problems]
            if state.pending is not None:
                found.append((state.day, f"{words_of(state.pending)}: sync refreshes it"))
            if state.error is not None:
                found.append((state.day, f"the last try failed: {state.error}"))
        return found + [(UNKNOWN_DAY, problem) for problem in self.unplaced]


@dataclass(frozen=True)
class _Open:
    """What is still to be done, by day."""

    pending: Mapping[Day, dict[str, int]]
    errors: Mapping[Place, str]


def lake_state(
    settings: Settings,
    lake: Lake,
    first: date | None,
    last: date | None,
    *,
    settle: bool = True,
) -> LakeState:
    """The states of the lake's days from `first` to `last`.

    Args:
        settings: the settings.
        lake: their lake.
        first: first day, null for the first there is.
        last: last day, null for the last there is.
        settle: whether tokens of days that are up to date are removed on the way.

    Raises:
        StorageError: the lake or MongoDB cannot be read.
        LakeMismatch: the lake was made with other settings.
    """
    if read_identity(lake.store) is not None:
        _same_meaning(settings, lake)
    records = mongo_records(settings)
    pending = {one.day: one.reasons for one in pending_days(lake, records, settle=settle)}
    open_ = _Open(pending, _errors(lake))
    committed = {day for unit in (RAW, *DERIVED) for day in lake.days(unit)}
    known = committed | {day for day in (*open_.pending, *open_.errors) if day != UNKNOWN_DAY}
    days = sorted(
        day
        for day in known
        if not isinstance(day, str)
        and (first is None or day >= first)
        and (last is None or day <= last)
    )
    manifests = {unit.name: lake.manifests(unit, days) for unit in (RAW, *DERIVED)}
    states = [_state(day, manifests, records, open_) for day in days]
    return LakeState(lake.store.url, states, tuple(_unplaced_problems(open_)))


def _errors(lake: Lake) -> dict[Place, str]:
    """Why days were not written the last time they were tried, in any of their units."""
    found: dict[Place, str] = {}
    for failure in FailedDays(lake.store).failures():
        if not _written_since(lake, failure):
            words = f"{failure.error} (run {failure.run_id}, {failure.at:%Y-%m-%d %H:%M}Z)"
            found[failure.day] = "; ".join(filter(None, (found.get(failure.day), words)))
    return found


def _written_since(lake: Lake, failure: Failure) -> bool:
    """Whether the day was written after all, by a run that died before it could say so."""
    manifest = lake.manifest(UNITS[failure.unit], failure.day)
    return manifest is not None and manifest.committed_at > failure.at


def _unplaced_problems(open_: _Open) -> list[str]:
    pending, error = open_.pending.get(UNKNOWN_DAY), open_.errors.get(UNKNOWN_DAY)
    problems = [] if pending is None else [f"{words_of(pending)}: sync refreshes it"]
    problems += [] if error is None else [f"the last try failed: {error}"]
    users = open_.errors.get(ALL_DAYS)
    return problems if users is None else [*problems, f"the last try failed: {users}"]


def totals(states: list[DayState]) -> dict[str, int]:
    """The sums over days."""
    names = ("raw_rows", "conversations", "messages", "quarantined")
    sums = {name: sum(getattr(state, name) or 0 for state in states) for name in names}
    return {
        "days": len(states),
        **sums,
        "problems": sum(len(state.problems) for state in states),
        "pending": sum(state.pending is not None for state in states),
        "failed": sum(state.error is not None for state in states),
        "untranslated": sum(sum((state.untranslated or {}).values()) for state in states),
    }


def _same_meaning(settings: Settings, lake: Lake) -> None:
    """Refuse a lake whose days mean something else; nothing is written."""
    ensure_identity(lake.store, LakeIdentity.of(settings))


def _state(
    day: date,
    manifests: Mapping[str, Mapping[date, Manifest]],
    records: Records | None,
    open_: _Open,
) -> DayState:
    here = {unit: found[day] for unit, found in manifests.items() if day in found}
    raw = here.get(RAW.name)
    problems = lake_problems(here)
    mongo = None
    if records is not None:
        mongo, more = mongo_problems(day, here, records)
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
        pending=open_.pending.get(day),
        error=open_.errors.get(day),
        untranslated=_untranslated(here.get(TRANSLATIONS_UNIT.name)),
    )


def _untranslated(manifest: Manifest | None) -> dict[str, int] | None:
    """The texts without a translation that should have one."""
    counts = manifest.counts if manifest else {}
    given_up = counts.get("given_up", 0) + counts.get("too_long", 0)
    found = {
        "failed": counts.get("failed", 0) - given_up,
        "pending": counts.get("pending", 0),
        "given_up": given_up,
    }
    return found if any(found.values()) else None


def _rows(manifest: Manifest | None, *tables: str) -> int | None:
    return None if manifest is None else sum(manifest.tables[name].rows for name in tables)

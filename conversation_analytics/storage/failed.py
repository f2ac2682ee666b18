"""Which days could not be written the last time: notes in the lake, gone with the next success.

_sync/failed/messages/2024-01-31.json       {"error": "…", "run_id": "…", "at": "…"}
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from conversation_analytics.storage.layout import SYNC_FOLDER, Place, place
from conversation_analytics.storage.store import ObjectStore

_NOTES = f"{SYNC_FOLDER}failed/"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a unit's day was not written.

    Attributes:
        unit: name of the unit.
        day: the day, ``unknown`` for rows whose day cannot be told, ``all`` for all days at once.
        error: what happened, for people.
        run_id: the run that failed.
        at: wall-clock time of it.
    """

    unit: str
    day: Place
    error: str
    run_id: str
    at: datetime


class FailedDays:
    """The failures of a lake, the last of each unit's day. Methods may raise `StoreUnavailable`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def note(self, unit: str, day: Place, error: str, run_id: str) -> None:
        """Note that a day was not written."""
        note = {"error": error, "run_id": run_id, "at": datetime.now(UTC)}
        self._store.put(_key(unit, day), orjson.dumps(note))

    def forget(self, unit: str, day: Place) -> None:
        """The day was written."""
        self._store.delete([_key(unit, day)])

    def days(self, unit: str) -> set[Place]:
        """The days of a unit that failed."""
        prefix = f"{_NOTES}{unit}/"
        return {_day_of(key) for key in self._store.list(prefix)}

    def failures(self) -> list[Failure]:
        """Every failure, by unit and day."""
        found = []
        for key in self._store.list(_NOTES):
            data = self._store.get(key)
            if data is not None:
                note = orjson.loads(data)
                unit = key.removeprefix(_NOTES).partition("/")[0]
                at = datetime.fromisoformat(note["at"])
                found.append(Failure(unit, _day_of(key), note["error"], note["run_id"], at))
        return found


def _key(unit: str, day: Place) -> str:
    return f"{_NOTES}{unit}/{day}.json"


def _day_of(key: str) -> Place:
    return place(key.rpartition("/")[2].removesuffix(".json"))

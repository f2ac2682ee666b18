"""Keeping a lake tidy: what writers that were killed left behind, and nobody came back for.

Whoever writes a day removes what was left there before, so this only matters for days that are
not written again. It may run beside writers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CLAIMS_FOLDER,
    UNITS,
    Place,
    Unit,
    claims,
    place,
)


@dataclass(frozen=True)
class Tidied:
    """What was done.

    Attributes:
        objects: objects that were in the lake.
        removed: how many of them are gone.
        days: days of units that had leftovers, or files that could be some.
        folded: whether the index was folded into one file.
    """

    objects: int
    removed: int
    days: int
    folded: bool


def tidy_lake(lake: Lake) -> Tidied:
    """Remove surplus files, overtaken claims and half-written files, and fold the index.

    The highest claim on a day stays, whoever made it: without it, a writer that wakes up late
    could have the same epoch as a new one.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    keys = lake.store.list("")
    in_folder = Counter(_folder(key) for key in keys if not key.endswith("_manifest.json"))
    folders = set(in_folder)
    looked_into = 0
    for unit, day in _claimed(keys):
        tables = [lake.layout.folder(table.name, day) for table in unit.tables]
        folders.update(tables)  # with nothing but a half-written file it is not among the keys'
        if max(in_folder[folder] for folder in (*tables, claims(unit, day))) > 1:
            _tidy_day(lake, unit, day)
            looked_into += 1
    for folder in sorted(folders):
        lake.store.discard_abandoned(folder)
    folded = len(lake.index.snapshot().keys) > 1 and lake.index.compact(force=True)
    removed = set(keys) - set(lake.store.list(""))
    return Tidied(len(keys), len(removed), looked_into, folded)


def _tidy_day(lake: Lake, unit: Unit, day: Place) -> None:
    lake.store.delete(lake.store.list(claims(unit, day))[:-1])
    manifest = lake.manifest(unit, day)
    if manifest:
        lake.tidy(unit, day, manifest)


def _claimed(keys: Iterable[str]) -> list[tuple[Unit, Place]]:
    """The days that were ever claimed, by unit: all there are."""
    names = {tuple(key.split("/")[1:3]) for key in keys if key.startswith(CLAIMS_FOLDER)}
    return [(UNITS[unit], place(day)) for unit, day in sorted(names)]


def _folder(key: str) -> str:
    return key.rpartition("/")[0] + "/"

"""What the lake has of source rows, day by day: asked when a row looks changed."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.errors import TornDay
from conversation_analytics.partitions import BEGINNING
from conversation_analytics.schemas import QUARANTINE, RAW_CONVERSATIONS, RAW_MESSAGES
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import RAW, UNKNOWN_DAY, UNPLACED, Day, Unit

_OWN = {
    "conversations": RAW_CONVERSATIONS.name,
    "messages": RAW_MESSAGES.name,
}


@dataclass(frozen=True)
class KnownDay:
    """The source rows a day of the lake holds: kept, in quarantine, or duplicates of such.

    Attributes:
        mark: change mark of the raw day; the beginning of time if there is none.
        hashes: by table, the row hashes by source key; none of a day whose write was cut off.
    """

    mark: datetime
    hashes: dict[str, dict[str, str]]


class KnownRows:
    """Source rows of the lake, read by the day and kept for as long as this object lives."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._days: dict[Day, KnownDay] = {}

    def of(self, day: Day) -> KnownDay:
        """What the lake holds of a day."""
        if day not in self._days:
            self._days[day] = self._read(day)
        return self._days[day]

    def read(self, days: Collection[Day]) -> None:
        """Read several days at once."""
        missing = [day for day in days if day not in self._days]
        with ThreadPoolExecutor(self._lake.io_threads) as pool:
            self._days.update(zip(missing, pool.map(self._read, missing), strict=True))

    def days_with(self, table: str, keys: Collection[str]) -> dict[str, set[Day]]:
        """The days that hold each of some source keys; reads the keys of every day there is.

        A row is looked for this way when it is not where it should be, which is rare.
        """
        wanted = pa.array(keys, pa.string())
        found: dict[str, set[Day]] = {}
        days: list[Day] = [*self._lake.days(RAW), UNKNOWN_DAY]
        with ThreadPoolExecutor(self._lake.io_threads) as pool:
            for day, held in zip(days, pool.map(lambda d: self._keys(table, d), days), strict=True):
                for key in held.filter(pc.is_in(held, wanted)).to_pylist():
                    found.setdefault(key, set()).add(day)
        return found

    def _keys(self, table: str, day: Day) -> pa.ChunkedArray:
        columns = {QUARANTINE.name: ["source_table", "source_key"]}
        if day != UNKNOWN_DAY:
            columns[_OWN[table]] = ["source_key"]
        read = self._tables(day, columns)
        if read is None:
            return pa.chunked_array([], pa.string())
        chunks = _quarantined(read[QUARANTINE.name], table)["source_key"].chunks
        if day != UNKNOWN_DAY:
            chunks += read[_OWN[table]]["source_key"].chunks
        return pa.chunked_array(chunks, pa.string())

    def _read(self, day: Day) -> KnownDay:
        hashed = ["source_key", "row_hash"]
        columns = {QUARANTINE.name: ["source_table", *hashed]}
        if day != UNKNOWN_DAY:
            columns |= dict.fromkeys(_OWN.values(), hashed)
        hashes: dict[str, dict[str, str]] = {"conversations": {}, "messages": {}}
        manifest = self._lake.manifest(_unit(day), day)
        tables = None if manifest is None else self._tables(day, columns)
        mark = (manifest.change_mark if manifest else None) or BEGINNING
        if manifest is None or tables is None:
            return KnownDay(mark, hashes)
        for table, known in hashes.items():
            known.update(manifest.collapsed.get(table, {}))
            parts = [_quarantined(tables[QUARANTINE.name], table)]
            parts += [tables[_OWN[table]]] if day != UNKNOWN_DAY else []
            for part in parts:
                keys, values = (part[name].to_pylist() for name in hashed)
                known.update(zip(keys, values, strict=True))
        return KnownDay(mark, hashes)

    def _tables(self, day: Day, columns: dict[str, list[str]]) -> dict[str, pa.Table] | None:
        """The tables of a day; null if there are none, or none that can be relied on."""
        try:
            read = self._lake.read_day(_unit(day), day, columns)
        except TornDay:
            return None
        return None if read is None else read[1]


def _unit(day: Day) -> Unit:
    return UNPLACED if day == UNKNOWN_DAY else RAW


def _quarantined(quarantine: pa.Table, table: str) -> pa.Table:
    return quarantine.filter(pc.equal(quarantine["source_table"], table))

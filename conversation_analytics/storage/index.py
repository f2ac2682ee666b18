"""The id → day index: which day a conversation lives in.

A base file holds most entries; each commit of a raw day adds a small delta that replaces all of
that day's entries, and deltas are folded into the next base when there are many. Where several
days list one conversation, the entry from the latest reading of the source wins. A base knows the
epoch of each day in it, so a delta that an overtaken writer adds late counts for nothing.
Everything can be rebuilt from the raw days.

    _index/base-0000000007.parquet            conversation_id, day, mark; epochs as metadata
    _index/deltas/2024-01-31-0000000012.parquet
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conversation_analytics.errors import StorageError
from conversation_analytics.partitions import to_micros
from conversation_analytics.storage.failpoints import FOLD, INDEX, failpoint
from conversation_analytics.storage.layout import INDEX_FOLDER
from conversation_analytics.storage.store import ObjectStore

_SCHEMA = pa.schema([("conversation_id", pa.string()), ("day", pa.date32()), ("mark", pa.int64())])
_BASE = f"{INDEX_FOLDER}base-"
_DELTAS = f"{INDEX_FOLDER}deltas/"
_MANY_DELTAS = 64
_READ_ATTEMPTS = 5
_EPOCHS = b"epochs"


@dataclass(frozen=True)
class IndexSnapshot:
    """The index at one moment.

    Attributes:
        entries: conversation_id, day, mark (microseconds of the reading); an id may be listed by
            several days while it moves.
        epochs: by day, the epoch of the writer that recorded it.
        base: number of the base file read.
        keys: the files read.
    """

    entries: pa.Table
    epochs: dict[date, int]
    base: int
    keys: tuple[str, ...]

    def owners(self) -> pa.Table:
        """conversation_id, day: the one day each conversation lives in."""
        ordered = self.entries.sort_by([("mark", "descending"), ("day", "descending")])
        first = ordered.group_by("conversation_id", use_threads=False).aggregate([("day", "first")])
        return first.rename_columns(["conversation_id", "day"])

    def marks(self) -> dict[date, int]:
        """By day that lists any conversation, the mark of its latest reading."""
        found = self.entries.group_by("day").aggregate([("mark", "max")])
        return dict(zip(found["day"].to_pylist(), found["mark_max"].to_pylist(), strict=True))

    def days_of(self, ids: Sequence[str]) -> dict[str, date]:
        """The day of each of `ids` that is known."""
        wanted = pc.is_in(self.entries["conversation_id"], pa.array(ids, pa.string()))
        found = replace(self, entries=self.entries.filter(wanted)).owners()
        return dict(
            zip(*(found[name].to_pylist() for name in ("conversation_id", "day")), strict=True)
        )

    def ids_of(self, days: Sequence[date]) -> set[str]:
        """The conversations that live in one of `days`."""
        owners = self.owners()
        here = pc.is_in(owners["day"], pa.array(days, pa.date32()))
        return set(owners.filter(here)["conversation_id"].to_pylist())

    def disowned(self) -> dict[date, frozenset[str]]:
        """By day, the conversations it still lists although they live in another day."""
        counts = self.entries.group_by("conversation_id").aggregate([("day", "count")])
        twice = counts.filter(pc.greater(counts["day_count"], 1))["conversation_id"]
        if not len(twice):
            return {}
        listed = self.entries.filter(pc.is_in(self.entries["conversation_id"], twice))
        owner = self.days_of(twice.to_pylist())
        lost: dict[date, set[str]] = {}
        for row in listed.to_pylist():
            if owner[row["conversation_id"]] != row["day"]:
                lost.setdefault(row["day"], set()).add(row["conversation_id"])
        return {day: frozenset(ids) for day, ids in lost.items()}


class Index:
    """The id → day index of a lake."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def snapshot(self) -> IndexSnapshot:
        """Read the whole index.

        Raises:
            StorageError: it kept changing while it was read.
        """
        for _ in range(_READ_ATTEMPTS):
            snapshot = self._read_all()
            if snapshot is not None:
                return snapshot
        raise StorageError(
            f"{self._store.url}/{INDEX_FOLDER}: files vanish while they are read; is another run "
            "rewriting the index? Try again when it is done"
        )

    def _read_all(self) -> IndexSnapshot | None:
        """The index, or null if a newer base appeared meanwhile: its deltas may be gone."""
        bases = self._store.list(_BASE)
        deltas = self._store.list(_DELTAS)
        found = self._store.get(bases[-1]) if bases else _encode(_SCHEMA.empty_table(), {})
        if found is None:
            return None
        base, epochs = _decode(found)
        newest = {}
        for key in deltas:
            day, epoch = _delta_of(key)
            if epoch > epochs.get(day, -1):
                newest[day], epochs[day] = key, epoch
        data = [self._store.get(key) for key in newest.values()]
        if None in data or self._store.list(_BASE) != bases:
            return None
        parts = [_decode(one)[0] for one in data if one is not None]
        replaced = pc.is_in(base["day"], pa.array(newest, pa.date32()))
        entries = pa.concat_tables([base.filter(pc.invert(replaced)), *parts])
        number = int(bases[-1].removeprefix(_BASE).removesuffix(".parquet")) if bases else 0
        return IndexSnapshot(entries, epochs, number, (*bases, *deltas))

    def record(self, day: date, ids: pa.Array, *, mark: datetime, epoch: int) -> None:
        """Say that exactly `ids` live in `day`, as of a reading of the source at `mark`."""
        count = len(ids)
        columns = [
            ids,
            pa.repeat(pa.scalar(day, pa.date32()), count),
            pa.repeat(pa.scalar(to_micros(mark), pa.int64()), count),
        ]
        key = f"{_DELTAS}{day}-{epoch:010d}.parquet"
        failpoint(INDEX)
        self._store.put(key, _encode(pa.table(columns, schema=_SCHEMA), {day: epoch}))

    def compact(self, *, force: bool = False) -> bool:
        """Fold the deltas into a new base if there are many; tells whether it did.

        Of two that fold at once, the one that creates the next base wins and the other leaves
        everything as it is.
        """
        if not force and len(self._store.list(_DELTAS)) <= _MANY_DELTAS:
            return False
        seen = self.snapshot()
        key = f"{_BASE}{seen.base + 1:010d}.parquet"
        failpoint(FOLD)
        if not self._store.create(key, _encode(seen.entries, seen.epochs)):
            return False
        failpoint(FOLD)
        self._store.delete(seen.keys)
        for folder in (INDEX_FOLDER, _DELTAS):
            self._store.discard_abandoned(folder)
        return True

    def clear(self) -> None:
        """Forget everything."""
        self._store.delete(self._store.list(INDEX_FOLDER))


def _encode(table: pa.Table, epochs: dict[date, int]) -> bytes:
    sink = pa.BufferOutputStream()
    note = orjson.dumps(epochs, option=orjson.OPT_NON_STR_KEYS)
    known = table.replace_schema_metadata({_EPOCHS: note})
    pq.write_table(known, sink, compression="zstd", use_dictionary=["day", "mark"])
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _decode(data: bytes) -> tuple[pa.Table, dict[date, int]]:
    """Entries and the epochs of their days; a base of an earlier version does not tell these."""
    table = pq.read_table(pa.BufferReader(data))
    epochs = orjson.loads((table.schema.metadata or {}).get(_EPOCHS, b"{}"))
    known = {date.fromisoformat(day): int(epoch) for day, epoch in epochs.items()}
    return table.replace_schema_metadata(None).cast(_SCHEMA), known


def _delta_of(key: str) -> tuple[date, int]:
    """The day and the epoch in a delta's key."""
    name = key.removeprefix(_DELTAS).removesuffix(".parquet")
    return date.fromisoformat(name[:10]), int(name[11:])

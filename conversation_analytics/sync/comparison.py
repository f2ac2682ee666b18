"""The source against the lake, row by row, for every day: what sweeps and the ledger rest on.

The whole source is read and placed as for a backfill, so the comparison knows every rule that a
backfill knows; only nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.compute.runner import InProcessRunner, Runner
from conversation_analytics.errors import TornDay
from conversation_analytics.partitions import BEGINNING
from conversation_analytics.schemas import QUARANTINE
from conversation_analytics.settings import Settings
from conversation_analytics.sources.base import SourceInfo
from conversation_analytics.sources.interpret import Interpreter, build_interpreter
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.encoding import table_hash
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import RAW, UNKNOWN_DAY, UNPLACED, Day, Unit
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.transforms.raw_tables import raw_tables
from conversation_analytics.transforms.reading import Reading
from conversation_analytics.transforms.settled import settle_source
from conversation_analytics.transforms.staging import Placement, Staging


@dataclass(frozen=True)
class Content:
    """A table of a day.

    Attributes:
        rows: how many.
        hash: of its rows, whatever their order; empty if it is not there.
    """

    rows: int = 0
    hash: str = ""


@dataclass(frozen=True)
class TableComparison:
    """A raw table of a day in the source and in the lake.

    Attributes:
        table: its name.
        source: what it should be.
        lake: what it is.
        new: ids that only the source has.
        changed: ids whose rows differ.
        vanished: ids that only the lake has.
    """

    table: str
    source: Content
    lake: Content
    new: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    vanished: frozenset[str] = frozenset()

    @property
    def equal(self) -> bool:
        """Whether they agree; a table that is nowhere agrees with one without rows."""
        return self.source.hash == self.lake.hash or self.source.rows == self.lake.rows == 0


@dataclass(frozen=True)
class DayComparison:
    """The raw rows of a day in the source and in the lake.

    Attributes:
        day: the day.
        mark: change mark of the lake's day; the beginning of time if there is none.
        tables: each raw table.
        rows: what the tables should be.
    """

    day: Day
    mark: datetime
    tables: tuple[TableComparison, ...]
    rows: Mapping[str, pa.Table] = field(default_factory=dict, repr=False)

    @property
    def equal(self) -> bool:
        """Whether source and lake agree on the day."""
        return all(table.equal for table in self.tables)

    def reasons(self) -> dict[str, int]:
        """What differs, with the number of rows."""
        found: dict[str, int] = {}
        for table in self.tables:
            for reason in ("new", "changed", "vanished"):
                count = len(getattr(table, reason))
                if count:
                    found[reason] = found.get(reason, 0) + count
        return found or {"rows in another order": 1}


@dataclass(frozen=True)
class PlacedSource:
    """The whole source, read and placed.

    Attributes:
        identity: what names the source and its mapping.
        info: what the probe found before reading.
        interpreter: how rows are read.
        placement: where each row belongs.
    """

    identity: str
    info: SourceInfo
    interpreter: Interpreter
    placement: Placement


@contextmanager
def placed_source(
    settings: Settings, lake: Lake, opened: OpenedSource, runner: Runner
) -> Iterator[PlacedSource]:
    """Read the whole source, for as long as the context lasts.

    Raises:
        LakeMismatch: the lake is another source's.
        SourceError: the source cannot be read, or its columns have changed.
        DataCheckFailed: rows were lost or doubled on the way.
    """
    info = opened.source.probe()
    identity = settle_source(settings, lake.store, opened, info)
    interpreter = build_interpreter(opened.mapping, info)
    calendar = settings.calendar
    chosen = InProcessRunner() if info.kind == "nocodb" else runner
    with Staging(interpreter, calendar, calendar.day_of(info.clock), chosen) as staging:
        reading = Reading(opened.source, info, staging, lake, settings)
        placement = reading.whole()
        lake.pending.take_rows_off()
        yield PlacedSource(identity, info, interpreter, placement)


def compare_days(lake: Lake, placement: Placement) -> Iterator[DayComparison]:
    """Every day that the source or the lake has, in order, those without a day last.

    Raises:
        StorageError: the lake cannot be read.
    """
    days: list[Day] = sorted({*placement.days(), *lake.days(RAW)})
    for day in [*days, UNKNOWN_DAY]:
        yield compare_day(lake, placement, day)


def compare_day(lake: Lake, placement: Placement, day: Day) -> DayComparison:
    """One day in the source and in the lake.

    Raises:
        StorageError: the lake cannot be read.
    """
    unit = UNPLACED if day == UNKNOWN_DAY else RAW
    rows, _ = raw_tables(placement, day)
    manifest = lake.manifest(unit, day)
    hashes = {schema.name: table_hash(rows[schema.name], schema) for schema in unit.tables}
    equal = manifest is not None and all(
        manifest.tables[name].content_hash == hash_ for name, hash_ in hashes.items()
    )
    held = None if equal else _held(lake, unit, day)
    if held is not None:
        manifest = held[0]
    tables = tuple(
        _compare(name, rows[name], hash_, manifest, held and held[1][name])
        for name, hash_ in hashes.items()
    )
    mark = manifest.change_mark if manifest else None
    return DayComparison(day, mark or BEGINNING, tables, rows)


def _held(lake: Lake, unit: Unit, day: Day) -> tuple[Manifest, dict[str, pa.Table]] | None:
    """What the lake has of a day; null if that is nothing, or its write was cut off."""
    try:
        return lake.read_day(unit, day, _compared(unit))
    except TornDay:
        return None


def _compared(unit: Unit) -> dict[str, list[str]]:
    """The columns that tell rows apart and whether they are equal, by table."""
    return {
        schema.name: list(dict.fromkeys((*_identity(schema.name), "row_hash")))
        for schema in unit.tables
    }


def _identity(table: str) -> tuple[str, ...]:
    if table == QUARANTINE.name:
        return ("source_table", "source_id", "row_hash")
    return ("message_id",) if table == "raw_messages" else ("conversation_id",)


def _compare(
    name: str, rows: pa.Table, hash_: str, manifest: Manifest | None, held: pa.Table | None
) -> TableComparison:
    source = Content(rows.num_rows, hash_)
    entry = manifest.tables[name] if manifest else None
    lake = Content(entry.rows, entry.content_hash) if entry else Content()
    if source.hash == lake.hash:
        return TableComparison(name, source, lake)
    wanted, there = _hashes(name, rows), {} if held is None else _hashes(name, held)
    return TableComparison(
        name,
        source,
        lake,
        new=frozenset(wanted.keys() - there.keys()),
        changed=frozenset(id_ for id_ in wanted.keys() & there.keys() if wanted[id_] != there[id_]),
        vanished=frozenset(there.keys() - wanted.keys()),
    )


def _hashes(name: str, table: pa.Table) -> dict[str, str]:
    """The hash of each row by what identifies it."""
    parts = [pc.fill_null(table[column], "") for column in _identity(name)]
    ids = pc.binary_join_element_wise(*parts, " ") if len(parts) > 1 else parts[0]
    return dict(zip(ids.to_pylist(), table["row_hash"].to_pylist(), strict=True))

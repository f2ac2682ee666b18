"""What the lake really holds of a day: its files read back, whatever state they are in."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from conversation_analytics.errors import StorageError, StoreUnavailable
from conversation_analytics.schemas import TABLES, TableSchema
from conversation_analytics.storage.encoding import content_hash, digest, row_hashes, table_hash
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import Day, Unit
from conversation_analytics.storage.manifest import FileEntry, Manifest, TableEntry
from conversation_analytics.sync.comparison import Content


@dataclass(frozen=True)
class HeldTable:
    """A table of a day as the lake holds it.

    Attributes:
        schema: its schema.
        rows: its rows; null if they cannot be read.
        content: their number and hash, worked out anew.
        hashes: the hash of each row, worked out anew, in row order.
        damage: why it is not what was once written; empty if it is.
    """

    schema: TableSchema
    rows: pa.Table | None
    content: Content = field(default_factory=Content)
    hashes: tuple[str, ...] = ()
    damage: str = ""


@dataclass(frozen=True)
class HeldDay:
    """A unit's day as the lake holds it.

    Attributes:
        manifest: its manifest; null if there is none, or none that can be read.
        tables: its tables by name; empty if the day was never committed.
        damage: why the manifest cannot be read; empty if it can.
    """

    manifest: Manifest | None = None
    tables: dict[str, HeldTable] = field(default_factory=dict)
    damage: str = ""

    @property
    def damaged(self) -> bool:
        """Whether any of it is not what was once written."""
        return bool(self.damage or any(table.damage for table in self.tables.values()))


def held_day(lake: Lake, unit: Unit, day: Day) -> HeldDay:
    """Read a unit's day back from its files, and work its hashes out anew.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    try:
        found = lake.read_day(unit, day)
    except StoreUnavailable:
        raise
    except (StorageError, pa.ArrowException):
        return _damaged_day(lake, unit, day)
    if found is None:
        return HeldDay()
    manifest, tables = found
    return HeldDay(
        manifest,
        {
            name: _examined(manifest.tables[name], TABLES[name], rows)
            for name, rows in tables.items()
        },
    )


def _damaged_day(lake: Lake, unit: Unit, day: Day) -> HeldDay:
    try:
        manifest = lake.manifest(unit, day)
    except StoreUnavailable:
        raise
    except StorageError as error:
        return HeldDay(damage=str(error))
    if manifest is None:  # it was deleted meanwhile
        return HeldDay()
    return HeldDay(
        manifest,
        {
            name: _from_files(lake, TABLES[name], manifest.tables[name])
            for name in (schema.name for schema in unit.tables)
        },
    )


def _from_files(lake: Lake, schema: TableSchema, entry: TableEntry) -> HeldTable:
    """A table whose files may be damaged or gone."""
    parts, damage = [], []
    for file in entry.files:
        rows, problem = _file(lake, schema, file)
        damage += [problem] if problem else []
        parts += [rows] if rows is not None else []
    rows = pa.concat_tables(parts) if parts else None
    examined = HeldTable(schema, None) if rows is None else _examined(entry, schema, rows)
    words = "; ".join(damage) or examined.damage
    return HeldTable(schema, rows, examined.content, examined.hashes, words)


def _file(lake: Lake, schema: TableSchema, file: FileEntry) -> tuple[pa.Table | None, str]:
    """What can be read of a file, and what is wrong with it."""
    data = lake.store.get(file.key)
    if data is None:
        return None, f"{file.key} is gone"
    problem = "" if digest(data) == file.hash else f"{file.key} is not the file that was written"
    try:
        table = pq.read_table(pa.BufferReader(data)).select(schema.names).cast(schema.arrow)
    except (pa.ArrowException, KeyError, ValueError):
        return None, f"{file.key} cannot be read"
    return table.replace_schema_metadata(None), problem


def _examined(entry: TableEntry, schema: TableSchema, rows: pa.Table) -> HeldTable:
    """A table with its hashes, and whether they are those that were written down."""
    hashes = row_hashes(rows, schema)
    told = rows["content_hash"].to_pylist() if "content_hash" in schema.by_name else hashes
    total = content_hash(hashes) if told is not hashes else table_hash(rows, schema)
    content = Content(rows.num_rows, total)
    damage = ""
    if (entry.rows, entry.content_hash) != (content.rows, content.hash) or told != hashes:
        damage = "its rows are not those that its hashes tell of"
    return HeldTable(schema, rows, content, tuple(hashes), damage)

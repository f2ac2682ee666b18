"""The ledger: for every day and table, whether source, lake and MongoDB agree, row by row.

    source rows, placed ─> raw tables ─> messages ─> conversations      what should be there
           │                   │             │             │
           └───────────── compared with the lake's files, read back ── compared with MongoDB

Nothing is taken on trust: the lake's hashes are worked out anew from its files, MongoDB's documents
are compared field by field with the lake's rows. One day is in memory at a time. Categories and
translations are not made anew: whether they are whole and of these conversations is compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from conversation_analytics.compute.runner import Runner
from conversation_analytics.partitions import BEGINNING, MICROSECOND
from conversation_analytics.schemas import (
    CONVERSATIONS,
    MESSAGE_ACTIVITY,
    MESSAGES,
    QUARANTINE,
    TableSchema,
)
from conversation_analytics.settings import Settings
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.collections import COLLECTIONS
from conversation_analytics.storage.encoding import row_hashes, table_hash
from conversation_analytics.storage.freshness import DERIVED
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    RAW,
    UNKNOWN_DAY,
    UNPLACED,
    Day,
    Unit,
)
from conversation_analytics.sync.comparison import (
    Content,
    DayComparison,
    PlacedSource,
    TableComparison,
    placed_source,
)
from conversation_analytics.sync.differences import Differences, between, row_ids
from conversation_analytics.sync.held import HeldDay, HeldTable, held_day
from conversation_analytics.sync.look import Deletions
from conversation_analytics.sync.published import Published, open_published
from conversation_analytics.sync.told import told_compared
from conversation_analytics.transforms.activity import message_activity
from conversation_analytics.transforms.conversations import build_conversations
from conversation_analytics.transforms.messages import build_messages
from conversation_analytics.transforms.raw_tables import raw_tables


@dataclass(frozen=True)
class LedgerDay:
    """A day in source, lake and MongoDB.

    Attributes:
        day: the day, or ``unknown`` for rows whose day cannot be told.
        tables: every table of it, in the lake and, where it is published, in MongoDB.
        mark: a reading of the source with this change mark or a later one brings it up to date.
        damaged: units whose files or manifests in the lake are damaged.
        epochs: of each collection, by the unit whose rows are its documents, the newest that a
            document can rightly have.
        meanwhile: whether it was written after the source was read, so that it may rightly differ.
    """

    day: Day
    tables: tuple[Differences, ...]
    mark: datetime
    damaged: tuple[str, ...] = ()
    epochs: Mapping[str, int] = field(default_factory=dict)
    meanwhile: bool = False

    @property
    def equal(self) -> bool:
        """Whether everything agrees."""
        return all(table.equal for table in self.tables)

    def reasons(self) -> dict[str, int]:
        """What differs, with the number of rows; what is wrong with a whole table counts as one."""
        found: Counter[str] = Counter()
        for table in self.tables:
            found.update({name: count for name, count in table.reasons().items() if count})
            if table.problem and not any(table.reasons().values()):
                found["damaged"] += 1
        return dict(found)

    def as_dict(self) -> dict[str, Any]:
        """The day as plain values: every table, and every id that differs."""
        return {
            "day": str(self.day),
            "equal": self.equal,
            "meanwhile": self.meanwhile,
            "tables": [_plain(table) for table in self.tables],
        }


class Ledger:
    """Compares days of a source that was read with the lake and MongoDB.

    Args:
        settings: the settings.
        lake: the lake.
        placed: the source, read and placed.
        published: MongoDB's collections; null without MongoDB.
        began: wall-clock time at which the source began to be read.
    """

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        placed: PlacedSource,
        published: Published | None,
        began: datetime,
    ) -> None:
        self._began = began
        self._settings = settings
        self._lake = lake
        self._placed = placed
        self.published = published
        self._escalation = re.compile(settings.escalation_pattern)
        self._mark = placed.info.clock - timedelta(seconds=settings.sync_lag_seconds)
        self._deletions = Deletions()

    def days(self, first: date | None = None, last: date | None = None) -> Iterator[LedgerDay]:
        """Every day that anything is known of, in order; those without a day last.

        Args:
            first: first day; null for all, and the rows without a day.
            last: last day, included.

        Raises:
            StoreUnavailable: the lake or MongoDB cannot be read.
        """
        known = {*self._placed.placement.days()}
        for unit in (RAW, *DERIVED):
            known.update(self._lake.days(unit))
        if self.published:
            known |= self.published.days()
        calendar = self._settings.calendar
        begin = max(first or calendar.start, calendar.start)
        end = min(last or date.max, calendar.day_of(self._placed.info.clock))
        for day in sorted(day for day in known if begin <= day <= end):
            yield self._day(day)
        if first is None and last is None:
            yield self._unplaced()

    def refuse_deletions(self) -> None:
        """Refuse to bring the lake up to date where too many of its rows would go.

        Raises:
            MassDeletion: of the days compared so far, the source has lost too many rows.
        """
        self._deletions.refuse(self._settings.max_delete_fraction)

    def _day(self, day: date) -> LedgerDay:
        wanted, _ = raw_tables(self._placed.placement, day)
        interpreter = self._placed.interpreter
        messages = build_messages(wanted, interpreter, escalation=self._escalation)
        conversations = build_conversations(wanted, messages, interpreter)
        activity = message_activity(messages, self._settings.analytics_timezone)
        derived = {
            MESSAGES.name: messages,
            MESSAGE_ACTIVITY.name: activity,
            CONVERSATIONS.name: conversations,
        }
        raw = held_day(self._lake, RAW, day)
        held = {RAW.name: raw} | {unit.name: held_day(self._lake, unit, day) for unit in DERIVED}
        tables = [*_compared(RAW, raw, wanted)]
        for unit in (MESSAGES_UNIT, CONVERSATIONS_UNIT):
            tables += _compared(unit, held[unit.name], derived)
        tables += told_compared(held, conversations)
        self._deletions.count(_of_source(day, tables, wanted))
        if self.published:
            tables += self._in_mongo(self.published, day, held, derived)
        return self._entry(day, held, tables)

    def _in_mongo(
        self,
        published: Published,
        day: date,
        held: Mapping[str, HeldDay],
        derived: Mapping[str, pa.Table],
    ) -> Iterator[Differences]:
        """MongoDB against the lake's rows, as long as they can be trusted."""
        rows = {
            schema.name: _trusted(held[unit.name], schema, derived.get(schema.name))
            for unit in DERIVED
            for schema in unit.tables
        }
        manifests = {unit: one.manifest for unit, one in held.items() if one.manifest}
        for unit, collection in COLLECTIONS.items():
            shown = collection.shown(manifests)
            names = shown.tables if shown else [collection.unit.tables[0].name]
            there = {name: rows[name] for name in names}
            yield published.compare(unit, day, collection.rows(there), shown)

    def _unplaced(self) -> LedgerDay:
        wanted, _ = raw_tables(self._placed.placement, UNKNOWN_DAY)
        held = held_day(self._lake, UNPLACED, UNKNOWN_DAY)
        tables = [*_compared(UNPLACED, held, wanted)]
        self._deletions.count(_of_source(UNKNOWN_DAY, [], wanted))
        return self._entry(UNKNOWN_DAY, {UNPLACED.name: held}, tables)

    def _entry(self, day: Day, held: Mapping[str, HeldDay], tables: list[Differences]) -> LedgerDay:
        manifests = {unit: one.manifest for unit, one in held.items() if one.manifest}
        marks = [one.change_mark for one in manifests.values() if one.change_mark]
        written = max((one.committed_at for one in manifests.values()), default=BEGINNING)
        return LedgerDay(
            day,
            tuple(tables),
            max([self._mark, *(mark + MICROSECOND for mark in marks)]),
            tuple(unit for unit, one in held.items() if one.damaged),
            {
                unit: shown.epoch
                for unit, one in COLLECTIONS.items()
                if (shown := one.shown(manifests))
            },
            meanwhile=written > self._began,
        )


@contextmanager
def open_ledger(
    settings: Settings, lake: Lake, opened: OpenedSource, runner: Runner
) -> Iterator[Ledger]:
    """Read the whole source, to compare its days as long as the context lasts.

    Raises:
        SourceError: the source cannot be read.
        StorageError: the lake or MongoDB cannot be read.
        DataCheckFailed: rows were lost or doubled on the way.
    """
    began = datetime.now(UTC)
    with (
        open_published(settings) as published,
        placed_source(settings, lake, opened, runner) as placed,
    ):
        yield Ledger(settings, lake, placed, published, began)


def _compared(unit: Unit, held: HeldDay, wanted: Mapping[str, pa.Table]) -> Iterator[Differences]:
    """The tables of a unit in the lake against what they should be."""
    for schema in unit.tables:
        there = held.tables.get(schema.name, HeldTable(schema, None, damage=held.damage))
        yield _compare(wanted[schema.name], there)


def _compare(wanted: pa.Table, there: HeldTable) -> Differences:
    schema, damage = there.schema, there.damage
    should = Content(wanted.num_rows, table_hash(wanted, schema))
    if not damage and (should.hash == there.content.hash or _both_empty(should, there)):
        return Differences("lake", schema.name, should, there.content)
    ours = dict(zip(row_ids(wanted, schema), _hashes(wanted, there), strict=True))
    theirs: dict[str, str] = {}
    if there.rows is not None:
        theirs = dict(zip(row_ids(there.rows, schema), _hashes(there.rows, there), strict=True))
    return between("lake", schema.name, (should, ours), (there.content, theirs), damage=damage)


def _both_empty(should: Content, there: HeldTable) -> bool:
    """A table that is nowhere agrees with one without rows."""
    return should.rows == there.content.rows == 0


def _hashes(table: pa.Table, there: HeldTable) -> list[str]:
    """The hash of each row; of damaged tables with the payload, which no hash covers."""
    hashes = list(there.hashes) if table is there.rows else row_hashes(table, there.schema)
    if not there.damage or "payload" not in there.schema.by_name:
        return hashes
    payloads = table["payload"].to_pylist()
    return [f"{hash_} {payload}" for hash_, payload in zip(hashes, payloads, strict=True)]


def _trusted(there: HeldDay, schema: TableSchema, wanted: pa.Table | None) -> pa.Table:
    """The lake's rows, or those that should be there where the lake's are damaged."""
    if there.damaged and wanted is not None:
        return wanted
    held = there.tables.get(schema.name)
    return schema.empty() if held is None or held.rows is None else held.rows


def _of_source(day: Day, tables: list[Differences], wanted: dict[str, pa.Table]) -> DayComparison:
    """The raw tables of a day as sweeps compare them."""
    raw = tuple(
        TableComparison(one.table, one.wanted, one.found, one.new, one.changed, one.vanished)
        for one in tables
        if one.table in {schema.name for schema in RAW.tables}
    )
    return DayComparison(day, BEGINNING, raw, {QUARANTINE.name: wanted[QUARANTINE.name]})


def _plain(table: Differences) -> dict[str, Any]:
    ids = {name: sorted(getattr(table, name)) for name in table.reasons()}
    contents = {
        name: {"rows": content.rows, "hash": content.hash}
        for name, content in (("wanted", table.wanted), ("found", table.found))
    }
    return {"store": table.store, "table": table.table, **contents, **ids, "problem": table.problem}

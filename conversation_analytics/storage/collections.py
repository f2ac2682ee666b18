"""What MongoDB's collections show of the lake: tables as they are, or with others put into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import pyarrow as pa

from conversation_analytics.schemas import (
    CATEGORIES,
    CATEGORY_SUMMARIES,
    CONVERSATIONS,
    MESSAGES,
    TRANSLATIONS,
    Column,
    TableSchema,
)
from conversation_analytics.schemas.base import CONTENT_HASH, STRING
from conversation_analytics.settings import Settings
from conversation_analytics.storage.encoding import content_hash
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    TRANSLATIONS_UNIT,
    UNITS,
    Unit,
)
from conversation_analytics.storage.manifest import Manifest

_SUMMARY_NAMES = CATEGORY_SUMMARIES.names[1:-1]
_SUMMARY_TYPE = pa.struct([CATEGORY_SUMMARIES.arrow.field(name) for name in _SUMMARY_NAMES])

CONVERSATION_DOCUMENTS: Final = TableSchema(
    name=CONVERSATIONS.name,
    description="One document a conversation, with what its categories come to.",
    columns=(
        *CONVERSATIONS.columns,
        Column(
            "categories",
            _SUMMARY_TYPE,
            "The conversation's row of `category_summaries`; null until it has one.",
            hashed=False,
        ),
        replace(
            CONTENT_HASH, name="categories_hash", description="Hash of `categories`.", nullable=True
        ),
    ),
    key=CONVERSATIONS.key,
    order=CONVERSATIONS.order,
    hashes=("content_hash", "categories_hash"),
)


@dataclass(frozen=True)
class ShownDay:
    """What a collection should show of a day.

    Attributes:
        epoch: grows with every write of what it shows.
        content_hash: of all that it shows.
        rows: documents.
        tables: content hash of the day in each table that it shows.
    """

    epoch: int
    content_hash: str
    rows: int
    tables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Collection:
    """A collection of MongoDB.

    Attributes:
        asset: Dagster's name of it.
        setting: the setting that names it.
        unit: whose first table's rows are its documents.
        schema: of the documents.
        beside: a unit whose second table is put into them, where it was made of these very rows.
    """

    asset: str
    setting: str
    unit: Unit
    schema: TableSchema
    beside: Unit | None = None

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units it shows."""
        return (self.unit,) if self.beside is None else (self.unit, self.beside)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables it shows."""
        own = self.unit.tables[0].name
        return (own,) if self.beside is None else (own, CATEGORY_SUMMARIES.name)

    def name(self, settings: Settings) -> str:
        """Its name in MongoDB."""
        name: str = getattr(settings, self.setting)
        return name

    def shown(self, here: Mapping[str, Manifest]) -> ShownDay | None:
        """What it should show of a day; null if that was never made.

        Args:
            here: the day's manifests by unit.
        """
        own = here.get(self.unit.name)
        if own is None:
            return None
        table = self.unit.tables[0].name
        tables = {table: own.tables[table].content_hash}
        other = here.get(self.beside.name) if self.beside else None
        if other is None or not _follows(other, here):
            return ShownDay(own.epoch, own.content_hash, own.tables[table].rows, tables)
        summary = other.tables[CATEGORY_SUMMARIES.name].content_hash
        return ShownDay(
            own.epoch + other.epoch,
            content_hash([own.content_hash, summary]),
            own.tables[table].rows,
            {**tables, CATEGORY_SUMMARIES.name: summary},
        )

    def rows(self, tables: Mapping[str, pa.Table]) -> pa.Table:
        """The rows of a day's documents.

        Args:
            tables: the day's tables that it shows, by name.
        """
        rows = tables[self.unit.tables[0].name]
        return rows if self.beside is None else _with_summaries(rows, tables)

    def manifests(self, lake: Lake, day: date) -> dict[str, Manifest]:
        """The day's manifests of the units it shows, by unit."""
        found = {unit.name: lake.manifest(unit, day) for unit in self.units}
        return {name: manifest for name, manifest in found.items() if manifest is not None}

    def read(self, lake: Lake, day: date) -> tuple[ShownDay, pa.Table] | None:
        """What it should show of a day, and the rows of its documents; null if never made.

        Raises:
            TornDay: a write of the day was cut off half-way.
        """
        found = lake.read_day(self.unit, day)
        if found is None:
            return None
        manifests, tables = {self.unit.name: found[0]}, dict(found[1])
        if self.beside is not None:
            columns = {CATEGORY_SUMMARIES.name: CATEGORY_SUMMARIES.names}
            other = lake.read_day(self.beside, day, columns)
            manifests |= {} if other is None else {self.beside.name: other[0]}
            tables |= {} if other is None else other[1]
        shown = self.shown(manifests)
        if shown is None:
            return None
        return shown, self.rows({name: tables[name] for name in shown.tables})


def _follows(manifest: Manifest, here: Mapping[str, Manifest]) -> bool:
    """Whether a day was made of what there is now, of those inputs that are at hand."""
    return all(
        manifest.inputs.get(name) == here[name].content_hash
        for name in UNITS[manifest.unit].inputs
        if name in here
    )


def _with_summaries(rows: pa.Table, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Conversations with their row of `category_summaries`, in their own order."""
    summaries = tables.get(CATEGORY_SUMMARIES.name)
    if summaries is None:
        nothing = [pa.nulls(rows.num_rows, _SUMMARY_TYPE), pa.nulls(rows.num_rows, STRING)]
        return pa.table([*rows.columns, *nothing], schema=CONVERSATION_DOCUMENTS.arrow)
    key = CATEGORY_SUMMARIES.names[0]
    places = {id_: place for place, id_ in enumerate(summaries[key].to_pylist())}
    found = pa.array([places.get(id_) for id_ in rows[key].to_pylist()], pa.int64())
    own = summaries.take(found).combine_chunks()
    parts = [own[name].combine_chunks() for name in _SUMMARY_NAMES]
    merged = pa.StructArray.from_arrays(parts, fields=list(_SUMMARY_TYPE), mask=found.is_null())
    return pa.table(
        [*rows.columns, merged, own[CONTENT_HASH.name]], schema=CONVERSATION_DOCUMENTS.arrow
    )


COLLECTIONS: Final = {
    one.unit.name: one
    for one in (
        Collection(
            "mongo_conversation_messages", "mongodb_messages_collection", MESSAGES_UNIT, MESSAGES
        ),
        Collection(
            "mongo_conversation_analytics",
            "mongodb_conversations_collection",
            CONVERSATIONS_UNIT,
            CONVERSATION_DOCUMENTS,
            beside=CATEGORIES_UNIT,
        ),
        Collection(
            "mongo_conversation_categories",
            "mongodb_categories_collection",
            CATEGORIES_UNIT,
            CATEGORIES,
        ),
        Collection(
            "mongo_conversation_translations",
            "mongodb_translations_collection",
            TRANSLATIONS_UNIT,
            TRANSLATIONS,
        ),
    )
}
"""The collections, by the unit whose rows are their documents."""

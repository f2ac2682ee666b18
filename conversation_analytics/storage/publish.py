"""Committed days of the lake, published to MongoDB.

lake_days ─> publish_days
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from conversation_analytics.errors import TRANSIENT, ConversationAnalyticsError
from conversation_analytics.schemas import TableSchema
from conversation_analytics.storage.displaced import with_displaced
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import Unit
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.storage.mongo import Converged, DayWriter
from conversation_analytics.storage.mongo_days import DayRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LakeDay:
    """A committed day of a table, to be published.

    Attributes:
        schema: of the table.
        day: the day.
        manifest: what the lake says of it; null if it cannot be read.
        table: its rows.
        error: why it cannot be read.
        transient: whether it may go well if it is only tried again.
    """

    schema: TableSchema
    day: date
    manifest: Manifest | None = None
    table: pa.Table | None = None
    error: str = ""
    transient: bool = False


@dataclass(frozen=True)
class PublishedDay:
    """What became of a day.

    Attributes:
        schema: of the table.
        day: the day.
        manifest: the lake's day that MongoDB now agrees with; null if it failed.
        done: documents written and left alone.
        error: why it failed.
        seconds: time it took.
        transient: whether it may go well if it is only tried again.
    """

    schema: TableSchema
    day: date
    manifest: Manifest | None = None
    done: Converged | None = None
    error: str = ""
    seconds: float = 0.0
    transient: bool = False


def lake_days(
    lake: Lake, unit: Unit, days: Sequence[date], recorded: Mapping[date, DayRecord]
) -> Iterator[LakeDay]:
    """Read days of a unit of one table, lazily, with those that moved conversations drag along.

    Args:
        lake: where the days are.
        unit: a unit of one table.
        days: the days asked for.
        recorded: the days MongoDB holds.
    """
    (schema,) = unit.tables

    def is_behind(day: date, _: Manifest) -> bool:
        manifest, record = lake.manifest(unit, day), recorded.get(day)
        return manifest is not None and (
            record is None or record.content_hash != manifest.content_hash
        )

    for day in with_displaced(lake, sorted(set(days)), is_behind):
        try:
            found = lake.read_day(unit, day)
        except ConversationAnalyticsError as error:
            yield LakeDay(schema, day, error=str(error), transient=isinstance(error, TRANSIENT))
            continue
        if found is None:
            words = f"{unit.name} of {day} was never materialised; do that before publishing it"
            yield LakeDay(schema, day, error=words)
        else:
            yield LakeDay(schema, day, found[0], found[1][schema.name])


def publish_days(writer: DayWriter, items: Iterable[LakeDay]) -> Iterator[PublishedDay]:
    """Make MongoDB's days those of the lake, one by one.

    A day that fails is reported and the next one goes on.
    """
    for item in items:
        if item.manifest is None or item.table is None:
            yield PublishedDay(item.schema, item.day, error=item.error, transient=item.transient)
            continue
        started = time.perf_counter()
        try:
            done = writer.converge(
                item.schema,
                item.table,
                day=item.day,
                epoch=item.manifest.epoch,
                content_hash=item.manifest.content_hash,
            )
        except ConversationAnalyticsError as error:
            logger.error("%s", error)
            transient = isinstance(error, TRANSIENT)
            yield PublishedDay(item.schema, item.day, error=str(error), transient=transient)
        else:
            seconds = time.perf_counter() - started
            yield PublishedDay(item.schema, item.day, item.manifest, done, seconds=seconds)

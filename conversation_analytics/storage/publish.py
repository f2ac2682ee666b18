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
from conversation_analytics.storage.collections import Collection, ShownDay
from conversation_analytics.storage.displaced import with_displaced
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.storage.mongo import Converged, DayWriter
from conversation_analytics.storage.mongo_days import DayRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LakeDay:
    """A day of a collection as the lake has it, to be published.

    Attributes:
        schema: of the documents.
        day: the day.
        shown: what the lake says of it; null if it cannot be read.
        table: the rows of the documents.
        error: why it cannot be read.
        transient: whether it may go well if it is only tried again.
    """

    schema: TableSchema
    day: date
    shown: ShownDay | None = None
    table: pa.Table | None = None
    error: str = ""
    transient: bool = False


@dataclass(frozen=True)
class PublishedDay:
    """What became of a day.

    Attributes:
        schema: of the documents.
        day: the day.
        shown: what MongoDB now agrees with; null if it failed.
        done: documents written and left alone.
        error: why it failed.
        seconds: time it took.
        transient: whether it may go well if it is only tried again.
    """

    schema: TableSchema
    day: date
    shown: ShownDay | None = None
    done: Converged | None = None
    error: str = ""
    seconds: float = 0.0
    transient: bool = False


def lake_days(
    lake: Lake, collection: Collection, days: Sequence[date], recorded: Mapping[date, DayRecord]
) -> Iterator[LakeDay]:
    """Read days of a collection, lazily, with those that moved conversations drag along.

    Args:
        lake: where the days are.
        collection: what shows them.
        days: the days asked for.
        recorded: the days MongoDB holds.
    """
    schema = collection.schema

    def is_behind(day: date, _: Manifest) -> bool:
        shown = collection.shown(collection.manifests(lake, day))
        record = recorded.get(day)
        return shown is not None and (record is None or record.content_hash != shown.content_hash)

    for day in with_displaced(lake, sorted(set(days)), is_behind):
        try:
            found = collection.read(lake, day)
        except ConversationAnalyticsError as error:
            yield LakeDay(schema, day, error=str(error), transient=isinstance(error, TRANSIENT))
            continue
        if found is None:
            name = collection.unit.name
            words = f"{name} of {day} was never materialised; do that before publishing it"
            yield LakeDay(schema, day, error=words)
        else:
            yield LakeDay(schema, day, *found)


def publish_days(writer: DayWriter, items: Iterable[LakeDay]) -> Iterator[PublishedDay]:
    """Make MongoDB's days those of the lake, one by one.

    A day that fails is reported and the next one goes on.
    """
    for item in items:
        if item.shown is None or item.table is None:
            yield PublishedDay(item.schema, item.day, error=item.error, transient=item.transient)
            continue
        started = time.perf_counter()
        try:
            done = writer.converge(
                item.schema,
                item.table,
                day=item.day,
                epoch=item.shown.epoch,
                content_hash=item.shown.content_hash,
            )
        except ConversationAnalyticsError as error:
            logger.error("%s", error)
            transient = isinstance(error, TRANSIENT)
            yield PublishedDay(item.schema, item.day, error=str(error), transient=transient)
        else:
            seconds = time.perf_counter() - started
            yield PublishedDay(item.schema, item.day, item.shown, done, seconds=seconds)

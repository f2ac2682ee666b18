"""What MongoDB really holds of a day: its documents, field by field, and its record of the day."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

import pyarrow as pa
from bson import CodecOptions

from conversation_analytics.partitions import day_key, parse_day
from conversation_analytics.settings import Settings
from conversation_analytics.storage.collections import COLLECTIONS, ShownDay
from conversation_analytics.storage.encoding import content_hash
from conversation_analytics.storage.mongo_client import (
    Document,
    MongoDatabase,
    connect,
    our_errors,
    retrying,
)
from conversation_analytics.storage.mongo_days import DAYS, DayRecord, recorded
from conversation_analytics.storage.mongo_documents import documents
from conversation_analytics.sync.comparison import Content
from conversation_analytics.sync.differences import Differences

_READ_BATCH = 10_000


class Published:
    """The collections that show tables of the lake.

    Args:
        database: from `connect`.
        settings: name the collections.
    """

    def __init__(self, database: MongoDatabase, settings: Settings) -> None:
        self._database = database
        self.collections = {unit: one.name(settings) for unit, one in COLLECTIONS.items()}
        self._records: dict[str, Mapping[date, DayRecord]] = {
            unit: recorded(database, collection) for unit, collection in self.collections.items()
        }

    def days(self) -> set[date]:
        """The days that have a record or a document.

        Raises:
            StoreUnavailable: MongoDB cannot be reached.
        """
        found = {day for records in self._records.values() for day in records}
        for collection in self.collections.values():
            found |= {parse_day(text) for text in self._partitions(collection) if _is_day(text)}
        return found

    def _partitions(self, collection: str) -> list[Any]:
        with our_errors(f"listing the days of {collection}"):
            return retrying(lambda: self._database[collection].distinct("partition"))

    def compare(self, unit: str, day: date, rows: pa.Table, shown: ShownDay | None) -> Differences:
        """The documents and the record of a day against the rows they should show.

        A document may have fields that are none of ours. One that was written by an earlier
        epoch is as good as one of the last.

        Args:
            unit: name of the unit whose rows are the documents.
            day: the day.
            rows: the rows of its documents.
            shown: what the lake says of it; null if it cannot be read or there is none.

        Raises:
            StoreUnavailable: MongoDB cannot be reached.
        """
        collection, schema = self.collections[unit], COLLECTIONS[unit].schema
        there = self._documents(collection, day)
        newest = shown.epoch if shown else None

        def hashes(document: Mapping[str, Any]) -> str:
            return " ".join(str(document.get(name)) for name in schema.hashes)

        found = Content(len(there), content_hash(map(hashes, there.values())))
        wanted_hash = content_hash(map(hashes, rows.select(schema.hashes).to_pylist()))
        new, changed, damaged = set(), set(), set()
        for wanted in documents(rows, schema, day=day, epoch=newest or 0):
            id_ = wanted["_id"]
            document = there.pop(id_, None)
            if document is None:
                new.add(id_)
            elif hashes(document) != hashes(wanted):
                changed.add(id_)
            elif _is_damaged(document, wanted, newest):
                damaged.add(id_)
        return Differences(
            "mongodb",
            collection,
            Content(rows.num_rows, wanted_hash),
            found,
            frozenset(new),
            frozenset(changed),
            frozenset(map(str, there)),
            frozenset(damaged),
            self._record_problem(unit, day, shown),
        )

    def forget(self, unit: str, day: date, differing: Collection[str], *, epoch: int) -> None:
        """Make the next publication of a day write some documents anew, and delete any it must.

        A publication leaves a document alone whose hash is right or whose epoch is newer, and
        a day alone that is recorded. The documents stay readable until then.

        Args:
            unit: name of the unit whose rows are the documents.
            day: the day.
            differing: ids of documents to be written.
            epoch: the lake's; no document of the day can rightly have a newer one.

        Raises:
            StoreUnavailable: MongoDB cannot be reached.
        """
        name, partition = self.collections[unit], day_key(day)
        target, ids = self._database[name], list(differing)
        with our_errors(f"preparing to write day {partition} of {name} anew"):
            for start in range(0, len(ids), _READ_BATCH):
                wanted = {"_id": {"$in": ids[start : start + _READ_BATCH]}, "partition": partition}
                target.update_many(wanted, {"$unset": {"content_hash": "", "epoch": ""}})
            newer = {"partition": partition, "epoch": {"$gt": epoch}}
            target.update_many(newer, {"$unset": {"epoch": ""}})
            self._database[DAYS].delete_one({"_id": f"{name}|{partition}"})

    def _documents(self, collection: str, day: date) -> dict[Any, Document]:
        # Times as `documents` gives them: naive, in UTC.
        naive: CodecOptions[Document] = CodecOptions(tz_aware=False)
        target = self._database[collection].with_options(naive)

        def read() -> dict[Any, Document]:
            cursor = target.find({"partition": day_key(day)}).batch_size(_READ_BATCH)
            return {document["_id"]: document for document in cursor}

        with our_errors(f"reading day {day_key(day)} of {collection}"):
            return retrying(read)

    def _record_problem(self, unit: str, day: date, shown: ShownDay | None) -> str:
        record = self._records[unit].get(day)
        if shown is None:
            return "" if record is None else "it is recorded, but not in the lake"
        if record is None:
            return "it is not recorded as complete"
        if (record.content_hash, record.rows) != (shown.content_hash, shown.rows):
            return "it is recorded with other content"
        return ""


@contextmanager
def open_published(settings: Settings) -> Iterator[Published | None]:
    """MongoDB's collections, null where MongoDB is not used; closed afterwards.

    Raises:
        StoreUnavailable: MongoDB cannot be reached.
    """
    if not settings.mongodb_uri:
        yield None
        return
    uri = settings.mongodb_uri.get_secret_value()
    database = connect(uri, database=settings.mongodb_database)
    try:
        yield Published(database, settings)
    finally:
        database.client.close()


def _is_damaged(document: Document, wanted: Document, newest: int | None) -> bool:
    """Whether a document says otherwise than the row it shows, or of an epoch yet to come."""
    epoch = document.get("epoch")
    if not isinstance(epoch, int) or (newest is not None and epoch > newest):
        return True
    return any(
        name not in document or document[name] != value
        for name, value in wanted.items()
        if name != "epoch"
    )


def _is_day(text: object) -> bool:
    try:
        parse_day(str(text))
    except ValueError:
        return False
    return True

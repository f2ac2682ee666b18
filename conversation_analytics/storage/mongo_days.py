"""Which days MongoDB holds completely, and who may write them: the collection `_days`.

A writer first claims a day, which also says that its documents are in motion; last it records the
day as complete. So a day half-written is missing from `recorded`.

There are no transactions, because a stand-alone server has none. A writer that a newer one has
overtaken notices before its next batch. What its last batch may have changed meanwhile it owns up
to by marking the day disturbed, which makes the newer writer compare once more, or, if that one
has finished, takes the day out of `recorded`. The limit of this: an overtaken writer that dies,
or loses its connection, with a batch under way cannot own up; a later call for the day puts right
what that batch did, because it compares every document's hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from pymongo.errors import DuplicateKeyError

from conversation_analytics.errors import FencedWriter
from conversation_analytics.partitions import day_key, parse_day
from conversation_analytics.storage.failpoints import MONGO_CLAIM, MONGO_DAY, failpoint
from conversation_analytics.storage.mongo_client import (
    Document,
    MongoDatabase,
    our_errors,
    retrying,
)

DAYS = "_days"


@dataclass(frozen=True, slots=True)
class DayRecord:
    """A day that MongoDB holds completely.

    Attributes:
        epoch: of the writer that completed it.
        content_hash: of the day's rows.
        rows: number of documents.
        updated_at: when it was completed, by MongoDB's clock.
    """

    epoch: int
    content_hash: str
    rows: int
    updated_at: datetime


def partition_key(day: date | str) -> str:
    """What a partition is called in documents: ``YYYY-MM-DD`` of a day."""
    return day if isinstance(day, str) else day_key(day)


def recorded(database: MongoDatabase, collection: str) -> dict[date, DayRecord]:
    """The days of a collection that are complete, by day.

    Raises:
        StoreUnavailable: MongoDB cannot be reached.
    """
    with our_errors(f"reading which days of {collection} are complete"):
        found = list(database[DAYS].find({"collection": collection, "complete": True}))
    return {
        parse_day(day["partition"]): DayRecord(
            epoch=int(day["epoch"]),
            content_hash=day["content_hash"],
            rows=int(day["rows"]),
            updated_at=day["updated_at"],
        )
        for day in found
    }


class DayClaim:
    """One writer's hold on a day of a collection. Every method may raise the driver's errors."""

    def __init__(
        self, database: MongoDatabase, collection: str, day: date | str, epoch: int
    ) -> None:
        self._days = database[DAYS]
        self._collection = collection
        self._partition = partition_key(day)
        self._id = f"{collection}|{self._partition}"
        self._epoch = epoch

    def check(self) -> Document | None:
        """The day's document, if there is one.

        Raises:
            FencedWriter: it is a newer writer's.
        """
        record = retrying(lambda: self._days.find_one({"_id": self._id}))
        if record is not None and record["epoch"] > self._epoch:
            raise self.lost(record["epoch"])
        return record

    def is_complete(self, content_hash: str, rows: int) -> bool:
        """Whether this very epoch is recorded as complete, with these rows.

        Raises:
            FencedWriter: a newer writer has the day.
        """
        record = self.check()
        return record is not None and (
            bool(record["complete"])
            and record["epoch"] == self._epoch
            and record["content_hash"] == content_hash
            and record["rows"] == rows
        )

    def make(self) -> None:
        """Say that the day is being written.

        Raises:
            FencedWriter: a newer writer has the day.
        """
        claim = {
            "$set": {
                "collection": self._collection,
                "partition": self._partition,
                "epoch": self._epoch,
                "complete": False,
                "disturbed": False,
            },
            "$unset": {"content_hash": "", "rows": ""},
            "$currentDate": {"updated_at": True},
        }
        free = {"_id": self._id, "epoch": {"$lte": self._epoch}}
        failpoint(MONGO_CLAIM)
        for _ in range(2):  # the first may collide with an older writer making the document
            try:
                retrying(lambda: self._days.update_one(free, claim, upsert=True))
            except DuplicateKeyError:
                self.check()
            else:
                return
        raise self.lost()

    def complete(self, content_hash: str, rows: int) -> bool:
        """Record the day; false if an overtaken writer may have changed it meanwhile.

        Raises:
            FencedWriter: a newer writer has the day.
        """
        mine = {"_id": self._id, "epoch": self._epoch, "disturbed": False}
        record = {
            "$set": {"complete": True, "content_hash": content_hash, "rows": rows},
            "$currentDate": {"updated_at": True},
        }
        failpoint(MONGO_DAY)
        if retrying(lambda: self._days.update_one(mine, record)).matched_count:
            return True
        self.check()
        return False

    def own_up(self) -> None:
        """Tell the newer writer that this one may have written after that one looked."""
        newer = {"_id": self._id, "epoch": {"$gt": self._epoch}}
        mark = {"$set": {"complete": False, "disturbed": True}}
        retrying(lambda: self._days.update_one(newer, mark))

    def lost(self, newer: int | None = None) -> FencedWriter:
        """The error that says a newer writer has the day."""
        held = f"epoch {newer}" if newer is not None else "a higher epoch"
        return FencedWriter(
            f"{self._collection}, day {self._partition}: this writer has epoch {self._epoch}, "
            f"MongoDB holds {held}: a newer writer has the day, so leave it to that one. If the "
            "lake was made anew since, its epochs began again: drop the collections "
            f"{self._collection} and {DAYS}, then run again."
        )

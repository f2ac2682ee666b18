"""MongoDB's copy of the lake: each day of a table converges to exactly the lake's rows.

A writer claims the day (see `mongo_days`), writes what differs, and records the day as complete
last. After a kill at any point the same call again completes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import pyarrow as pa
from bson.errors import BSONError
from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError, OperationFailure

from conversation_analytics.errors import FencedWriter, StorageError
from conversation_analytics.schemas import TableSchema
from conversation_analytics.storage.failpoints import MONGO_BATCH, MONGO_DELETE, failpoint
from conversation_analytics.storage.mongo_client import (
    DUPLICATE_KEY,
    Deployment,
    Document,
    MongoDatabase,
    connect,
    describe,
    our_errors,
    retrying,
)
from conversation_analytics.storage.mongo_days import (
    DayClaim,
    DayRecord,
    partition_key,
    recorded,
)
from conversation_analytics.storage.mongo_documents import (
    documents,
    identities,
    refuse_oversized,
)
from conversation_analytics.storage.mongo_indexes import INDEXES, ensure_indexes

__all__ = [
    "INDEXES",
    "Converged",
    "DayRecord",
    "DayWriter",
    "Deployment",
    "connect",
    "describe",
    "documents",
    "ensure_indexes",
    "recorded",
]

_READ_BATCH = 10_000

# One makes documents while the other waits for the server; more only fight for the interpreter.
_USEFUL_THREADS = 2

_Batch = TypeVar("_Batch")
_Done = TypeVar("_Done")


@dataclass(frozen=True, slots=True)
class Converged:
    """What bringing a day up to date took, in documents.

    Attributes:
        inserted: were not there.
        replaced: were there with other content.
        unchanged: were there as they should be, and were not written.
        deleted: were there and should not be.
        moved_in: were there under another day.
    """

    inserted: int = 0
    replaced: int = 0
    unchanged: int = 0
    deleted: int = 0
    moved_in: int = 0


@dataclass(frozen=True, slots=True)
class _Goal:
    """The rows a day should end with."""

    schema: TableSchema
    table: pa.Table
    day: date | str
    epoch: int
    content_hash: str
    ids: list[str]
    hashes: list[tuple[Any, ...]]

    @property
    def partition(self) -> str:
        return partition_key(self.day)

    @property
    def not_newer(self) -> Document:
        """The condition that a document was not written by a newer writer."""
        return {"epoch": {"$not": {"$gt": self.epoch}}}

    @property
    def projection(self) -> Document:
        """The fields that tell whether a document is as it should be."""
        return dict.fromkeys(self.schema.hashes, 1)

    def hashes_of(self, document: Document) -> tuple[Any, ...]:
        """What those fields hold."""
        return tuple(document.get(name) for name in self.schema.hashes)

    def documents(self, positions: Sequence[int]) -> list[Document]:
        """The documents of some rows, given in ascending order."""
        first, count = positions[0], len(positions)
        if positions[-1] - first + 1 == count:
            rows = self.table.slice(first, count)
        else:
            rows = self.table.take(pa.array(positions, pa.int64()))
        return list(documents(rows, self.schema, day=self.day, epoch=self.epoch))

    def refuse_repeated_ids(self, collection: str) -> None:
        """Refuse rows that would overwrite each other."""
        if len(set(self.ids)) < len(self.ids):
            repeated, times = Counter(self.ids).most_common(1)[0]
            raise StorageError(
                f"{collection}, day {self.partition}: {times} rows have the id {repeated!r}; "
                f"{' and '.join(self.schema.key)} must identify a row."
            )


@dataclass(frozen=True, slots=True)
class _Difference:
    """What separates a day's documents from its goal: row positions, and ids to delete."""

    new: list[int]
    changed: list[int]
    gone: list[str]

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)


class DayWriter:
    """Writes days of one table into one collection.

    Args:
        database: from `connect`.
        collection: name of the collection.
        batch_size: documents a request.
        io_threads: requests under way at the same time.
    """

    def __init__(
        self, database: MongoDatabase, collection: str, *, batch_size: int, io_threads: int
    ) -> None:
        self._database = database
        self._name = collection
        self._target = database[collection]
        self._batch_size = batch_size
        self._io_threads = io_threads
        self._indexed = False

    def converge(
        self,
        schema: TableSchema,
        table: pa.Table,
        *,
        day: date | str,
        epoch: int,
        content_hash: str,
    ) -> Converged:
        """Make a day's documents exactly the rows given, and record that.

        Writes only what differs, and nothing at all when the day is already so. A document that
        lives under another day moves here; the other day's own next call then leaves it alone.

        Args:
            schema: the table's; has the columns it names as `hashes`.
            table: every row of the day, maybe none.
            day: the partition: a day, or the name of one that holds something else.
            epoch: of the writer, as claimed in the lake.
            content_hash: of the day's rows, as in the lake's manifest.

        Raises:
            FencedWriter: a writer with a higher epoch has claimed the day.
            StoreUnavailable: MongoDB cannot be reached, denies access, or is full.
            StorageError: a row is too large for a document, or two rows have one id.
        """
        columns = (table.column(name).to_pylist() for name in schema.hashes)
        hashes = list(zip(*columns, strict=True))
        ids = identities(table, schema)
        goal = _Goal(schema, table, day, epoch, content_hash, ids, hashes)
        goal.refuse_repeated_ids(self._name)
        with our_errors(f"writing day {goal.partition} of {self._name}"):
            if not self._indexed:
                ensure_indexes(self._database, schema.name, self._name)
                self._indexed = True
            claim = DayClaim(self._database, self._name, day, epoch)
            if claim.is_complete(content_hash, len(ids)) and not self._difference(goal):
                return Converged(unchanged=len(ids))
            claim.make()
            try:
                done = self._write(goal, claim)
                while not claim.complete(content_hash, len(ids)):
                    claim.make()
                    self._write(goal, claim)
            except FencedWriter:
                claim.own_up()
                raise
        return done

    def _difference(self, goal: _Goal) -> _Difference:
        """Compare hashes with the day's documents."""

        def read() -> dict[Any, Any]:
            cursor = self._target.find({"partition": goal.partition}, goal.projection)
            return {d["_id"]: goal.hashes_of(d) for d in cursor.batch_size(_READ_BATCH)}

        stored = retrying(read)
        new, changed = [], []
        for position, identity in enumerate(goal.ids):
            if identity not in stored:
                new.append(position)
            elif stored.pop(identity) != goal.hashes[position]:
                changed.append(position)
        return _Difference(new, changed, list(stored))

    def _write(self, goal: _Goal, claim: DayClaim) -> Converged:
        """Write what differs.

        New documents are inserted, which is three times as fast as an upsert; the few whose id
        turns out to exist already, under another day, are replaced where they are.
        """
        difference = self._difference(goal)
        taken = self._insert(goal, claim, difference.new)
        elsewhere = self._where(goal, taken)
        moved = sum(partition != goal.partition for partition, _ in elsewhere.values())
        settled = {
            position
            for position, (partition, hashes) in elsewhere.items()
            if (partition, hashes) == (goal.partition, goal.hashes[position])
        }
        clashing = len(elsewhere) - moved - len(settled)
        self._replace(goal, claim, sorted({*difference.changed, *taken} - settled))
        deleted = self._delete(goal, claim, difference.gone)
        return Converged(
            inserted=len(difference.new) - moved - clashing,
            replaced=len(difference.changed) + clashing,
            unchanged=len(goal.ids) - len(difference.new) - len(difference.changed),
            deleted=deleted,
            moved_in=moved,
        )

    def _insert(self, goal: _Goal, claim: DayClaim, positions: list[int]) -> list[int]:
        """Insert rows; returns those whose id exists already."""

        def insert(batch: Sequence[int]) -> list[int]:
            rows = goal.documents(batch)
            claim.check()
            failpoint(MONGO_BATCH)
            taken = _send(rows, lambda: self._target.insert_many(rows, ordered=False))
            return [batch[place] for place in taken]

        return [place for taken in self._in_batches(positions, insert) for place in taken]

    def _where(self, goal: _Goal, positions: list[int]) -> dict[int, tuple[str, tuple[Any, ...]]]:
        """Partition and hashes of the documents that have these rows' ids."""
        position_of = {goal.ids[position]: position for position in positions}

        def read(batch: Sequence[int]) -> list[Document]:
            wanted = {"_id": {"$in": [goal.ids[position] for position in batch]}}
            return list(self._target.find(wanted, {"partition": 1, **goal.projection}))

        return {
            position_of[d["_id"]]: (d.get("partition", ""), goal.hashes_of(d))
            for found in self._in_batches(positions, read)
            for d in found
        }

    def _replace(self, goal: _Goal, claim: DayClaim, positions: list[int]) -> None:
        """Put rows in place of what has their ids, unless that is a newer writer's."""

        def replace(batch: Sequence[int]) -> None:
            rows = goal.documents(batch)
            mine = [{"partition": {"$ne": goal.partition}}, goal.not_newer]
            requests = [ReplaceOne({"_id": d["_id"], "$or": mine}, d, upsert=True) for d in rows]
            claim.check()
            failpoint(MONGO_BATCH)
            if _send(rows, lambda: self._target.bulk_write(requests, ordered=False)):
                raise claim.lost()

        self._in_batches(positions, replace)

    def _delete(self, goal: _Goal, claim: DayClaim, ids: list[str]) -> int:
        """Delete documents of the day; one that has moved away meanwhile stays."""
        here = {"partition": goal.partition}

        def delete(batch: Sequence[str]) -> int:
            claim.check()
            failpoint(MONGO_DELETE)
            mine = {"_id": {"$in": list(batch)}, **here, **goal.not_newer}
            return retrying(lambda: self._target.delete_many(mine)).deleted_count

        deleted = sum(self._in_batches(ids, delete))
        if deleted < len(ids):
            newer = self._target.find_one({**here, "epoch": {"$gt": goal.epoch}}, {"epoch": 1})
            if newer:
                raise claim.lost(newer["epoch"])
        return deleted

    def _in_batches(
        self, items: Sequence[_Batch], work: Callable[[Sequence[_Batch]], _Done]
    ) -> list[_Done]:
        """Do the work for every batch, some at the same time; the first failure stops the rest."""
        size = self._batch_size
        batches = [items[start : start + size] for start in range(0, len(items), size)]
        with ThreadPoolExecutor(min(self._io_threads, _USEFUL_THREADS), "mongo") as pool:
            futures = [pool.submit(work, batch) for batch in batches]
            try:
                return [future.result() for future in futures]
            finally:
                pool.shutdown(cancel_futures=True)


def _send(rows: list[Document], write: Callable[[], Any]) -> list[int]:
    """Send a batch; returns the places in it that were refused because their id exists.

    Raises:
        StorageError: a document is too large.
    """
    try:
        retrying(write)
    except BulkWriteError as error:
        problems = error.details["writeErrors"]
        if not error.details["writeConcernErrors"] and all(map(_is_taken_id, problems)):
            return [problem["index"] for problem in problems]
        refuse_oversized(rows)
        raise
    except (OperationFailure, BSONError):
        refuse_oversized(rows)
        raise
    return []


def _is_taken_id(problem: Mapping[str, Any]) -> bool:
    """Whether a write failed because of its `_id`, not of a unique index someone added."""
    key = problem.get("keyPattern", {"_id": 1})
    return problem["code"] == DUPLICATE_KEY and list(key) == ["_id"]

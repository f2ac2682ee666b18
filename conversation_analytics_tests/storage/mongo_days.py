"""Small days of messages, and what MongoDB holds of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from conversation_analytics.schemas import MESSAGES
from conversation_analytics.storage import mongo, mongo_days
from conversation_analytics.storage.encoding import content_hash, row_hashes
from conversation_analytics.storage.mongo import Converged, DayWriter
from conversation_analytics.storage.mongo_client import MongoDatabase

DAY = date(2024, 1, 1)
NEXT_DAY = date(2024, 1, 2)
COLLECTION = "conversation_messages"

OLD = {f"m{n}": "old" for n in range(8)}
NEW = {"m0": "old", "m2": "edited", "m5": "edited"} | {f"n{n}": "new" for n in range(5)}
STALE = {f"m{n}": "stale" for n in range(4)} | {f"s{n}": "stale" for n in range(4)}

Contents = Mapping[str, str]


def messages(contents: Contents, **values: Any) -> pa.Table:
    """Messages by id and content; the other columns are the same in all unless given."""
    common = {
        "conversation_id": "c1",
        "role": "user",
        "created_at": datetime(2024, 1, 1, 12, 0, 0, 123456, tzinfo=UTC),
        "turn_index": 0,
        "escalated": False,
        "attributes": "{}",
        "content_hash": "",
    }
    rows = [{**common, **values, "message_id": i, "content": c} for i, c in contents.items()]
    table = pa.Table.from_pylist(rows, schema=MESSAGES.arrow)
    place = table.schema.get_field_index("content_hash")
    hashes = pa.array(row_hashes(table, MESSAGES), pa.string())
    return table.set_column(place, MESSAGES.arrow.field("content_hash"), hashes)


def day_hash(contents: Contents) -> str:
    return content_hash(row_hashes(messages(contents), MESSAGES))


def writer(database: MongoDatabase, *, batch_size: int = 3, io_threads: int = 2) -> DayWriter:
    return DayWriter(database, COLLECTION, batch_size=batch_size, io_threads=io_threads)


def converge(by: DayWriter, contents: Contents, *, day: date = DAY, epoch: int = 1) -> Converged:
    return by.converge(
        MESSAGES, messages(contents), day=day, epoch=epoch, content_hash=day_hash(contents)
    )


def held(database: MongoDatabase, *, day: date = DAY) -> dict[str, str]:
    """Content by id of the documents of a day."""
    found = database[COLLECTION].find({"partition": day.isoformat()})
    return {document["_id"]: document["content"] for document in found}


class Interrupted(BaseException):
    """Stands for a kill: nothing handles it."""


class Interruption:
    """Does something at one of the driver calls of this thread's writer, before or after it."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, do: Callable[[], None], *, call: int, after: bool
    ) -> None:
        self._do, self._call, self._after = do, call, after
        self._lock = threading.Lock()
        self.happened = False
        for module in (mongo, mongo_days):
            monkeypatch.setattr(module, "retrying", self._retrying)

    def _retrying(self, work: Callable[[], Any]) -> Any:
        with self._lock:
            self._call -= 1
            now = self._call == 0
            self.happened |= now
        if now and not self._after:
            self._do()
        result = work()
        if now and self._after:
            self._do()
        return result


def kill() -> None:
    raise Interrupted

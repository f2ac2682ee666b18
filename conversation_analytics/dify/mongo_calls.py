"""MongoDB's copy of a workflow's calls, for people who want to know what was asked and paid.

    {_id: "translate-1/2026-01-31/0945…-5f2c…", workflow: "translate-1", day: "2026-01-31",
     state: "ended", status: "succeeded", keys: ["3f9a…"], answers: {"3f9a…": '"Hello"'},
     total_tokens: 212, price: Decimal128("0.00042"), currency: "USD", …}

Nothing is ever decided by it. A call is written here after the lake has it. What is missing,
because MongoDB was away or a process died, is added from the lake by the next one who asks. Besides
the calls the collection has a document ``{_id: "translate-1", caught_up_to: "2026-01-31"}``: calls
of earlier days are all there.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import TypeAlias, TypeVar

import bson
import pymongo
from bson.decimal128 import Decimal128
from pymongo import UpdateOne

from conversation_analytics.dify.records import Call
from conversation_analytics.errors import StorageError
from conversation_analytics.storage.failpoints import DIFY_COPY, failpoint
from conversation_analytics.storage.mongo_client import (
    Document,
    MongoDatabase,
    our_errors,
    retrying,
)
from conversation_analytics.storage.mongo_indexes import ensure_indexes

logger = logging.getLogger(__name__)

T = TypeVar("T")
Ids: TypeAlias = Callable[[date | None], list[str]]
Known: TypeAlias = Callable[[Sequence[str]], Mapping[str, Call]]

_BATCH = 500
_PAUSE_SECONDS = 60.0
_CLOCKS_DIFFER_BY = timedelta(hours=1)
_UNFINISHED = ["asked", "started"]
_MOST_BYTES = 8_000_000  # a document may have 16 MiB
_MOST_INTEGER = 2**63 - 1
# What Decimal128 holds, and infinite or not a number rather than an error beyond that.
_DECIMAL128 = Context(prec=34, Emin=-6143, Emax=6144, clamp=1, traps=[])


class MongoCalls:
    """The copy of one workflow's calls; safe to use from several threads.

    No method raises an error of MongoDB's: it is logged, and what could not be copied is copied
    later, by this process or by the next one.

    Args:
        database: opens MongoDB; may raise `StorageError`.
        collection: name of the collection.
        workflow: the workflow.
        timeout_seconds: how long to wait for MongoDB to take some calls.
    """

    def __init__(
        self,
        database: Callable[[], MongoDatabase],
        collection: str,
        workflow: str,
        timeout_seconds: float,
    ) -> None:
        self._database = database
        self._name = collection
        self._workflow = workflow
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._behind: dict[str, Call] = {}
        self._is_caught_up = False
        self._not_before = 0.0

    def note(self, id_: str, call: Call) -> None:
        """Take note of what the lake has of a call; copies it, and others, once it is over."""
        with self._lock:
            self._behind[id_] = call
        # While others wait for MongoDB there is no need to.
        if call.is_over and self._sending.acquire(blocking=False):
            try:
                self._send()
            finally:
                self._sending.release()

    def send(self) -> None:
        """Copy all that was noted."""
        with self._sending:
            self._send()

    def catch_up(self, ids: Ids, known: Known) -> None:
        """Copy what the lake has and MongoDB has not, once.

        Args:
            ids: gives the ids of the lake's calls; see `Ledger.ids`.
            known: gives the lake's calls; see `Ledger.known`.
        """
        with self._sending:
            if self._is_caught_up or time.monotonic() < self._not_before:
                return
            with self._put_off():
                self._catch_up(ids, known)
                self._is_caught_up = True

    def _send(self) -> None:
        if time.monotonic() < self._not_before:
            return
        with self._lock:
            calls, self._behind = self._behind, {}
        if not calls:
            return
        try:
            with self._put_off():
                self._write(calls)
                calls = {}
        finally:
            with self._lock:
                self._behind = {**calls, **self._behind}

    def _catch_up(self, ids: Ids, known: Known) -> None:
        begun = datetime.now(UTC)
        database = self._database()
        collection = database[self._name]
        with self._in_time("reading"):
            ensure_indexes(database, "dify_calls", self._name)
            mark = retrying(lambda: collection.find_one({"_id": self._workflow})) or {}
            since: str = mark.get("caught_up_to", "")
            ours = {"workflow": self._workflow, "day": {"$gte": since}}
            there = retrying(lambda: list(collection.find(ours, {"_id": 1})))
            unfinished = {"workflow": self._workflow, "state": {"$in": _UNFINISHED}}
            open_ = retrying(lambda: list(collection.find(unfinished, {"_id": 1})))
        to_read = _ids(open_)
        to_read |= {*ids(_day(since))} - (_ids(there) - to_read)
        for part in _parts(sorted(to_read)):
            self._write(known(part))
        if to_read:
            logger.info("%s: %d calls were copied from the lake", self._name, len(to_read))
        caught_up_to = (begun - _CLOCKS_DIFFER_BY).date().isoformat()
        with self._in_time("writing"):
            retrying(
                lambda: collection.replace_one(
                    {"_id": self._workflow}, {"caught_up_to": caught_up_to}, upsert=True
                )
            )

    def _write(self, calls: Mapping[str, Call]) -> None:
        collection = self._database()[self._name]
        for part in _parts([*calls.items()]):
            documents = [document_of(self._workflow, id_, call) for id_, call in part]
            writes = [_write_of(one) for one in documents]
            failpoint(DIFY_COPY)
            with self._in_time("writing"):
                retrying(lambda w=writes: collection.bulk_write(w, ordered=False))  # type: ignore[misc]

    @contextmanager
    def _in_time(self, doing: str) -> Iterator[None]:
        with our_errors(f"{doing} {self._name}"), pymongo.timeout(self._timeout_seconds):
            yield

    @contextmanager
    def _put_off(self) -> Iterator[None]:
        """Leave for later what MongoDB cannot take now, and leave it alone for a while."""
        try:
            yield
        except StorageError as error:
            self._not_before = time.monotonic() + _PAUSE_SECONDS
            logger.warning(
                "calls of %s are in the lake, and will be copied into MongoDB later. %s",
                self._workflow,
                error,
            )


def document_of(workflow: str, id_: str, call: Call) -> Document:
    """A call as a document: without the texts asked about, and with answers as JSON texts.

    Answers and errors are null where they are too large for a document, and numbers where they are
    beyond 64 bits; the lake has them all.
    """
    fields = call.model_dump(exclude={"version", "contents", "until", "keys"})
    document = {
        "_id": f"{workflow}/{id_}",
        "workflow": workflow,
        "day": id_.partition("/")[0],
        "keys": list(call.keys),
        **fields,
        "answers": {key: json.dumps(answer) for key, answer in call.answers.items()},
        "price": None if call.price is None else _decimal(call.price),
        "total_tokens": _integer(call.total_tokens),
        "tokens": {key: _integer(tokens) for key, tokens in call.tokens.items()},
    }
    if len(bson.encode(document)) > _MOST_BYTES:
        document |= {"answers": None, "errors": None}
    return document


def _write_of(document: Document) -> UpdateOne:
    """Writes a call; one read before it ended takes nothing back of what came of it meanwhile."""
    new: Document = {"$literal": document}
    if document["state"] in _UNFINISHED:
        is_open = {"$in": [{"$ifNull": ["$state", "asked"]}, _UNFINISHED]}
        new = {"$cond": [is_open, new, "$$ROOT"]}
    return UpdateOne({"_id": document["_id"]}, [{"$replaceWith": new}], upsert=True)


def _decimal(value: Decimal) -> Decimal128:
    return Decimal128(_DECIMAL128.create_decimal(value))


def _integer(value: int | None) -> int | None:
    return value if value is not None and abs(value) <= _MOST_INTEGER else None


def _ids(documents: Iterable[Document]) -> set[str]:
    return {document["_id"].partition("/")[2] for document in documents}


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None

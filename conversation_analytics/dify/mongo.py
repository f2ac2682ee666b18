"""MongoDB's part in the ledger: a copy of the calls, and claims that the store cannot decide.

What was paid for is looked up in the lake alone, so a MongoDB that is lost, emptied or put back
from an old backup changes nothing of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pymongo
from pymongo import ReturnDocument
from pymongo.collection import Collection

from conversation_analytics.dify.mongo_calls import MongoCalls
from conversation_analytics.dify.records import Claim
from conversation_analytics.storage.failpoints import DIFY_DECIDED, failpoint
from conversation_analytics.storage.mongo_client import (
    Document,
    MongoDatabase,
    connect,
    our_errors,
    retrying,
)
from conversation_analytics.storage.store import ObjectStore


class MongoLedger:
    """MongoDB, connected when it is first needed; safe to use from several threads.

    Args:
        uri: the connection string.
        database: name of the database.
        calls: collection of the calls.
        claims: collection of the claims.
        timeout_seconds: how long to wait for it, an election included.
    """

    def __init__(
        self,
        uri: str,
        database: str,
        *,
        calls: str = "dify_calls",
        claims: str = "dify_claims",
        timeout_seconds: float = 20,
    ) -> None:
        self._uri = uri
        self._name = database
        self._collections = calls, claims
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._database: MongoDatabase | None = None
        self._copies: dict[str, MongoCalls] = {}

    def calls(self, workflow: str) -> MongoCalls:
        """The copy of a workflow's calls."""
        with self._lock:
            if workflow not in self._copies:
                self._copies[workflow] = MongoCalls(
                    self._open, self._collections[0], workflow, self._timeout_seconds
                )
            return self._copies[workflow]

    def claims(self, store: ObjectStore, call_key: Callable[[str], str]) -> MongoClaims:
        """Claims for a store that cannot decide them; see `MongoClaims`."""
        return MongoClaims(self._open, self._collections[1], store, call_key, self._timeout_seconds)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._database is not None:
                self._database.client.close()
            self._database = None

    def _open(self) -> MongoDatabase:
        with self._lock:
            if self._database is None:
                self._database = connect(
                    self._uri, database=self._name, timeout_seconds=self._timeout_seconds
                )
            return self._database


class MongoClaims:
    """Claims decided by MongoDB and written into the lake; implements `ClaimRegistry`.

    The first to claim writes its claim into the lake, and so does whoever finds it decided and not
    there yet, because its owner may have died. What the lake has holds, whatever MongoDB says.

    Args:
        database: opens MongoDB.
        collection: name of the collection.
        store: the lake's.
        call_key: gives the key of a call in the lake.
        timeout_seconds: how long to wait for MongoDB.
    """

    def __init__(
        self,
        database: Callable[[], MongoDatabase],
        collection: str,
        store: ObjectStore,
        call_key: Callable[[str], str],
        timeout_seconds: float,
    ) -> None:
        self._database = database
        self._name = collection
        self._store = store
        self._call_key = call_key
        self._timeout_seconds = timeout_seconds

    def claim(self, name: str, claim: Claim) -> bool:
        """See `ClaimRegistry`."""
        decided = self._decided(name, claim).encoded()
        failpoint(DIFY_DECIDED)
        # Looked up afterwards: MongoDB may have lost what it had decided before.
        known = self._store.get(name)
        if known is None:
            self._store.put(name, decided)
            known = decided
        return known == claim.encoded()

    def _decided(self, name: str, claim: Claim) -> Claim:
        """The claim that was first."""
        while (first := self._first(name, claim)) != claim:
            if self._store.get(self._call_key(first.call)) is not None:
                break
            # A call is in the lake before its questions are claimed. This one is not any more, or
            # is in another lake, so nobody could ever tell what came of it.
            self._forget(name, first)
        return first

    def _first(self, name: str, claim: Claim) -> Claim:
        """The claim that MongoDB has: this one if it had none."""
        ours = {**claim.model_dump(), "claimed_at": datetime.now(UTC)}
        with self._collection("claiming a question in") as collection:
            found = retrying(
                lambda: collection.find_one_and_update(
                    {"_id": name},
                    {"$setOnInsert": ours},
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
            )
        return Claim.model_validate(found)

    def _forget(self, name: str, claim: Claim) -> None:
        with self._collection("removing a claim from") as collection:
            retrying(lambda: collection.delete_one({"_id": name, "call": claim.call}))

    @contextmanager
    def _collection(self, doing: str) -> Iterator[Collection[Document]]:
        collection = self._database()[self._name]
        with our_errors(f"{doing} {self._name}"), pymongo.timeout(self._timeout_seconds):
            yield collection

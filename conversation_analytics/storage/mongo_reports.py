"""Reports as documents of MongoDB: one each, replaced as a whole.

A document is one atomic write, so there is nothing to record beside it; its epoch, that of the
lake's manifest, keeps a writer that is late from putting back what a newer one has replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from bson.int64 import Int64
from pymongo.errors import DuplicateKeyError

from conversation_analytics.periods import period_of
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import REPORT_FILE, REPORT_UNITS, Unit
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.storage.mongo_client import (
    Document,
    MongoDatabase,
    our_errors,
    retrying,
)


def publish_reports(
    lake: Lake, database: MongoDatabase, collection: str, *, io_threads: int
) -> dict[str, int]:
    """Make the documents of a collection those of the lake's reports.

    A document is the report with `_id` (``grain|key``), `partition` (first day, ``YYYY-MM-DD``),
    `epoch` and `content_hash`.

    Returns:
        How many reports there are (``reports``) and were ``written``.

    Raises:
        StoreUnavailable: MongoDB or the lake cannot be reached.
        TornDay: the write of a report was cut off half-way.
    """
    target = database[collection]
    with our_errors(f"reading which reports {collection} has"):
        known = {
            one["_id"]: (one.get("epoch"), one.get("content_hash"))
            for one in retrying(lambda: list(target.find({}, {"epoch": 1, "content_hash": 1})))
        }
    there = list(_reports(lake))
    behind = [
        (unit, day, id_)
        for unit, day, id_, manifest in there
        if known.get(id_) != (manifest.epoch, document_hash(manifest))
    ]

    def write(one: tuple[Unit, date, str]) -> bool:
        unit, day, id_ = one
        found = lake.read_document(unit, day, REPORT_FILE)
        if found is None:
            return False
        document = _document(*found, id_=id_, day=day)
        mine = {"_id": id_, "epoch": {"$not": {"$gt": document["epoch"]}}}
        try:
            retrying(lambda: target.replace_one(mine, document, upsert=True))
        except DuplicateKeyError:  # a newer writer's is there
            return False
        return True

    with (
        our_errors(f"writing reports to {collection}"),
        ThreadPoolExecutor(io_threads, "mongo-reports") as pool,
    ):
        written = sum(pool.map(write, behind))
    return {"reports": len(there), "written": written}


def document_hash(manifest: Manifest) -> str:
    """The hash of a report's document; empty of a report without one."""
    entry = manifest.documents.get(REPORT_FILE)
    return entry.hash if entry else ""


def _reports(lake: Lake) -> Iterator[tuple[Unit, date, str, Manifest]]:
    for grain, unit in REPORT_UNITS.items():
        for day, manifest in lake.manifests(unit, lake.days(unit)).items():
            yield unit, day, f"{grain}|{period_of(grain, day).key}", manifest


def _document(manifest: Manifest, data: bytes, *, id_: str, day: date) -> Document:
    report: Document = json.loads(data)
    return {
        "_id": id_,
        **report,
        "partition": day.isoformat(),
        "epoch": Int64(manifest.epoch),
        "content_hash": document_hash(manifest),
    }

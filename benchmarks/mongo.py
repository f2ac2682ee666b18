"""Days into MongoDB: a first load against bare inserts, and a run that changes nothing."""

from __future__ import annotations

import gc
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import pyarrow as pa
from pymongo import WriteConcern

from benchmarks.harness import Bar, Figure, Report, Usage, progress, ratios, rounds, walls
from benchmarks.product import all_days, day_range, export, settings_for
from conversation_analytics.schemas import TableSchema
from conversation_analytics.storage.lake import open_lake
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT, MESSAGES_UNIT, UNITS
from conversation_analytics.storage.mongo import DayWriter, connect, documents, ensure_indexes
from conversation_analytics.storage.mongo_client import Document, MongoDatabase
from conversation_analytics_tests.services.mongo_server import start_mongod

_UNITS = (CONVERSATIONS_UNIT.name, MESSAGES_UNIT.name)
_DATABASE = "benchmark"


@dataclass(frozen=True, slots=True)
class _Day:
    """A day of a table as the lake has it."""

    schema: TableSchema
    table: pa.Table
    day: date
    epoch: int
    content_hash: str


def run(*, quick: bool) -> Report:
    """Measure first loads, unchanged re-runs and bare inserts."""
    messages, days = (4_000, 2) if quick else (88_000, 8)
    batch, threads = settings_for().batch_size, settings_for().io_threads
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, start_mongod() as server:
        progress(f"  making {messages:,} messages …")
        loaded = _lake_days(Path(folder), messages, days)
        database = connect(server.uri, database=_DATABASE)
        product = _Product(database, loaded, batch, threads)
        prebuilt = {name: _documents(loaded, name) for name in _UNITS}
        gc.freeze()  # nobody but this benchmark keeps so many documents: none shall wait for them
        bare = partial(_bare, database, prebuilt, batch)
        works: dict[str, Callable[[], list[str]]] = {
            "bare insert_many": bare,
            "first load": product.first_load,
            "re-run": product.again,
            "bare insert_many with the product's indexes": partial(bare, indexed=True),
        }
        found = rounds(
            {name: partial(_timed, database, work) for name, work in works.items()},
            at_least=1 if quick else 7,
            at_most=2 if quick else 9,
            seconds=5 if quick else 80,
        )
        database.client.close()
    count = sum(map(len, prebuilt.values()))
    plain, load, again, fair = found.values()
    return Report(
        f"{count:,} documents of {days} days, conversations and messages, in requests of "
        f"{batch:,}, acknowledged by the majority and the journal of a replica set of one. The "
        "bare inserts send documents made beforehand, one request at a time.",
        [
            Figure(
                "first load / bare insert_many", ratios(walls(plain), walls(load)), bar=Bar(0.7)
            ),
            Figure("unchanged re-run / first load", ratios(walls(load), walls(again)), bar=Bar(2)),
            Figure(
                "first load / bare insert_many into the same indexes",
                ratios(walls(fair), walls(load)),
            ),
            Figure("first load", [count / wall for wall in walls(load)], "documents/s"),
            Figure("bare insert_many", [count / wall for wall in walls(plain)], "documents/s"),
        ],
    )


class _Product:
    """The product's writer, on collections of their own for each first load."""

    def __init__(
        self, database: MongoDatabase, days: Sequence[_Day], batch: int, threads: int
    ) -> None:
        self._database = database
        self._days = days
        self._batch = batch
        self._threads = threads
        self._suffix = ""

    def first_load(self) -> list[str]:
        """Load every day into fresh collections; those of the load before may go."""
        outdated = [f"{name}_{self._suffix}" for name in _UNITS]
        self._suffix = uuid.uuid4().hex
        self.again()
        return outdated

    def again(self) -> list[str]:
        """Bring every day up to date; no collection may go."""
        for name in _UNITS:
            writer = DayWriter(
                self._database,
                f"{name}_{self._suffix}",
                batch_size=self._batch,
                io_threads=self._threads,
            )
            for day in self._days:
                if day.schema.name == name:
                    writer.converge(
                        day.schema,
                        day.table,
                        day=day.day,
                        epoch=day.epoch,
                        content_hash=day.content_hash,
                    )
        return []


def _bare(
    database: MongoDatabase,
    prebuilt: dict[str, list[Document]],
    batch: int,
    *,
    indexed: bool = False,
) -> list[str]:
    """Insert all documents into fresh collections, which may go afterwards."""
    titles = []
    for name, rows in prebuilt.items():
        title = f"bare_{name}_{uuid.uuid4().hex}"
        titles.append(title)
        if indexed:
            ensure_indexes(database, name, title)
        collection = database.get_collection(title, write_concern=WriteConcern("majority", j=True))
        for start in range(0, len(rows), batch):
            collection.insert_many(rows[start : start + batch], ordered=False)
    return titles


def _timed(database: MongoDatabase, work: Callable[[], list[str]]) -> Usage:
    """Time some work, then drop the collections it says may go."""
    cpu, started = time.process_time(), time.perf_counter()
    outdated = work()
    usage = Usage(time.perf_counter() - started, time.process_time() - cpu, 0, None)
    for collection in outdated:
        database.drop_collection(collection)
    return usage


def _documents(days: Sequence[_Day], name: str) -> list[Document]:
    return [
        document
        for day in days
        if day.schema.name == name
        for document in documents(day.table, day.schema, day=day.day, epoch=day.epoch)
    ]


def _lake_days(folder: Path, messages: int, days: int) -> list[_Day]:
    source = export(folder / "source", messages=messages, days=days)
    settings = {"source_dir": source, "parquet_base_dir": folder / "lake"}
    all_days(settings, days)
    lake = open_lake(settings_for(**settings))
    found = []
    for name in _UNITS:
        for day in day_range(days):
            read = lake.read_day(UNITS[name], day)
            if read is None:
                raise RuntimeError(f"{name} of {day} is missing")
            manifest, tables = read
            schema = UNITS[name].tables[0]
            found.append(
                _Day(schema, tables[schema.name], day, manifest.epoch, manifest.content_hash)
            )
    return found

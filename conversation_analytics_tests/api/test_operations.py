"""Running it: health, the ledger, Prometheus, the log, the command."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from conversation_analytics.cli.main import app
from conversation_analytics.settings import Settings
from conversation_analytics_tests.api.lake import Api, api_over
from conversation_analytics_tests.api.test_bad_input import kind
from conversation_analytics_tests.services.process import free_port


def test_the_ledger_tells_each_day_and_what_is_missing(api: Api) -> None:
    found = api.get("/ledger", params={"from": "2024-01-01", "to": "2024-01-05"}).json()
    assert [one["day"] for one in found["days"]] == ["2024-01-02", "2024-01-03", "2024-01-05"]
    assert {one["conversations"] for one in found["days"]} == {8}
    assert found["coverage"]["days_missing"] == 2
    assert found["totals"]["messages"] == 96


def test_the_ledger_leaves_the_lake_as_it_is(own_lake: Settings, tmp_path: Path) -> None:
    before = sorted(own_lake.parquet_base_dir.rglob("*"))
    with api_over(own_lake, tmp_path) as api:
        assert api.get("/ledger").status_code == 200
    assert sorted(own_lake.parquet_base_dir.rglob("*")) == before


def test_prometheus_is_told_of_requests_by_route_and_of_the_lake(api: Api) -> None:
    api.get("/conversations/c-02-1")
    text = api.client.get("/metrics", headers={"X-API-Key": api.keys["admin"]}).text
    assert "conversation_analytics_lake_committed_days 3.0" in text
    route = 'route="/api/v1/conversations/{conversation_id:path}"'
    assert f'http_requests_total{{method="GET",{route},status="200"}}' in text
    assert "c-02-1" not in text


def test_it_is_ready_as_long_as_lake_and_keys_can_be_read(
    lake_settings: Settings, tmp_path: Path
) -> None:
    with api_over(lake_settings, tmp_path) as api:
        assert api.client.get("/api/v1/health/ready").json()["status"] == "ok"
        api.settings.api_keys_file.write_text("{")
        assert kind(api.client.get("/api/v1/health/ready")) == "keys-unusable"
        assert api.client.get("/api/v1/health").status_code == 200


def test_the_log_names_requests_and_keys_but_neither_people_nor_secrets(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("conversation_analytics")
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO, logger="conversation_analytics")
    try:
        api.get("/conversations?user=somebody", headers={"X-Request-ID": "request-1234"})
        api.get("/conversations/c-02-1")
    finally:
        logger.removeHandler(caplog.handler)
    assert "GET /api/v1/conversations 200" in caplog.text
    assert "request=request-1234" in caplog.text
    for secret in ("somebody", "c-02-1", api.keys["admin"].rpartition("_")[2][-20:]):
        assert secret not in caplog.text


def test_answers_are_not_for_frames_caches_or_guesses(api: Api) -> None:
    headers = api.get("/conversations").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "private, no-cache"
    assert headers["vary"] == "Authorization, X-API-Key"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1"])
def test_without_keys_only_this_machine_is_served(host: str) -> None:
    ended = CliRunner().invoke(app, ["api", "serve", "--open", "--host", host])
    assert ended.exit_code == 2


def test_the_command_serves_until_it_is_asked_to_end(
    lake_settings: Settings, tmp_path: Path
) -> None:
    port = free_port()
    settings = {
        "PARQUET_BASE_DIR": str(lake_settings.parquet_base_dir),
        "API_KEYS_FILE": str(tmp_path / "keys.json"),
    }
    run = "from conversation_analytics.cli.main import app; app()"
    command = [sys.executable, "-c", run, "api", "serve", "--open"]
    with subprocess.Popen(
        [*command, "--port", str(port)],
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
    ) as process:
        until = time.monotonic() + 60
        answer = None
        while answer is None and time.monotonic() < until:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/conversations?limit=1")
            except httpx.TransportError:
                time.sleep(0.1)
        process.terminate()
        _, told = process.communicate(timeout=30)
    assert answer is not None, told
    assert answer.json()["items"][0]["conversation_id"] == "c-05-7"
    assert f"http://127.0.0.1:{port}/api/v1/health".encode() in told


def test_loading_definitions_does_not_load_the_api() -> None:
    code = (
        "import sys, conversation_analytics.definitions, conversation_analytics.cli.main; "
        "sys.exit(any(name.split('.')[0] in ('fastapi', 'limits', 'argon2', 'prometheus_client') "
        "or name.startswith('conversation_analytics.api.') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr

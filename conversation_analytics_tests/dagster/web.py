"""Dagster's webserver and daemon as real processes, and questions to them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from conversation_analytics_tests.dagster import quick_daemon
from conversation_analytics_tests.services.process import Process, free_port, running

REPOSITORY = Path(__file__).parents[2]
START_SECONDS = 90.0
RUN_SECONDS = 180.0

_LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_BACKFILLS = "{ partitionBackfillsOrError { ... on PartitionBackfills { results { id status } } } }"
_RUNS = "{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"
_MATERIALIZED = """
query Materialized($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode { partitionStats { numMaterialized numFailed numPartitions } }
  }
}
"""


@dataclass(frozen=True)
class Web:
    """A running Dagster.

    Attributes:
        url: Address of the UI.
        http: Client with that base.
        webserver: Its process.
        daemon: The daemon's.
    """

    url: str
    http: httpx.Client
    webserver: Process
    daemon: Process

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Answer of the GraphQL API."""
        answer = self.http.post("/graphql", json={"query": query, "variables": variables or {}})
        body = answer.raise_for_status().json()
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    def launch_backfill(self, assets: list[str], partitions: list[str]) -> str:
        """Ask for a backfill; tells its id."""
        params = {
            "assetSelection": [{"path": [name]} for name in assets],
            "partitionNames": partitions,
        }
        answer = self.ask(_LAUNCH, {"params": params})["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        backfill: str = answer["backfillId"]
        return backfill

    def backfills(self) -> dict[str, str]:
        """Id → status of every backfill."""
        found = self.ask(_BACKFILLS)["partitionBackfillsOrError"]["results"]
        return {one["id"]: one["status"] for one in found}

    def wait_for_backfill(self, backfill: str) -> str:
        """Its status when it is over."""
        deadline = time.monotonic() + RUN_SECONDS
        while (status := self.backfills()[backfill]) in ("REQUESTED", "CANCELING"):
            assert time.monotonic() < deadline, self.daemon.log_tail()
            time.sleep(1)
        return status

    def runs(self) -> list[dict[str, Any]]:
        """Every run: runId, status, tags."""
        found: list[dict[str, Any]] = self.ask(_RUNS)["runsOrError"]["results"]
        return found

    def materialized(self, asset: str) -> int:
        """How many partitions of an asset are there."""
        node = self.ask(_MATERIALIZED, {"key": {"path": [asset]}})["assetNodeOrError"]
        stats = node["partitionStats"]
        assert stats["numFailed"] == 0
        count: int = stats["numMaterialized"]
        return count


@contextmanager
def start_dagster(root: Path, environment: Mapping[str, str]) -> Iterator[Web]:
    """Run webserver and daemon on the repository's workspace until the block ends.

    Args:
        root: An empty folder; DAGSTER_HOME is made in it from the repository's dagster.yaml.
        environment: The settings.
    """
    home = root / "home"
    home.mkdir(parents=True)
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    env = {**environment, "DAGSTER_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}
    # Webserver and daemon that open a fresh SQLite home at once break each other's migration.
    opened = "import dagster; dagster.DagsterInstance.get().dispose()"
    subprocess.run([sys.executable, "-c", opened], env=os.environ | env, cwd=root, check=True)
    workspace = ["-w", REPOSITORY / "workspace.yaml"]
    port = free_port()
    web_command = [Path(sysconfig.get_path("scripts"), "dagster-webserver"), *workspace]
    web_command += ["-h", "127.0.0.1", "-p", str(port)]
    webserver = Process("dagster-webserver", web_command, log_path=root / "web.log", env=env)
    daemon_command = [sys.executable, "-m", quick_daemon.__name__, "run", *workspace]
    url = f"http://127.0.0.1:{port}"
    with running(webserver), httpx.Client(base_url=url, timeout=60) as http:
        daemon = Process("dagster-daemon", daemon_command, log_path=root / "daemon.log", env=env)
        with running(daemon):
            webserver.wait_until_ready(lambda: _answers(http), seconds=START_SECONDS)
            yield Web(url, http, webserver, daemon)


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/server_info").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False

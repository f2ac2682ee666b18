"""A row edited in a real NocoDB reaches its day by itself, through Dagster's real daemon."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from conversation_analytics.settings import load_settings
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.layout import MESSAGES_UNIT
from conversation_analytics_tests.builders import conversation, message
from conversation_analytics_tests.dagster.small_source import day, key
from conversation_analytics_tests.dagster.web import Web, start_dagster
from conversation_analytics_tests.services.browser import open_browser
from conversation_analytics_tests.services.nocodb_server import NocoDB
from conversation_analytics_tests.services.webhook import Hook, hook

pytestmark = pytest.mark.services

DAYS = (2, 3, 5)
WAIT_SECONDS = 240.0
_TEXT = "SingleLineText"


@dataclass(frozen=True)
class Live:
    """A Dagster that follows a NocoDB.

    Attributes:
        web: the Dagster.
        nocodb: the NocoDB.
        messages: id of the table of messages.
        lake: the lake.
        webhook: where failed runs are posted to.
    """

    web: Web
    nocodb: NocoDB
    messages: str
    lake: Lake
    webhook: Hook

    def content(self, number: int) -> list[str]:
        """What the messages of a day say in the lake."""
        found = self.lake.read_day(MESSAGES_UNIT, day(number))
        return found[1]["messages"]["content"].to_pylist() if found else []

    def wait_until(self, holds: Callable[[], bool]) -> float:
        """Wait until something is so; the seconds it took."""
        began = time.monotonic()
        while not holds():
            assert time.monotonic() < began + WAIT_SECONDS, self.web.daemon.log_tail()
            time.sleep(0.5)
        return time.monotonic() - began


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, nocodb: NocoDB) -> Iterator[Live]:
    root = tmp_path_factory.mktemp("follow")
    base = nocodb.create_base("followed by a daemon")
    tables = {
        "conversations": nocodb.create_table(
            base, "conversations", dict.fromkeys(conversation(), _TEXT)
        ),
        "messages": nocodb.create_table(base, "messages", dict.fromkeys(message(), _TEXT)),
    }
    for number in DAYS:
        at = f"{key(number)}T10:00:00+00:00"
        nocodb.insert(tables["conversations"], [conversation(f"c{number}", at)])
        nocodb.insert(tables["messages"], [message(f"m{number}", f"c{number}", at)])
    with hook(200) as webhook:
        environment = {
            "NOCODB_BASE_URL": nocodb.base_url,
            "NOCODB_API_TOKEN": nocodb.token,
            "NOCODB_PROJECT_ID": base,
            "PARQUET_BASE_DIR": str(root / "lake"),
            "ENABLE_MULTITHREADING": "false",
            "SYNC_INTERVAL_SECONDS": "5",
            "SYNC_LAG_SECONDS": "1",
            "ALERT_WEBHOOK_URL": webhook.url,
        }
        lake = open_lake(load_settings(None, parquet_base_dir=root / "lake"))
        with start_dagster(root / "dagster", environment) as web:
            yield Live(web, nocodb, tables["messages"], lake, webhook)


def test_an_edit_is_in_its_day_by_itself_and_dagster_shows_it(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live.wait_until(lambda: live.web.materialized("conversations") == len(DAYS))
    live.wait_until(lambda: not unfinished(live))
    runs = {run["runId"] for run in live.web.runs()}
    (row,) = live.nocodb.records(live.messages, where="(message_id,eq,m3)")

    live.nocodb.update(live.messages, [{"Id": row["Id"], "content": "edited in NocoDB"}])

    seconds = live.wait_until(lambda: live.content(3) == ["edited in NocoDB"])
    live.wait_until(lambda: not unfinished(live))
    new = [run for run in live.web.runs() if run["runId"] not in runs]
    (tags,) = ({one["key"]: one["value"] for one in run["tags"]} for run in new)
    assert tags["dagster/asset_partition_range_start"] == key(3)
    assert tags["dagster/asset_partition_range_end"] == key(3)
    assert tags["dagster/sensor_name"] == "nocodb_changes_sensor"
    assert live.webhook.posted == []
    with capsys.disabled(), open_browser() as browser:
        folder = Path(os.environ.get("SCREENSHOT_DIR", tmp_path))
        for name, path in (
            ("sensor", "automation"),
            ("sync", f"assets/messages?view=partitions&partition={key(3)}"),
            ("runs", "runs"),
        ):
            browser.get(f"{live.web.url}/{path}")
            shown = "nocodb_changes_sensor" if name == "sensor" else tags_shown(name)
            live.wait_until(lambda shown=shown: shown in text(browser))  # type: ignore[misc]
            time.sleep(1)  # let the page settle; only for the eye
            assert browser.save_screenshot(str(folder / f"{name}.png"))
        sys.stdout.write(f"\nin the lake {seconds:.1f} s after the edit; pictures in {folder}\n")


def test_a_run_that_fails_is_posted_by_the_daemon(live: Live) -> None:
    made = ["messages", "message_activity"]
    backfill = live.web.launch_backfill(made, [key(20)])  # has no raw rows to be made of

    assert live.web.wait_for_backfill(backfill) == "COMPLETED_FAILED"

    live.wait_until(lambda: bool(live.webhook.posted))
    (told,) = live.webhook.posted
    assert told["first_day"] == key(20)
    assert "its input 'raw' was never materialised" in told["error"]
    assert told["will_be_retried"] is False


def unfinished(live: Live) -> list[str]:
    """Runs that are queued or at work."""
    over = ("SUCCESS", "FAILURE", "CANCELED")
    return [run["runId"] for run in live.web.runs() if run["status"] not in over]


def text(browser: object) -> str:
    found: str = browser.find_element(By.TAG_NAME, "body").text  # type: ignore[attr-defined]
    return found


def tags_shown(name: str) -> str:
    return "edited in NocoDB" if name == "sync" else "Success"

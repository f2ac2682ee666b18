"""A backfill over real processes: launched through GraphQL, and by hand in a real browser."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Remote
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from conversation_analytics.storage.collections import COLLECTIONS
from conversation_analytics_tests.dagster.runs import LAKE_ASSETS
from conversation_analytics_tests.dagster.small_source import SmallSource, key
from conversation_analytics_tests.dagster.web import Web, start_dagster
from conversation_analytics_tests.services.browser import open_browser
from conversation_analytics_tests.services.mongo_server import Mongod

pytestmark = pytest.mark.services

ALL_ASSETS = [*LAKE_ASSETS, *(one.asset for one in COLLECTIONS.values())]
CODE_LOCATION = "__repository__@conversation_analytics.definitions"
WAIT_SECONDS = 40.0


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, mongod: Mongod) -> Iterator[Web]:
    root = tmp_path_factory.mktemp("web")
    SmallSource.with_days(root / "source", *range(1, 13))
    environment = {
        "SYNC_INTERVAL_SECONDS": "86400",  # one tick, so that the sensor refreshes no day itself
        "SOURCE": "files",
        "SOURCE_DIR": str(root / "source"),
        "PARQUET_BASE_DIR": str(root / "lake"),
        "ENABLE_MULTITHREADING": "false",
        "MONGODB_URI": mongod.uri,
        "MONGODB_DATABASE": f"web_{time.time_ns()}",
    }
    with start_dagster(root / "dagster", environment) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Remote]:
    with open_browser() as driver:
        yield driver


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pictures go: SCREENSHOT_DIR if it is set."""
    folder = Path(os.environ.get("SCREENSHOT_DIR", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_backfill_of_everything_is_one_run_and_marks_every_partition(web: Web) -> None:
    backfill = web.launch_backfill(ALL_ASSETS, [key(number) for number in range(1, 7)])

    assert web.wait_for_backfill(backfill) == "COMPLETED_SUCCESS"
    # The sensor asks for runs of its own meanwhile.
    ((run, tags),) = [
        (run, tags)
        for run in web.runs()
        for tags in [{one["key"]: one["value"] for one in run["tags"]}]
        if tags.get("dagster/backfill") == backfill
    ]
    assert run["status"] == "SUCCESS"
    assert tags["dagster/asset_partition_range_start"] == key(1)
    assert tags["dagster/asset_partition_range_end"] == key(6)
    assert {asset: web.materialized(asset) for asset in ALL_ASSETS} == dict.fromkeys(ALL_ASSETS, 6)


def test_a_person_sees_lineage_and_a_days_metadata_and_launches_a_backfill(
    web: Web, browser: Remote, screenshots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = {asset: web.materialized(asset) for asset in ALL_ASSETS}
    backfills = set(web.backfills())

    groups = ",".join(
        f"global@global:{one}"
        for one in ("raw", "conversations", "categories", "translations", "operational")
    )
    browser.get(f"{web.url}/asset-groups?expanded={groups}")
    for asset in (*LAKE_ASSETS, "mongo_c"):  # the UI shortens long names
        find(browser, f"//*[starts-with(text(), '{asset}')]")
    picture(browser, screenshots, "lineage")

    browser.get(f"{web.url}/assets/messages?view=partitions&partition={key(2)}")
    for shown in ("dagster/row_count", "content_hash", "preview", "turn_index"):
        find(browser, f"//*[contains(text(), '{shown}')]")
    picture(browser, screenshots, "partition")

    # All assets of the job: those of other grains have other partitions.
    browser.get(f"{web.url}/locations/{CODE_LOCATION}/jobs/daily")
    click(browser, "//button[contains(., 'Materialize all')]")
    click(browser, "//*[text()='Show all partitions']")
    field = find(browser, "//button[text()='Custom' or .='Custom']/following::input[1]")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(f"[{key(7)}...{key(12)}]", Keys.TAB)
    find(browser, "//*[contains(text(), '6 partitions')]")
    picture(browser, screenshots, "dialog")
    click(browser, "//button[contains(., 'Launch')]")

    deadline = time.monotonic() + WAIT_SECONDS
    while not (launched := set(web.backfills()) - backfills):
        assert time.monotonic() < deadline, "the browser launched no backfill"
        time.sleep(0.5)
    picture(browser, screenshots, "launched")
    assert web.wait_for_backfill(launched.pop()) == "COMPLETED_SUCCESS"
    assert {asset: web.materialized(asset) - done[asset] for asset in ALL_ASSETS} == (
        dict.fromkeys(ALL_ASSETS, 6)
    )
    with capsys.disabled():
        sys.stdout.writelines(f"\n{path}" for path in sorted(screenshots.glob("*.png")))


def find(browser: Remote, path: str) -> WebElement:
    """The first visible element on a path, as soon as there is one."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        for element in browser.find_elements(By.XPATH, path):
            if element.is_displayed():
                return element
        time.sleep(0.2)
    shown = browser.find_element(By.TAG_NAME, "body").text[:2000]
    pytest.fail(f"{path} is not shown at {browser.current_url}, but:\n{shown}")


def click(browser: Remote, path: str) -> None:
    find(browser, path).click()


def picture(browser: Remote, folder: Path, name: str) -> None:
    time.sleep(1)  # let the page settle; only for the eye
    assert browser.save_screenshot(str(folder / f"{name}.png"))

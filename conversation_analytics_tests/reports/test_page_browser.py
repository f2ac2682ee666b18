"""The page of a report as people open it: without a network, on a phone, in the dark, on paper."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Remote

from conversation_analytics.reports.page.render import render
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics_tests.reports import documents
from conversation_analytics_tests.services.browser import (
    WIDTHS,
    devtools,
    look_like,
    open_browser,
)
from conversation_analytics_tests.services.install import axe_script

pytestmark = pytest.mark.services

PAGES = {
    "rich": (documents.document(), documents.history()),
    "empty": (documents.empty(), []),
    "withheld": (documents.withheld(), documents.history(6, "daily", "2024-01-14")),
    "scripts": (documents.many_scripts(), documents.history(6, "monthly", "2024-01")),
    "restated": (documents.restated(), documents.history(6)),
    "hostile": (documents.hostile(), []),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pages are, and pictures of them go: SCREENSHOT_DIR if it is set."""
    made = Path(os.environ.get("SCREENSHOT_DIR", tmp_path_factory.mktemp("pages")))
    made.mkdir(parents=True, exist_ok=True)
    for name, (document, history) in PAGES.items():
        (made / f"{name}.html").write_text(render(document, history, METRICS), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Remote]:
    """A browser that reaches no server."""
    with open_browser() as driver:
        devtools(driver, "Network.enable")
        devtools(
            driver,
            "Network.emulateNetworkConditions",
            offline=True,
            latency=0,
            downloadThroughput=0,
            uploadThroughput=0,
        )
        yield driver


def opened(
    browser: Remote, page: Path, width: str = "desk", scheme: str = "light", media: str = "screen"
) -> None:
    look_like(browser, width, scheme, media)
    browser.get(page.as_uri())


def picture(browser: Remote, path: Path) -> None:
    if "SCREENSHOT_DIR" in os.environ:
        taken = devtools(browser, "Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))


def unfold(browser: Remote) -> None:
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("restated", "light"),
        ("restated", "dark"),
        ("empty", "light"),
        ("withheld", "dark"),
    ],
)
def test_nobody_is_kept_out(browser: Remote, folder: Path, name: str, scheme: str) -> None:
    opened(browser, folder / f"{name}.html", scheme=scheme)
    unfold(browser)
    browser.execute_script(axe_script().read_text(encoding="utf-8"))

    found: list[dict[str, Any]] = browser.execute_async_script(
        "const done = arguments[0]; axe.run().then(result => done(result.violations))"
    )

    told = {one["id"]: [node["html"] for node in one["nodes"]][:3] for one in found}
    assert told == {}
    picture(browser, folder / f"{name}-{scheme}.png")


@pytest.mark.parametrize(
    ("name", "width"), [*((name, "phone") for name in PAGES), ("rich", "desk"), ("scripts", "desk")]
)
def test_a_page_is_no_wider_than_its_screen(
    browser: Remote, folder: Path, name: str, width: str
) -> None:
    opened(browser, folder / f"{name}.html", width)
    unfold(browser)

    # An emulated phone zooms out rather than scroll, so what the page takes is measured.
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= WIDTHS[width]
    picture(browser, folder / f"{name}-{width}.png")


def test_a_page_asks_for_nothing_and_complains_of_nothing(browser: Remote, folder: Path) -> None:
    opened(browser, folder / "hostile.html")

    asked = "return performance.getEntriesByType('resource').map(one => one.name)"
    assert browser.execute_script(asked) == []
    assert browser.title == "Week 3, 15–21 January 2024 · Conversations"
    assert browser.execute("getLog", {"type": "browser"})["value"] == []


def test_the_dark_page_is_dark(browser: Remote, folder: Path) -> None:
    paper = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    opened(browser, folder / "rich.html", scheme="dark")
    assert max(browser.execute_script(paper)) < 64

    opened(browser, folder / "rich.html", scheme="light")
    assert min(browser.execute_script(paper)) > 240


def test_paper_is_white_and_shows_what_is_folded_on_the_screen(
    browser: Remote, folder: Path
) -> None:
    opened(browser, folder / "rich.html", scheme="dark", media="print")

    seen = """
        return [...document.querySelectorAll('details td')]
            .every(one => one.getClientRects().length > 0)
    """
    assert browser.execute_script(seen)
    assert (
        browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        == "rgb(255, 255, 255)"
    )


def test_a_report_is_printed_on_a_few_pages(browser: Remote, folder: Path) -> None:
    opened(browser, folder / "rich.html")

    printed = base64.b64decode(browser.print_page())

    assert printed.startswith(b"%PDF")
    assert 1 < len(re.findall(rb"/Type\s*/Page\b", printed)) < 16

"""The dashboard in a browser: by eye, by keyboard, by screen reader, on a phone and on paper."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import Remote
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from conversation_analytics.api.keys import Scope
from conversation_analytics.settings import Settings
from conversation_analytics_tests.api.dashboard.lake import ANGRY
from conversation_analytics_tests.api.lake import make_keys, on_a_socket
from conversation_analytics_tests.services.browser import (
    WIDTHS,
    devtools,
    look_like,
    open_browser,
)
from conversation_analytics_tests.services.install import axe_script

pytestmark = pytest.mark.services

WEEK = "grain=weekly&period=2024-W02"
PAGES = {
    "overview": f"?{WEEK}",
    "day": "?grain=daily&period=2024-01-09",
    "topics": f"/topics?{WEEK}",
    "sentiment": f"/sentiment?{WEEK}",
    "models": f"/models?{WEEK}",
    "users": "/users",
    "user": "/users/u1",
    "search": "/conversations?q=invoice&sentiment=negative",
    "harm": "/conversations/%3Ci%3E%2F..%3F%23%25",
    "translated": "/conversations/thai",
    "data": "/data",
    "no report": "?grain=weekly&period=2024-W07",
    "problem": "/conversations/nobody",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Remote]:
    with open_browser() as driver:
        yield driver


@pytest.fixture(scope="module")
def at(shown: Settings) -> Iterator[str]:
    """The address of the dashboard, for everyone."""
    with on_a_socket(shown, is_open=True) as port:
        yield f"http://127.0.0.1:{port}/dashboard"


def opened(
    browser: Remote, address: str, width: str = "desk", scheme: str = "light", media: str = "screen"
) -> None:
    look_like(browser, width, scheme, media)
    browser.get(address)


def picture(browser: Remote, name: str) -> None:
    """Take a picture, if SCREENSHOT_DIR says where to."""
    if "SCREENSHOT_DIR" in os.environ:
        taken = devtools(browser, "Page.captureScreenshot", captureBeyondViewport=True)
        folder = Path(os.environ["SCREENSHOT_DIR"])
        (folder / f"dashboard-{name}.png").write_bytes(base64.b64decode(taken["data"]))


def barriers(browser: Remote, *rules: str) -> dict[str, list[str]]:
    """What keeps people out of the page, by all rules or by some."""
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    browser.execute_script(axe_script().read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = browser.execute_async_script(
        "const [rules, done] = arguments;"
        "axe.run(rules.length ? {runOnly: rules} : {}).then(result => done(result.violations))",
        rules,
    )
    return {one["id"]: [node["html"] for node in one["nodes"]][:3] for one in found}


@pytest.mark.parametrize("name", PAGES)
def test_nobody_is_kept_out(browser: Remote, at: str, name: str) -> None:
    opened(browser, at + PAGES[name])
    picture(browser, f"{name}-light")
    assert barriers(browser) == {}

    opened(browser, at + PAGES[name], scheme="dark")
    picture(browser, f"{name}-dark")
    assert barriers(browser, "color-contrast") == {}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_no_wider_than_a_phone(browser: Remote, at: str, name: str) -> None:
    opened(browser, at + PAGES[name], "phone")
    picture(browser, f"{name}-phone")
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")

    # A phone zooms out of a page that is too wide, so that there is nothing to scroll.
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide == WIDTHS["phone"]


def test_a_page_asks_for_little_and_complains_of_nothing(browser: Remote, at: str) -> None:
    browser.execute("getLog", {"type": "browser"})  # what was said before
    opened(browser, at + PAGES["harm"])

    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map(one => new URL(one.name).pathname)"
    )
    assert {one.rpartition(".")[2] for one in asked} == {"css", "svg"}
    assert browser.execute("getLog", {"type": "browser"})["value"] == []


def focused(browser: Remote) -> str:
    words: str = browser.execute_script(
        "const one = document.activeElement;"
        "return one.getAttribute('aria-label') || one.id || one.textContent.trim()"
    )
    return words


def press(browser: Remote, *keys: str) -> None:
    browser.switch_to.active_element.send_keys(*keys)


def test_the_keyboard_skips_to_the_content_and_reaches_what_is_there(
    browser: Remote, at: str
) -> None:
    opened(browser, at + PAGES["overview"])
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    assert focused(browser) == "Skip to the content"
    press(browser, Keys.ENTER)
    reached = []
    for _ in range(12):
        press(browser, Keys.TAB)
        reached.append(focused(browser))
    assert reached[:4] == ["Day", "Week", "Month", "Earlier: 2024-W01"]
    assert {"period", "only"} <= set(reached)


def become(browser: Remote, what: Callable[[Remote], bool]) -> None:
    """Wait until something holds; a page that is on its way has nothing yet."""
    gone = [NoSuchElementException, StaleElementReferenceException]
    WebDriverWait(browser, 10, 0.02, ignored_exceptions=gone).until(what)


def says(selector: str, words: str) -> Callable[[Remote], bool]:
    return lambda browser: words in browser.find_element(By.CSS_SELECTOR, selector).text


def test_three_angry_conversations_in_spanish_are_a_few_keys_away(browser: Remote, at: str) -> None:
    opened(browser, f"{at}/conversations")
    for field, choice in {"language": "Spanish", "sentiment": "negative"}.items():
        browser.find_element(By.ID, field).send_keys(choice)
    browser.find_element(By.ID, "q").send_keys(Keys.ENTER)

    become(browser, lambda _: browser.current_url.endswith("?language=es&sentiment=negative"))
    found = browser.find_elements(By.CSS_SELECTOR, ".card")
    assert len(found) >= 3
    assert all(ANGRY in one.text for one in found)
    found[0].find_element(By.TAG_NAME, "a").send_keys(Keys.ENTER)
    become(browser, says(".thread", ANGRY))


def test_the_page_to_print_or_send_opens_and_has_its_style(browser: Remote, at: str) -> None:
    opened(browser, at + PAGES["overview"])
    browser.execute("getLog", {"type": "browser"})  # what was said before
    browser.find_element(By.LINK_TEXT, "Page to print or send").send_keys(Keys.ENTER)

    become(browser, lambda _: browser.current_url == f"{at}/reports/weekly/2024-W02.html")
    become(browser, says("h1", "Week 2, 8–14 January 2024"))
    chip = "return getComputedStyle(document.querySelector('.chip')).borderRadius"
    assert browser.execute_script(chip) not in ("", "0px")
    placed = "return getComputedStyle(document.querySelector('.days li')).gridColumnStart"
    assert browser.execute_script(placed) == "1"
    assert browser.execute("getLog", {"type": "browser"})["value"] == []


def test_paper_is_white_and_has_no_controls(browser: Remote, at: str) -> None:
    opened(browser, at + PAGES["topics"], scheme="dark", media="print")

    paper = "return getComputedStyle(document.body).backgroundColor"
    assert browser.execute_script(paper) == "rgb(255, 255, 255)"
    for selector in (".menu", ".jump", ".step a"):
        assert not browser.find_element(By.CSS_SELECTOR, selector).is_displayed()


def test_signing_in_and_out_works_with_a_real_cookie(
    browser: Remote, shown: Settings, tmp_path: Path
) -> None:
    settings = shown.model_copy(update={"api_keys_file": tmp_path / "keys.json"})
    key = make_keys(settings)[Scope.ADMIN]
    with on_a_socket(settings) as port:
        asked = f"http://127.0.0.1:{port}/dashboard/topics?{WEEK}"
        opened(browser, asked)
        picture(browser, "sign-in")
        assert barriers(browser) == {}
        browser.find_element(By.ID, "key").send_keys("wrong", Keys.ENTER)
        become(browser, says("#wrong", "not valid"))
        browser.find_element(By.ID, "key").send_keys(key, Keys.ENTER)
        become(browser, lambda _: browser.current_url == asked)
        picture(browser, "signed-in")
        assert browser.execute_script("return document.cookie") == ""
        browser.get(asked)
        assert "Topics" in browser.title
        browser.find_element(By.CSS_SELECTOR, ".out button").send_keys(Keys.ENTER)
        become(browser, says("h1", "Sign in"))
        browser.get(asked)
        assert says("h1", "Sign in")(browser)

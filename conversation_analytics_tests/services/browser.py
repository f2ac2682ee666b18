"""A headless Chromium driven by selenium."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import ChromeOptions, Proxy, Remote
from selenium.webdriver.common.proxy import ProxyType
from selenium.webdriver.remote.client_config import ClientConfig

from conversation_analytics_tests.services.install import browser_binaries
from conversation_analytics_tests.services.process import (
    Process,
    accepts_connections,
    free_port,
    running,
)

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
    "--remote-debugging-pipe",  # a browser whose driver is gone sees the pipe close and ends
)
START_SECONDS = 60.0
PAGE_LOAD_SECONDS = 60

WIDTHS = {"phone": 360, "desk": 1280}
"""Pixels of the screens that pages are looked at on."""


def devtools(driver: Remote, command: str, **parameters: Any) -> Any:
    """Send a command of the Chrome DevTools protocol; give its result."""
    return driver.execute("executeCdpCommand", {"cmd": command, "params": parameters})["value"]


def look_like(driver: Remote, width: str, scheme: str, media: str) -> None:
    """Have pages shown as on a screen of `WIDTHS`, in ``light`` or ``dark``, or as in print."""
    devtools(
        driver,
        "Emulation.setDeviceMetricsOverride",
        width=WIDTHS[width],
        height=900,
        deviceScaleFactor=1,
        mobile=width == "phone",
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    devtools(driver, "Emulation.setEmulatedMedia", media=media, features=features)


@contextmanager
def open_browser() -> Iterator[Remote]:
    """Give a selenium driver on a fresh profile; browser and driver end with the block.

    Raises:
        ServiceError: Chromium or its driver is missing, or the driver did not start.
    """
    binaries = browser_binaries()
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as temporary:
        options = ChromeOptions()
        options.binary_location = str(binaries.chromium)
        for flag in (*FLAGS, f"--user-data-dir={temporary}/profile"):
            options.add_argument(flag)
        port = free_port()
        process = Process(
            "chromedriver",
            [binaries.chromedriver, f"--port={port}"],
            log_path=Path(temporary) / "chromedriver.log",
            death_signal=signal.SIGTERM,  # it ends the browser, which a kill would leave behind
        )
        with running(process):
            process.wait_until_ready(lambda: accepts_connections(port), seconds=START_SECONDS)
            url = f"http://127.0.0.1:{port}"
            config = ClientConfig(url, proxy=Proxy({"proxyType": ProxyType.DIRECT}))
            with Remote(url, options=options, client_config=config) as driver:
                driver.set_page_load_timeout(PAGE_LOAD_SECONDS)
                yield driver

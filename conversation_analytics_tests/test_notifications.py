"""Who hears of failed runs, and what happens where nobody can be told."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from conversation_analytics.notifications import (
    FailedRun,
    LogNotifier,
    WebhookNotifier,
    notifiers,
)
from conversation_analytics.settings import load_settings
from conversation_analytics_tests.services.process import free_port

FAILED = FailedRun("daily", "abc", "2024-01-01", "2024-01-05", "the disk is full", True)
SECRET = "hush-hush"


@dataclass
class Hook:
    """A webhook's server.

    Attributes:
        answers: statuses to answer with, the last one for ever.
        posted: bodies that came.
        url: its address.
    """

    answers: list[int] = field(default_factory=lambda: [200])
    posted: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""


@contextmanager
def hook(*answers: int) -> Iterator[Hook]:
    """A real server that answers posts."""
    taken = Hook(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.posted.append(json.loads(body))
            status = taken.answers.pop(0) if len(taken.answers) > 1 else taken.answers[0]
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        taken.url = f"http://127.0.0.1:{server.server_port}/{SECRET}"
        yield taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_webhook_gets_everything_as_json_and_a_line_for_people() -> None:
    with hook(200) as server:
        WebhookNotifier(server.url).notify(FAILED)

    assert server.posted == [
        {
            "text": (
                "run abc of job daily for 2024-01-01 to 2024-01-05 failed: the disk is full "
                "(it will be tried again)"
            ),
            "job": "daily",
            "run_id": "abc",
            "first_day": "2024-01-01",
            "last_day": "2024-01-05",
            "error": "the disk is full",
            "will_be_retried": True,
        }
    ]


def test_a_webhook_that_fails_at_first_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    with hook(503, 503, 200) as server:
        WebhookNotifier(server.url, pause=0).notify(FAILED)

    assert len(server.posted) == 3
    assert caplog.records == []


def test_a_webhook_that_keeps_failing_is_logged_and_nothing_is_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with hook(500) as server:
        WebhookNotifier(server.url, pause=0).notify(FAILED)

    assert len(server.posted) == 3
    (record,) = caplog.records
    assert "could not be told that run abc failed: it answered 500 (3 tries)" in record.message
    assert SECRET not in record.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/hush-hush", "http://[/hush-hush"])
def test_a_webhook_that_is_not_there_is_logged_without_its_address(
    caplog: pytest.LogCaptureFixture, url: str
) -> None:
    WebhookNotifier(url.format(port=free_port()), pause=0).notify(FAILED)

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert SECRET not in record.message


def test_the_log_has_a_line_and_the_run_in_its_record(caplog: pytest.LogCaptureFixture) -> None:
    LogNotifier().notify(FailedRun("sweep", "abc", None, None, "no", False))

    (record,) = caplog.records
    assert record.message == ("run abc of job sweep failed: no (it will not be tried again)")
    assert record.__dict__["failed_run"]["job"] == "sweep"


def test_there_is_a_webhook_only_if_the_settings_name_one() -> None:
    kinds = [
        [type(one) for one in notifiers(load_settings(None, alert_webhook_url=url))]
        for url in (None, "https://hooks.example.org/x")
    ]

    assert kinds == [[LogNotifier], [LogNotifier, WebhookNotifier]]

"""Who hears of failed runs, and what happens where nobody can be told."""

from __future__ import annotations

import logging

import pytest

from conversation_analytics.notifications import (
    FailedRun,
    LogNotifier,
    Webhook,
    WebhookNotifier,
    notifiers,
)
from conversation_analytics.settings import load_settings
from conversation_analytics_tests.services.process import free_port
from conversation_analytics_tests.services.webhook import SECRET, hook

FAILED = FailedRun("daily", "abc", "2024-01-01", "2024-01-05", "the disk is full", True)


def test_the_webhook_gets_everything_as_json_and_a_line_for_people() -> None:
    with hook(200) as server:
        WebhookNotifier(Webhook(server.url)).notify(FAILED)

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
        WebhookNotifier(Webhook(server.url, pause=0)).notify(FAILED)

    assert len(server.posted) == 3
    assert caplog.records == []


def test_a_webhook_that_keeps_failing_is_logged_and_nothing_is_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with hook(500) as server:
        WebhookNotifier(Webhook(server.url, pause=0)).notify(FAILED)

    assert len(server.posted) == 3
    (record,) = caplog.records
    assert "could not be told that run abc failed: it answered 500 (3 tries)" in record.message
    assert SECRET not in record.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/hush-hush", "http://[/hush-hush"])
def test_a_webhook_that_is_not_there_is_logged_without_its_address(
    caplog: pytest.LogCaptureFixture, url: str
) -> None:
    WebhookNotifier(Webhook(url.format(port=free_port()), pause=0)).notify(FAILED)

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

"""Telling people that a run failed: in the log, and by a webhook if there is one.

A notifier never raises: that nobody could be told must not hide what there was to tell.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from typing import Protocol

import orjson

from conversation_analytics.settings import Settings

logger = logging.getLogger(__name__)

_TRIES = 3
_PAUSE_SECONDS = 1.0
_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class FailedRun:
    """A run that failed.

    Attributes:
        job: name of its job.
        run_id: its id.
        first_day: first day it was to refresh, as YYYY-MM-DD; null if it had no days.
        last_day: last day.
        error: the first error, in one line.
        will_be_retried: whether the same is tried again without anybody doing anything.
    """

    job: str
    run_id: str
    first_day: str | None
    last_day: str | None
    error: str
    will_be_retried: bool

    def __str__(self) -> str:
        days = f" for {self.first_day} to {self.last_day}" if self.first_day else ""
        later = "it will be tried again" if self.will_be_retried else "it will not be tried again"
        return f"run {self.run_id} of job {self.job}{days} failed: {self.error} ({later})"


class Notifier(Protocol):
    """Whoever wants to hear of failed runs."""

    def notify(self, run: FailedRun) -> None:
        """Tell of a failed run; never raises."""
        ...


class LogNotifier:
    """Writes a line to the log, whose record carries the run as ``failed_run``."""

    def notify(self, run: FailedRun) -> None:
        """See `Notifier`."""
        logger.error("%s", run, extra={"failed_run": asdict(run)})


class WebhookNotifier:
    """Posts the run as JSON to an address, with ``text`` for what shows one line only.

    Args:
        url: the address; a secret, because whoever knows such an address can post to it.
        pause: seconds before the second try, doubling after that.
    """

    def __init__(self, url: str, *, pause: float = _PAUSE_SECONDS) -> None:
        self._url = url
        self._pause = pause

    def notify(self, run: FailedRun) -> None:
        """See `Notifier`."""
        problem = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(self._pause * 2 ** (attempt - 1))
            problem = self._post({"text": str(run), **asdict(run)})
            if not problem:
                return
        logger.error(
            "ALERT_WEBHOOK_URL could not be told that run %s failed: %s (%s tries)",
            run.run_id,
            problem,
            _TRIES,
        )

    def _post(self, body: dict[str, object]) -> str:
        """Post once; what went wrong, without the address."""
        import urllib3

        try:
            answer = urllib3.request(
                "POST",
                self._url,
                body=orjson.dumps(body),
                headers={"content-type": "application/json"},
                timeout=_TIMEOUT_SECONDS,
                redirect=False,
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return type(error).__name__
        return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"


def notifiers(settings: Settings) -> list[Notifier]:
    """Everyone whom the settings want to hear of failed runs."""
    found: list[Notifier] = [LogNotifier()]
    if settings.alert_webhook_url:
        found.append(WebhookNotifier(settings.alert_webhook_url.get_secret_value()))
    return found

"""Telling people that a run failed: in the log, and by a webhook if there is one.

A notifier never raises: that nobody could be told must not hide what there was to tell.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
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


class Webhook:
    """An address that JSON is posted to.

    Args:
        url: the address; a secret, because whoever knows such an address can post to it.
        pause: seconds before the second try, doubling after that.
        timeout: seconds that connecting may take, and each wait for an answer.
    """

    def __init__(
        self, url: str, *, pause: float = _PAUSE_SECONDS, timeout: float = _TIMEOUT_SECONDS
    ) -> None:
        self._url = url
        self._pause = pause
        self._timeout = timeout

    @property
    def malformed(self) -> str:
        """Why nothing can be posted to the address, without it; empty if something may be."""
        from urllib3.exceptions import LocationParseError
        from urllib3.util import parse_url

        if any(character.isspace() for character in self._url):
            return "there is a space in it"
        try:
            host = parse_url(self._url).host
        except LocationParseError:
            return "its host or port is none"
        return "" if host else "it names no host"

    def post(self, body: Mapping[str, object]) -> str:
        """Post, if need be a few times; what went wrong, without the address, or nothing."""
        problem = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(self._pause * 2 ** (attempt - 1))
            problem = self._post(body)
            if not problem:
                return ""
        return f"{problem} ({_TRIES} tries)"

    def _post(self, body: Mapping[str, object]) -> str:
        import urllib3

        try:
            answer = urllib3.request(
                "POST",
                self._url,
                body=orjson.dumps(body),
                headers={"content-type": "application/json"},
                timeout=self._timeout,
                redirect=False,
                retries=False,
                preload_content=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return type(error).__name__
        answer.close()  # nothing in the body matters, however long it is
        return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"


class WebhookNotifier:
    """Posts the run as JSON to an address, with ``text`` for what shows one line only."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    def notify(self, run: FailedRun) -> None:
        """See `Notifier`."""
        problem = self._webhook.post({"text": str(run), **asdict(run)})
        if problem:
            logger.error(
                "ALERT_WEBHOOK_URL could not be told that run %s failed: %s", run.run_id, problem
            )


def webhook(settings: Settings) -> Webhook | None:
    """The address that ALERT_WEBHOOK_URL names, if any."""
    url = settings.alert_webhook_url
    return Webhook(url.get_secret_value()) if url else None


def notifiers(settings: Settings) -> list[Notifier]:
    """Everyone whom the settings want to hear of failed runs."""
    found: list[Notifier] = [LogNotifier()]
    if hook := webhook(settings):
        found.append(WebhookNotifier(hook))
    return found

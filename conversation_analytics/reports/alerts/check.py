"""Alerts of the newest reports: evaluated, written down, and told once.

    reports ─> evaluations ─> plan ─> records, and what is posted and logged

Nothing here stands in the way of reports. They are in the lake already; a webhook that fails, or
takes too long, is left for the next time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from conversation_analytics.errors import TornDay
from conversation_analytics.notifications import webhook
from conversation_analytics.periods import Grain, Period, period_of
from conversation_analytics.reports.alerts import wording
from conversation_analytics.reports.alerts.evaluate import Alert, evaluate
from conversation_analytics.reports.alerts.events import Plan, plan
from conversation_analytics.reports.alerts.figures import Document, Subject
from conversation_analytics.reports.alerts.rules import Rule, compared_with
from conversation_analytics.reports.alerts.sent import AlertLog, Standing, What, event_id
from conversation_analytics.reports.published import read_report
from conversation_analytics.settings import Settings
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import REPORT_UNITS

logger = logging.getLogger(__name__)

LOOKED_AT: Final[dict[Grain, int]] = {"daily": 14, "weekly": 4, "monthly": 3}
"""How many of the newest periods that are over are looked at, each time."""

MOST_SECONDS: Final = 60.0
"""After which nothing more is posted in a run."""

Post = Callable[[Mapping[str, object]], str]


@dataclass
class AlertCheck:
    """What came of looking at alerts.

    Attributes:
        grain: of the reports looked at.
        periods: the periods looked at, in order.
        alerts: what fires in them.
        notes: what cannot be told of the last of them, in words.
        raised: texts told of events that began.
        withdrawn: texts told of events that are none any more.
        waiting: texts that nobody could be told, to be told the next time.
    """

    grain: Grain
    periods: Sequence[Period]
    alerts: list[Alert] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    @property
    def firing(self) -> list[Alert]:
        """The alerts of the last period looked at."""
        return [one for one in self.alerts if one.period == self.periods[-1]]

    def as_dict(self) -> dict[str, Any]:
        """The result for programs."""
        return {
            "grain": self.grain,
            "periods": [one.key for one in self.periods],
            "alerts": [one.as_dict() for one in self.alerts],
            "notes": self.notes,
            "raised": self.raised,
            "withdrawn": self.withdrawn,
            "waiting": self.waiting,
        }


def check_alerts(
    settings: Settings,
    lake: Lake,
    rules: Iterable[Rule],
    grain: Grain,
    *,
    period: Period | None = None,
    dry_run: bool = False,
    post: Post | None = None,
) -> AlertCheck:
    """Hold the rules of a grain against its newest reports, and tell of what is new.

    Args:
        settings: the settings.
        lake: where the reports are.
        rules: rules; those of other grains are left out.
        grain: of the reports.
        period: one period to look at, over or not; null for the newest `LOOKED_AT` that are over.
        dry_run: whether to tell nobody and write nothing down.
        post: posts a body and tells what went wrong; null for what ALERT_WEBHOOK_URL names.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    own = [rule for rule in rules if rule.grain == grain]
    periods = [period] if period else _newest(settings, lake, grain)
    found = AlertCheck(grain, periods)
    if not own or not periods:
        return found
    reports = _reports(lake, own, periods, found.notes, even_early=period is not None)
    log = AlertLog(lake.store, io_threads=lake.io_threads)
    records = log.records([periods[0].previous(), *periods])
    hook = webhook(settings)
    teller = _Teller(log, post or (hook.post if hook else None), found, dry_run=dry_run)
    for rule in own:
        evaluations = [evaluate(rule, one, reports) for one in periods]
        found.alerts += [alert for one in evaluations for alert in one.alerts.values()]
        found.notes += evaluations[-1].notes  # those of periods before were noted in their time
        planned = plan(evaluations, records, log, withdraw=period is None)
        if not dry_run:
            for at, record in planned.records:
                log.write(at, record)
        teller.tell(rule, planned)
    return found


def _newest(settings: Settings, lake: Lake, grain: Grain) -> list[Period]:
    """The newest period that has a report and is over, and those before it, in order."""
    now = datetime.now(UTC)
    there = [period_of(grain, day) for day in lake.days(REPORT_UNITS[grain])]
    over = [one for one in there if one.window(settings.analytics_timezone)[1] <= now]
    if not over:
        return []
    found = [max(over)]
    while len(found) < LOOKED_AT[grain] and found[-1] != min(over):
        found.append(found[-1].previous())
    return found[::-1]


def _reports(
    lake: Lake,
    rules: Sequence[Rule],
    periods: Sequence[Period],
    notes: list[str],
    *,
    even_early: bool,
) -> dict[Period, Document]:
    """The reports of periods and of what they are compared with, without those made too early."""
    compared = {other for rule in rules for one in periods for other in compared_with(rule, one)}
    there = {period_of(rules[0].grain, day) for day in lake.days(REPORT_UNITS[rules[0].grain])}
    wanted = sorted({*periods, *compared} & there)

    def read(period: Period) -> Document | None:
        try:
            return read_report(lake, period)
        except TornDay as error:
            notes.append(str(error))
            return None

    with ThreadPoolExecutor(lake.io_threads, "alerts") as pool:
        found = zip(wanted, pool.map(read, wanted), strict=True)
        return {
            period: one
            for period, one in found
            if one is not None and (one["over"] or (even_early and period in periods))
        }


class _Teller:
    """Posts and logs what is to be told, as long as that works and does not take too long."""

    def __init__(
        self, log: AlertLog, post: Post | None, found: AlertCheck, *, dry_run: bool
    ) -> None:
        self._log = log
        self._post = post
        self._found = found
        self._dry_run = dry_run
        self._until = time.monotonic() + MOST_SECONDS
        self._problem = ""

    def tell(self, rule: Rule, planned: Plan) -> None:
        for event in planned.events:
            began = event.began or event.alerts[0].period
            if event.standing.told != "raised":
                alert = event.alerts[0]
                body = {**alert.as_dict(), "until": event.alerts[-1].period.key}
                self._tell("raised", rule, began, event.subject, event.standing, body)
        for began, record, standing in planned.withdrawn:
            body = {**record.alert, "text": wording.withdrawal(record.alert["text"])}
            self._tell("withdrawn", rule, began, record.subject, standing, body)

    def _tell(
        self,
        what: What,
        rule: Rule,
        began: Period,
        subject: Subject,
        standing: Standing,
        body: dict[str, Any],
    ) -> None:
        text = body["text"]
        told = self._found.raised if what == "raised" else self._found.withdrawn
        if self._dry_run:
            told.append(text)
            return
        if standing.by_another:
            return
        if self._problem or time.monotonic() > self._until:
            self._found.waiting.append(text)
            return
        claim = self._log.claim(began, rule.name, subject, standing, what)
        if claim is None:  # another run was faster
            return
        if self._post:
            id_ = event_id(began, rule.name, subject)
            self._problem = self._post({"text": text, "id": id_, "what": what, **body})
        if self._problem:
            self._log.release(claim)
            self._found.waiting.append(text)
            logger.error(
                "ALERT_WEBHOOK_URL could not be told of an alert, which is tried again after the "
                "next reports: %s. The alert: %s",
                self._problem,
                text,
            )
            return
        self._log.settle(claim)
        told.append(text)
        logger.warning("%s: %s", rule.severity, text, extra={"alert": {"what": what, **body}})

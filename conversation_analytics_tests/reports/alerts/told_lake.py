"""A lake of which a test writes the reports itself, and alerts that are looked at in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from conversation_analytics.periods import parse_period
from conversation_analytics.reports.alerts.check import AlertCheck, check_alerts
from conversation_analytics.reports.alerts.rules import Rule
from conversation_analytics.settings import load_settings
from conversation_analytics.storage.days import prepare
from conversation_analytics.storage.encoding import ParquetOptions
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import REPORT_UNITS, Layout
from conversation_analytics.storage.mongo_reports import REPORT_FILE
from conversation_analytics_tests.dify.askers import MemoryStore
from conversation_analytics_tests.reports.alerts.simple import Document, report, rule

DAYS = [f"2024-03-{day:02d}" for day in range(1, 32)]
HIGH = rule("above", threshold=100)
BUSY, QUIET = 150, 50


@dataclass
class Mailbox:
    """Takes what is posted, or refuses it.

    Attributes:
        posted: bodies that came.
        problem: what goes wrong; empty if nothing.
    """

    posted: list[Mapping[str, Any]] = field(default_factory=list)
    problem: str = ""

    def __call__(self, body: Mapping[str, object]) -> str:
        if not self.problem:
            self.posted.append(body)
        return self.problem

    @property
    def told(self) -> list[tuple[str, str]]:
        """What was told, of which period."""
        return [(one["what"], one["period"]) for one in self.posted]


class ToldLake:
    """Daily reports in memory, and the rules that are held against them."""

    def __init__(self, *rules: Rule, store: Any = None) -> None:
        self.rules = rules or (HIGH,)
        self.settings = load_settings(None)
        store = MemoryStore() if store is None else store
        options = ParquetOptions.of(self.settings)
        self.lake = Lake(store, Layout(), options, io_threads=2)
        self.mail = Mailbox()

    def report(self, key: str, document: Document | int, grain: str = "daily") -> None:
        """Write a report, or write it again."""
        period = parse_period(grain, key)
        made = report(document) if isinstance(document, int) else document
        unit = REPORT_UNITS[period.grain]
        claim = self.lake.claim_day(unit, period.first)
        tables = {schema.name: schema.empty() for schema in unit.tables}
        prepared = prepare(claim, tables, self.lake.options, request="r", run_id="r")
        documents = {REPORT_FILE: orjson.dumps(made)}
        self.lake.commit_day(prepared.with_documents(documents).commit)

    def reports(self, *conversations: int | None) -> None:
        """Write the reports of the first days of March, with these conversations."""
        for key, number in zip(DAYS, conversations, strict=False):
            if number is not None:
                self.report(key, number)

    def check(self, **options: Any) -> AlertCheck:
        """Look at alerts, and tell of them."""
        grain = self.rules[0].grain
        given = {"post": self.mail, **options}
        return check_alerts(self.settings, self.lake, self.rules, grain, **given)

    def told_after(self, *conversations: int | None) -> Sequence[tuple[str, str]]:
        """What is told by a check after reports are written."""
        self.reports(*conversations)
        self.mail.posted.clear()
        self.check()
        return list(self.mail.told)

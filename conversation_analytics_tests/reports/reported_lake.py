"""A small lake with reports of its days."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from conversation_analytics.periods import Grain, period_of
from conversation_analytics.reports.catalogue import Catalogue
from conversation_analytics.reports.days import ReportDays
from conversation_analytics.reports.published import read_report
from conversation_analytics.reports.user_states import read_users, refreshed_users
from conversation_analytics.storage.days import DayReport, Request, commit_days
from conversation_analytics.storage.layout import REPORT_UNITS
from conversation_analytics_tests.builders import Pipeline, Row, conversation, message

MONDAY = date(2024, 1, 1)
TUESDAY, WEDNESDAY, THURSDAY = (date(2024, 1, day) for day in (2, 3, 4))


def talk(id_: str, at: str, *, user: str = "u1", answered: str | None = None) -> list[Row]:
    """A conversation of a question and an answer, each with their times: its rows."""
    return [
        conversation(id_, f"{at}+00:00", user_id=user),
        message(f"{id_}-q", id_, f"{at}+00:00"),
        message(f"{id_}-a", id_, f"{answered or at}+00:00", "assistant", latency_ms=500, model="m"),
    ]


class ReportedLake(Pipeline):
    """A pipeline that ends in reports, of conversations that are added one by one."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(folder, **{"min_users_per_cell": 1, **settings})
        self.talks: dict[str, list[Row]] = {}

    def copied(self, folder: Path) -> ReportedLake:
        """The same lake and source elsewhere."""
        shutil.copytree(self.source_dir.parent, folder, dirs_exist_ok=True)
        other = ReportedLake(folder)
        other.talks, other._runs = dict(self.talks), self._runs
        return other

    def add(self, *talks: Sequence[Row]) -> None:
        """Put conversations into the source, in place of those with the same ids."""
        for one in talks:
            self.talks[one[0]["conversation_id"]] = list(one)
        rows = self.talks.values()
        self.export([one[0] for one in rows], [row for one in rows for row in one[1:]])

    def users(self) -> list[Row]:
        """Bring users up to date, and tell them."""
        request = Request("users", "users")
        items = refreshed_users(self.lake, Catalogue.read(self.lake), request)
        assert not [one.error for one in commit_days(self.lake, items) if one.error]
        found = read_users(self.lake)
        assert found is not None
        rows: list[Row] = found[1].to_pylist()
        return rows

    def report(
        self, *days: date, grain: Grain = "daily", request: str | None = None
    ) -> dict[date, DayReport]:
        """Make the reports of days, and those that are behind; tells what became of each."""
        self.users()
        asked = [period_of(grain, day) for day in days]
        items = ReportDays(self.settings, self.lake, grain, asked, self.request(request))
        found = {}
        for one in commit_days(self.lake, items):
            assert isinstance(one.day, date)
            found[one.day] = one
        return found

    def read(self, day: date, grain: Grain = "daily") -> dict[str, Any]:
        """`report.json` of the period of a day."""
        found = read_report(self.lake, period_of(grain, day))
        assert found is not None, f"there is no {grain} report of {day}"
        return found

    def epochs(self, grain: Grain = "daily") -> dict[date, int]:
        """How often each report was written."""
        unit = REPORT_UNITS[grain]
        manifests = self.lake.manifests(unit, self.lake.days(unit))
        return {day: manifest.epoch for day, manifest in manifests.items()}

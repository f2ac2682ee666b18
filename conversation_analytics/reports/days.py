"""Reports on their way into the lake: those asked for, and those that late data changed.

    catalogue ─> facts ─> figures ─> document ─> report.json, report.html, figures.parquet

A report is made again when anything it was made of has changed: its days, the days whose
conversations went on into them, the periods it is compared with, who its new users are, or what
decides how it is told. Its version counts up when its figures change after its period was over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, date, datetime
from typing import Final

import orjson
import pyarrow as pa

from conversation_analytics import __version__
from conversation_analytics.categorization.confusion import load_confusion
from conversation_analytics.errors import TRANSIENT, ConversationAnalyticsError, StaleInput
from conversation_analytics.periods import Grain, Period, period_of
from conversation_analytics.reports.catalogue import Catalogue
from conversation_analytics.reports.content import Contents
from conversation_analytics.reports.document import Document, restatement
from conversation_analytics.reports.reading import FIRST_ACTIVE, States, first_days, new_users
from conversation_analytics.reports.retention import cohorts
from conversation_analytics.reports.user_states import read_users
from conversation_analytics.schemas import MODEL_PERFORMANCE
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics.settings import Settings
from conversation_analytics.storage.days import (
    DayItem,
    FailedDay,
    KeptDay,
    PreparedDay,
    Request,
    prepare,
)
from conversation_analytics.storage.encoding import digest
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import PAGE_FILE, REPORT_FILE, REPORT_UNITS
from conversation_analytics.storage.manifest import Manifest, version_of

METRICS_VERSION: Final = version_of({name: repr(metric) for name, metric in METRICS.items()})


class ReportDays:
    """The reports of a grain, prepared lazily and in order; to be committed one by one.

    Args:
        settings: the settings.
        lake: where they come from and go to.
        grain: of the reports.
        asked: the periods asked for.
        request: what asks for them.
    """

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        grain: Grain,
        asked: Sequence[Period],
        request: Request,
    ) -> None:
        self._settings = settings
        self._lake = lake
        self._grain = grain
        self._unit = REPORT_UNITS[grain]
        self._asked = set(asked)
        self._request = request

    def __iter__(self) -> Iterator[DayItem]:
        users = read_users(self._lake, FIRST_ACTIVE)
        if users is None:
            raise StaleInput(
                "reports tell new users from others by user_analytics, which was never made: "
                "materialise it first"
            )
        catalogue = Catalogue.read(self._lake)
        known = first_days(users[1])
        new = new_users(known)
        states = States(self._lake, self._settings, catalogue, known)
        confusions = [load_confusion(path) for path in self._settings.confusion_files]
        there = self._lake.manifests(self._unit, self._lake.days(self._unit))
        made = {period_of(self._grain, day): manifest for day, manifest in there.items()}
        decided = {
            period: (self._inputs(catalogue, period), self._versions(new, period))
            for period in sorted({*self._asked, *made})
        }
        current = {
            period
            for period, done in made.items()
            if (done.inputs, done.versions) == decided[period]
        }
        contents = Contents(states, datetime.now(UTC), confusions, current)
        yield from self._items(contents, decided, made, current)

    def _items(
        self,
        contents: Contents,
        decided: Mapping[Period, tuple[dict[str, str], dict[str, str]]],
        made: Mapping[Period, Manifest],
        current: Set[Period],
    ) -> Iterator[DayItem]:
        for period, (inputs, versions) in decided.items():
            done = made.get(period)
            if period in self._asked:
                if done and period in current and done.request == self._request.id:
                    yield KeptDay(self._unit.name, period.first, done)
                    continue
            elif period in current:
                continue
            try:
                yield self._prepared(contents, period, inputs, versions, done)
            except ConversationAnalyticsError as error:
                yield FailedDay(
                    self._unit.name,
                    period.first,
                    str(error),
                    transient=isinstance(error, TRANSIENT),
                )

    def _prepared(
        self,
        contents: Contents,
        period: Period,
        inputs: dict[str, str],
        versions: dict[str, str],
        done: Manifest | None,
    ) -> PreparedDay:
        started = time.perf_counter()
        claim = self._lake.claim_day(self._unit, period.first, run_id=self._request.run_id)
        content = contents.of(period)
        tables: dict[str, pa.Table] = {self._unit.tables[0].name: content.figures}
        if MODEL_PERFORMANCE in self._unit.tables:
            tables[MODEL_PERFORMANCE.name] = content.models
        document = content.document
        prepared = prepare(
            claim,
            tables,
            self._lake.options,
            inputs=inputs,
            started=started,
            request=self._request.id,
            run_id=self._request.run_id,
            code_version=__version__,
            versions=versions,
            activity_days=content.days_present,
            note=content.shortcomings,
        )
        figures_hash = prepared.commit.tables[self._unit.tables[0].name].content_hash
        document["content_hash"] = figures_hash
        document |= self._version(period, content.figures, figures_hash, done)
        page = contents.page(document, period)
        return prepared.with_documents(
            {
                REPORT_FILE: orjson.dumps(document, option=orjson.OPT_INDENT_2),
                PAGE_FILE: page.encode(),
            },
            revision=document["report_version"],
        )

    def _version(
        self, period: Period, figures: pa.Table, figures_hash: str, done: Manifest | None
    ) -> Document:
        """The number of a report's version, and what it says otherwise than the one before."""
        unit = self._unit
        found = self._lake.read_document(unit, period.first, REPORT_FILE) if done else None
        if done is None or found is None:
            return {"report_version": 1, "restated": None}
        earlier = orjson.loads(found[1])
        table = unit.tables[0].name
        if found[0].tables[table].content_hash == figures_hash:
            return {name: earlier[name] for name in ("report_version", "restated")}
        if not earlier["over"]:  # what was not over yet was bound to change
            return {"report_version": earlier["report_version"], "restated": None}
        read = self._lake.read_day(unit, period.first, {table: unit.tables[0].names})
        before = read[1][table] if read else unit.tables[0].empty()
        version = earlier["report_version"]
        now = datetime.now(UTC)
        told = restatement(before, figures, previous_version=version, at=now)
        return {"report_version": version + 1, "restated": told}

    def _inputs(self, catalogue: Catalogue, period: Period) -> dict[str, str]:
        """What a report is made of: its period, and those it is compared with."""
        return catalogue.inputs(day for one in _compared(period) for day in one.days)

    def _versions(self, new: Mapping[date, str], period: Period) -> dict[str, str]:
        """What decides a report besides: who is new, settings, how metrics are defined."""
        days = (day for one in (*_compared(period), *cohorts(period)) for day in one.days)
        users = [f"{day}={new[day]}" for day in days if day in new]
        settings = self._settings
        files = [digest(path.read_bytes()) for path in settings.confusion_files]
        decided = [settings.report_dimensions, settings.min_users_per_cell, files]
        return {
            "new_users": version_of(dict.fromkeys(users, "")) if users else "",
            "settings": version_of({"of": repr(decided)}),
            "metrics": METRICS_VERSION,
        }


def _compared(period: Period) -> list[Period]:
    """A period and those that it is compared with."""
    others = (period, period.previous(), period.same_weekday())
    return [one for one in others if one is not None]

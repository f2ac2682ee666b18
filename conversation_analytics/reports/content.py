"""What the reports of a run say: figures, models, comparisons, reasons, summary, page."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, TypeVar

import orjson
import pyarrow as pa

from conversation_analytics.categorization.confusion import Confusion
from conversation_analytics.periods import Period
from conversation_analytics.reports.change import as_document, changes
from conversation_analytics.reports.corrected import corrected_shares
from conversation_analytics.reports.document import Document, breakdowns, models, whole
from conversation_analytics.reports.facts import Facts
from conversation_analytics.reports.measure import measure, model_performance
from conversation_analytics.reports.page.render import render
from conversation_analytics.reports.pooling import labels_in, pool
from conversation_analytics.reports.reading import States
from conversation_analytics.reports.retention import retention
from conversation_analytics.reports.summary import sentences
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics.storage.layout import REPORT_FILE, REPORT_UNITS

# A period and the one before it; those in between are for weekdays.
_KEPT: Final = 2
_REMEMBERED: Final = 8
_HISTORY: Final = 12

_What = TypeVar("_What")


@dataclass(frozen=True)
class Content:
    """What a report says.

    Attributes:
        figures: a table of `schemas.reports.FIGURES`.
        models: a table of `schemas.reports.MODEL_PERFORMANCE`.
        document: `report.json` without its version.
        days_present: the days it has.
        shortcomings: what it lacks, in words; empty if nothing.
    """

    figures: pa.Table
    models: pa.Table
    document: Document
    days_present: Sequence[date]
    shortcomings: str


class Contents:
    """The contents of reports, in order of their periods; what two have in common is kept.

    Args:
        states: what they are made of.
        now: when they are made.
        confusions: how often labels are mistaken for each other, of the tasks that are corrected.
        current: periods whose report in the lake says what one made now would.
    """

    def __init__(
        self,
        states: States,
        now: datetime,
        confusions: Sequence[Confusion] = (),
        current: Set[Period] = frozenset(),
    ) -> None:
        self._states = states
        self._now = now
        self._confusions = confusions
        self._current = current
        self._facts: OrderedDict[Period, Facts] = OrderedDict()
        self._wholes: OrderedDict[Period, Document] = OrderedDict()
        self._history: OrderedDict[Period, Document | None] = OrderedDict()

    def of(self, period: Period) -> Content:
        """The content of the report of a period.

        Raises:
            StaleInput: a day changed since the catalogue was read.
            TornDay: the write of a day was cut off half-way.
        """
        before = period.previous()
        earlier = self._facts_of(before) if self._has_days(before) else None
        now = self._facts_of(period)
        figures = measure(now)
        self._remember(self._wholes, period, whole(figures))
        performance = model_performance(figures)
        why = as_document(changes(now, earlier)) if earlier else {}
        document: Document = {
            "grain": period.grain,
            "key": period.key,
            "from": period.first.isoformat(),
            "to": period.last.isoformat(),
            "time_zone": self._states.settings.analytics_timezone,
            "generated_at": self._now.isoformat(),
            **self._days(period),
            "metrics": self._wholes[period],
            "breakdowns": breakdowns(figures, now.dimensions),
            "comparisons": {
                "previous": self._compared(before),
                "same_weekday": self._compared(period.same_weekday()),
            },
            "why": why,
            "corrected": self._corrected(figures, period),
            "models": models(performance),
            "retention": retention(
                now, self._states.first_days, self._states.settings.min_users_per_cell
            ),
            "quarantined": self._states.catalogue.quarantined(period.days),
            "min_users_per_cell": self._states.settings.min_users_per_cell,
        }
        document["summary"] = sentences(document)
        present = [day for day in period.days if day in self._states.catalogue.present]
        return Content(figures, performance, document, present, _shortcomings(document))

    def page(self, document: Document, period: Period) -> str:
        """The page of a report, with the periods before it."""
        earlier = period
        past: list[Document] = []
        for _ in range(_HISTORY):
            earlier = earlier.previous()
            found = self._published(earlier)
            past += [found] if found else []
        self._remember(self._history, period, document)
        return render(document, past[::-1], METRICS)

    def _facts_of(self, period: Period) -> Facts:
        """What happened in a period, what few users have being pooled."""
        if period in self._facts:
            self._facts.move_to_end(period)
            return self._facts[period]
        if len(self._facts) == _KEPT:
            self._facts.popitem(last=False)
        facts = self._states.facts(period)
        pooled = pool(facts.cells(), self._states.settings.min_users_per_cell)
        found = self._facts[period] = facts.labelled(labels_in(pooled, period.grain))
        return found

    def _compared(self, period: Period | None) -> Document | None:
        """The metrics of the whole of another period; null if it has no day."""
        if period is None or not self._has_days(period):
            return None
        if period not in self._wholes:
            self._remember(self._wholes, period, self._whole(period))
        return {"key": period.key, "metrics": self._wholes[period]}

    def _whole(self, period: Period) -> Document:
        """The metrics of the whole of a period, as its report says or would say."""
        published = self._published(period) if period in self._current else None
        if published is None:
            return whole(measure(self._facts_of(period), ()))
        metrics: Document = published["metrics"]
        return metrics

    def _published(self, period: Period) -> Document | None:
        if period not in self._history:
            unit = REPORT_UNITS[period.grain]
            found = self._states.lake.read_document(unit, period.first, REPORT_FILE)
            self._remember(self._history, period, orjson.loads(found[1]) if found else None)
        return self._history[period]

    def _has_days(self, period: Period) -> bool:
        return not self._states.catalogue.present.isdisjoint(period.days)

    def _corrected(self, figures: pa.Table, period: Period) -> Document:
        """The shares of labels as they are likely to be, by task."""
        found = {}
        for confusion in self._confusions:
            wanted = {"dimension": confusion.task, "metric": "conversations"}
            said = {
                row["value"]: int(row["figure"])
                for row in figures.to_pylist()
                if wanted.items() <= row.items()
            }
            versions = self._states.catalogue.label_versions(confusion.task, period.days)
            version = " and ".join(sorted(versions)) or None
            found[confusion.task] = corrected_shares(said, confusion, version).as_document()
        return found

    def _days(self, period: Period) -> Document:
        catalogue = self._states.catalogue
        over = [
            day for day in period.days if self._states.settings.calendar.window(day)[1] <= self._now
        ]
        missing = [
            day
            for day in over
            if day not in catalogue.present and day not in catalogue.inconsistent
        ]
        inconsistent = sorted(catalogue.inconsistent & set(period.days))
        present = [day for day in period.days if day in catalogue.present]
        whole_ = len(over) == len(period.days) and not missing and not inconsistent
        return {
            "days_present": _texts(present),
            "days_missing": _texts(missing),
            "days_inconsistent": _texts(inconsistent),
            "days_unlabelled": _texts(day for day in present if day not in catalogue.labelled),
            "over": len(over) == len(period.days),
            "complete": whole_,
        }

    @staticmethod
    def _remember(known: OrderedDict[Period, _What], period: Period, what: _What) -> None:
        known[period] = what
        known.move_to_end(period)
        if len(known) > _REMEMBERED + _HISTORY:
            known.popitem(last=False)


def _texts(days: Iterable[date]) -> list[str]:
    return [day.isoformat() for day in days]


def _shortcomings(document: Document) -> str:
    """What a report lacks, in words."""
    words = {
        "days_missing": "not in the lake",
        "days_inconsistent": "made of rows that do not belong together",
        "days_unlabelled": "without labels",
    }
    found = [
        f"{len(document[name])} day(s) {said}: {', '.join(document[name][:5])}"
        for name, said in words.items()
        if document[name]
    ]
    if not document["over"]:
        found.append("the period is not over")
    return "; ".join(found)

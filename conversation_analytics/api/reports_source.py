"""Reports as the API reads them: which there are, their documents, one figure of many of them.

Reports are committed like days, so each is read with the manifest it agrees with. The figures of
many periods are kept in memory, and read again when a manifest's bytes are other ones.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa

from conversation_analytics.api.deadline import Deadline
from conversation_analytics.api.memory import Recent
from conversation_analytics.api.reader import LakeReader, readable
from conversation_analytics.api.rows import Row
from conversation_analytics.periods import GRAINS, Grain, Period, period_of
from conversation_analytics.reports.published import read_page
from conversation_analytics.schemas.reports import FIGURES
from conversation_analytics.storage.encoding import digest
from conversation_analytics.storage.layout import REPORT_FILE, REPORT_UNITS
from conversation_analytics.storage.manifest import Manifest

_LIST_SECONDS = 2.0
# How long the figures of a period are taken for the latest ones.
_FRESH_SECONDS = 10.0
_BYTES_A_PLACE = 200


@dataclass(frozen=True)
class _Known:
    """What is known of the figures of a period.

    Attributes:
        manifest: digest of the bytes of its manifest, empty where there is none.
        until: when to look again.
    """

    manifest: str
    until: float


class _Figures:
    """The figures of a period, those of a dimension and metric next to each other."""

    def __init__(self, table: pa.Table) -> None:
        ordered = table.sort_by([("dimension", "ascending"), ("metric", "ascending")])
        self._rows = ordered.select(["value", "currency", "figure", "users"]).combine_chunks()
        self._places: dict[tuple[str, str], tuple[int, int]] = {}
        names = zip(*(ordered[name].to_pylist() for name in ("dimension", "metric")), strict=True)
        start = 0
        for (dimension, metric), rows in groupby(names):
            count = sum(1 for _ in rows)
            self._places[sys.intern(dimension), sys.intern(metric)] = (start, count)
            start += count

    @property
    def nbytes(self) -> int:
        """Bytes it takes, roughly."""
        return int(self._rows.nbytes) + _BYTES_A_PLACE * len(self._places)

    def rows(self, dimension: str, metric: str) -> list[Row]:
        """The rows of a metric by a dimension: value, currency, figure, users."""
        start, count = self._places.get((dimension, metric), (0, 0))
        found: list[Row] = self._rows.slice(start, count).to_pylist()
        return found


class ReportsSource:
    """Reads the reports of a lake for many requests at once.

    Methods raise `Problem` where the lake cannot be read, or a report of it is damaged.
    """

    def __init__(self, reader: LakeReader) -> None:
        self._lake = reader.lake
        self._memory = reader.memory
        self._listed = {grain: self._listing(grain) for grain in GRAINS}
        self._known: dict[Period, _Known] = {}
        self._looking = threading.Lock()

    def periods(self, grain: Grain) -> list[Period]:
        """The periods that have reports, in order."""
        with readable():
            return self._listed[grain].get()

    def document(self, period: Period) -> bytes | None:
        """A report's `report.json`; null if there is none."""
        with readable(period):
            unit = REPORT_UNITS[period.grain]
            found = self._lake.read_document(unit, period.first, REPORT_FILE)
            return None if found is None else found[1]

    def page(self, period: Period) -> bytes | None:
        """A report's `report.html`; null if there is none."""
        with readable(period):
            return read_page(self._lake, period)

    def manifest(self, period: Period) -> Manifest | None:
        """What a report says of itself; null if there is none."""
        with readable(period):
            return self._lake.manifest(REPORT_UNITS[period.grain], period.first)

    def table(self, period: Period) -> pa.Table | None:
        """All figures of a period: columns and order of `FIGURES`; null if it has no report."""
        unit = REPORT_UNITS[period.grain]
        name = unit.tables[0].name
        with readable(period):
            found = self._lake.read_day(unit, period.first, {name: unit.tables[0].names})
        return None if found is None else found[1][name]

    def figures(
        self, periods: Sequence[Period], metric: str, dimension: str, deadline: Deadline
    ) -> list[tuple[Period, list[Row]]]:
        """One metric of many periods.

        Args:
            periods: of which.
            metric: its name.
            dimension: by which, empty for the whole.
            deadline: when it is given up.

        Returns:
            The periods that have reports, each with its rows: value, currency, figure, users.
        """
        if not all(map(self._is_fresh, periods)):
            if not self._looking.acquire(timeout=deadline.left):
                raise deadline.missed()
            try:
                # Again: another request may have looked while this one waited for its turn.
                behind = [period for period in periods if not self._is_fresh(period)]
                with ThreadPoolExecutor(self._lake.io_threads) as pool:
                    list(pool.map(self._look, behind))
            finally:
                self._looking.release()
        found = []
        for period in periods:
            deadline.check()
            figures = self._figures(period)
            if figures is not None:
                found.append((period, figures.rows(dimension, metric)))
        return found

    def _is_fresh(self, period: Period) -> bool:
        known = self._known.get(period)
        return known is not None and time.monotonic() < known.until

    def _look(self, period: Period) -> None:
        """See which figures of a period there are, and have them in memory."""
        with readable(period):
            unit = REPORT_UNITS[period.grain]
            data = self._lake.store.get(self._lake.layout.manifest(unit, period.first))
        until = time.monotonic() + _FRESH_SECONDS
        self._known[period] = _Known(digest(data) if data else "", until)
        self._figures(period)

    def _figures(self, period: Period) -> _Figures | None:
        """All figures of a period, found by metric and dimension; null if it has no report."""
        known = self._known[period]
        if not known.manifest:
            return None

        def read() -> _Figures:
            found = self.table(period)
            return _Figures(FIGURES.empty() if found is None else found)

        return self._memory.get((FIGURES.name, period, known.manifest), read)

    def _listing(self, grain: Grain) -> Recent[list[Period]]:
        def read() -> list[Period]:
            return [period_of(grain, day) for day in self._lake.days(REPORT_UNITS[grain])]

        return Recent(read, _LIST_SECONDS)

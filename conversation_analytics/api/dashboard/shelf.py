"""The reports of the lake: which there are, and what they say."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import orjson

from conversation_analytics.api.problems import Problem
from conversation_analytics.api.services import Services
from conversation_analytics.errors import PeriodInvalid
from conversation_analytics.periods import GRAINS, Grain, Period, parse_period, period_of
from conversation_analytics.reports.page import numbers
from conversation_analytics.reports.page.figures import PERIODS

Document = Mapping[str, Any]

_REMEMBERED: Final = 64
_LOOKED_AT: Final = 10
_OFFERED: Final = 120


@dataclass(frozen=True)
class Choice:
    """The report that a page shows, and the way to others of its grain.

    Attributes:
        period: its period; null if there is no report of the grain and none was asked for.
        document: the report; null if there is none of the period.
        history: reports of earlier periods, oldest first.
        there: all periods with a report, in order.
        ways: of each grain, the key of the period with a report that ends last within this one.
    """

    grain: Grain
    period: Period | None
    document: Document | None
    history: Sequence[Document]
    there: Sequence[Period]
    ways: Mapping[Grain, str]

    @property
    def title(self) -> str:
        """The period in words."""
        return numbers.title(self.period) if self.period else ""

    @property
    def earlier(self) -> Period | None:
        """The last period with a report before this one."""
        found = [one for one in self.there if self.period and one < self.period]
        return found[-1] if found else None

    @property
    def later(self) -> Period | None:
        """The first period with a report after this one."""
        return next((one for one in self.there if self.period and one > self.period), None)

    @property
    def offered(self) -> list[str]:
        """Keys of periods to choose from, the newest first, this one among them."""
        newest = self.there[-_OFFERED:]
        own = [self.period] if self.period and self.period not in newest else []
        return [one.key for one in sorted([*newest, *own], reverse=True)]

    @property
    def before(self) -> Document | None:
        """The report of the period right before; null if there is none."""
        if self.period is None or not self.history:
            return None
        last = self.history[-1]
        return last if last["key"] == self.period.previous().key else None


class Shelf:
    """Reads reports for many requests at once; what was read is kept until it is another.

    Methods raise `Problem` where the lake cannot be read, or a report is damaged.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._read: OrderedDict[Period, tuple[tuple[str, int], Document]] = OrderedDict()
        self._lock = threading.Lock()

    def periods(self, grain: Grain) -> list[Period]:
        """The periods with a report, in order."""
        return self._services.reports.periods(grain)

    def choose(self, grain: Grain, key: str | None) -> Choice:
        """The report of a key, or the latest one.

        Raises:
            Problem: the key is not one of the grain's periods.
        """
        there = self.periods(grain)
        if key is None:
            period = self._latest(there)
        else:
            try:
                period = parse_period(grain, key)
            except PeriodInvalid as error:
                raise Problem("invalid-period", f"{error}.") from error
        ways = self._ways(period)
        if period is None or period not in there:
            return Choice(grain, period, None, (), there, ways)
        earlier = [one for one in there if one < period][-PERIODS:]
        found = self.documents([*earlier, period])
        history = [found[one] for one in earlier if one in found]
        return Choice(grain, period, found.get(period), history, there, ways)

    def latest(self, grain: Grain) -> Document | None:
        """The latest report of a grain; null if there is none."""
        period = self._latest(self.periods(grain))
        return None if period is None else self._document(period)

    def documents(self, periods: Sequence[Period]) -> dict[Period, Document]:
        """The reports of periods, of those that have one."""
        with ThreadPoolExecutor(self._services.settings.io_threads) as pool:
            found = zip(periods, pool.map(self._document, periods), strict=True)
            return {one: document for one, document in found if document is not None}

    def _ways(self, period: Period | None) -> dict[Grain, str]:
        if period is None:
            return dict.fromkeys(GRAINS, "")
        found: dict[Grain, str] = {}
        for grain in GRAINS:
            within = [one for one in self.periods(grain) if one.first <= period.last]
            nearest = within[-1] if within else None
            fits = nearest is not None and nearest.last >= period.first
            last = nearest if nearest is not None and fits else period_of(grain, period.last)
            found[grain] = period.key if grain == period.grain else last.key
        return found

    def _document(self, period: Period) -> Document | None:
        manifest = self._services.reports.manifest(period)
        if manifest is None:
            return None
        state = (manifest.content_hash, manifest.revision)
        with self._lock:
            kept = self._read.get(period)
        if kept is not None and kept[0] == state:
            return kept[1]
        data = self._services.reports.document(period)
        if data is None:
            return None
        document: Document = orjson.loads(data)
        with self._lock:
            self._read[period] = (state, document)
            while len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        return document

    def _latest(self, there: Sequence[Period]) -> Period | None:
        """The last period that is over and lacks nothing, if it is one of the last few."""
        over = [one for one in there[-_LOOKED_AT:] if one.last < self._services.today]
        for one in reversed(over):
            manifest = self._services.reports.manifest(one)
            if manifest is not None and not manifest.note:
                return one
        return next((found[-1] for found in (over, there) if found), None)

"""What reports read of the lake: the states of the days that a period's rows are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.errors import StaleInput
from conversation_analytics.periods import Period
from conversation_analytics.reports.catalogue import Catalogue
from conversation_analytics.reports.facts import Facts, facts_of
from conversation_analytics.reports.relations import (
    DIMENSIONS,
    FIRST_DAYS,
    READ,
    relations_of,
    within,
)
from conversation_analytics.schemas import (
    CATEGORY_SUMMARIES,
    CONVERSATIONS,
    MESSAGE_ACTIVITY,
    TableSchema,
)
from conversation_analytics.settings import Settings
from conversation_analytics.storage.encoding import content_hash, digest
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    Unit,
)

_TABLES: Final[tuple[tuple[Unit, TableSchema], ...]] = (
    (CONVERSATIONS_UNIT, CONVERSATIONS),
    (CATEGORIES_UNIT, CATEGORY_SUMMARIES),
    (MESSAGES_UNIT, MESSAGE_ACTIVITY),
)
# The last of a period are the first of the one after it, where messages are made after midnight.
_KEPT: Final = 2


@dataclass(frozen=True)
class States:
    """The states that reports of some days are made of.

    Attributes:
        lake: where they are.
        settings: the settings.
        catalogue: what there was when the work began.
        first_days: the local day of each user's first message, as `facts.FIRST_DAYS`.
        kept: the tables of the days that were read last.
    """

    lake: Lake
    settings: Settings
    catalogue: Catalogue
    first_days: pa.Table
    kept: dict[date, dict[str, pa.Table]] = field(default_factory=dict)

    def facts(self, period: Period) -> Facts:
        """What happened in a period.

        Raises:
            StaleInput: a day changed since the catalogue was read.
            TornDay: the write of a day was cut off half-way.
        """
        dimensions = tuple(dict.fromkeys((*DIMENSIONS, *self.settings.dimensions)))
        zone = self.settings.analytics_timezone
        # The days' tables are not held on to: they are half of what a month takes.
        counted = relations_of(period, zone, dimensions, **self._tables(period))
        return facts_of(period, dimensions, counted)

    def _tables(self, period: Period) -> dict[str, pa.Table]:
        """What the relations of a period are made of."""
        listing = self.catalogue.listing(period.days)
        days = sorted({*(set(period.days) & self.catalogue.present), *listing})
        read = self._of_days(days)
        conversations, summaries, activity = (
            pa.concat_tables([_empty(schema), *(read[day][schema.name] for day in days)])
            for _, schema in _TABLES
        )
        activity = activity.filter(within(activity["activity_day"], period))
        return {
            "conversations": conversations,
            "summaries": summaries,
            "activity": activity,
            "first_days": self._first_days_of(activity["user_id"]),
        }

    def _first_days_of(self, users: pa.ChunkedArray) -> pa.Table:
        """Those of some users, of all of whom a join would go through for each period."""
        places = map(self._places.get, pc.unique(users).to_pylist())
        known = [place for place in places if place is not None]
        return self.first_days.take(pa.array(known, pa.int64()))

    @cached_property
    def _places(self) -> Mapping[str, int]:
        users = self.first_days["user_id"].to_pylist()
        return dict(zip(users, range(len(users)), strict=True))

    def _of_days(self, days: Sequence[date]) -> dict[date, dict[str, pa.Table]]:
        missing = [day for day in days if day not in self.kept]
        with ThreadPoolExecutor(self.lake.io_threads) as pool:
            found = self.kept | dict(zip(missing, pool.map(self._of_day, missing), strict=True))
        self.kept.clear()
        self.kept.update((day, found[day]) for day in days[-_KEPT:])
        return found

    def _of_day(self, day: date) -> dict[str, pa.Table]:
        expected = self.catalogue.states(day)
        found = {}
        for unit, schema in _TABLES:
            names = READ[schema.name]
            if unit.name not in expected:
                found[schema.name] = _empty(schema)
                continue
            read = self.lake.read_day(unit, day, {schema.name: names})
            if read is None or read[0].content_hash != expected[unit.name]:
                raise StaleInput(
                    f"{unit.name} of {day} changed while reports were made of it: make them again"
                )
            found[schema.name] = read[1][schema.name]
        return found


FIRST_ACTIVE: Final = ("user_id", "first_active_day")
"""The columns of `schemas.USER_ANALYTICS` that first days are read from."""


def first_days(users: pa.Table) -> pa.Table:
    """The first day of each user that has one, of a table of `schemas.USER_ANALYTICS`."""
    wrote = users.filter(pc.is_valid(users["first_active_day"]))
    return pa.table([wrote["user_id"], wrote["first_active_day"]], schema=FIRST_DAYS)


def _empty(schema: TableSchema) -> pa.Table:
    return schema.empty().select(READ[schema.name])


def new_users(found: pa.Table) -> dict[date, str]:
    """What changes with who is new on each day, by day.

    Args:
        found: as `first_days`.
    """
    by_day: dict[date, list[str]] = {}
    for user, day in zip(found["user_id"].to_pylist(), found["first_day"].to_pylist(), strict=True):
        by_day.setdefault(day, []).append(digest(user.encode()))
    return {day: content_hash(users) for day, users in by_day.items()}

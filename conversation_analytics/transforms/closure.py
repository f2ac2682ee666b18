"""Rows that change days: the days they leave and enter must be written together.

A conversation that starts on another day takes its messages along; one that appears adopts
messages which were in quarantine as orphans on days of their own; one that goes leaves them
behind; a message may be given to another conversation. So rows are followed by their primary key:
those that the lake has on a day that is read, and those that come to such a day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta

from conversation_analytics.partitions import MICROSECOND
from conversation_analytics.settings import Settings
from conversation_analytics.sources.base import SOURCE_TABLES, SourceTable
from conversation_analytics.storage.index import IndexSnapshot
from conversation_analytics.storage.known import KnownRows
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import RAW, UNKNOWN_DAY, Day
from conversation_analytics.transforms.followed_rows import FollowedRows
from conversation_analytics.transforms.staging import Staging

# The days that list rows which belong to another day now, each with that day.
Moves = set[tuple[Day, Day]]

# What a day counts of rows that may belong to a conversation of another day once there is one.
_FOR_WANT_OF_IT: dict[SourceTable, str] = {
    "conversations": "conversations_quarantined",
    "messages": "quarantined_orphan_message",
}


class Closure:
    """Follows the rows of a reading between days, where rows have primary keys.

    Args:
        lake: where the rows are.
        snapshot: the id → day index before the reading.
        staging: the rows read.
        settings: the settings.
    """

    def __init__(
        self, lake: Lake, snapshot: IndexSnapshot, staging: Staging, settings: Settings
    ) -> None:
        self._lake = lake
        self._snapshot = snapshot
        self._keyed = staging.has_keys
        self._rows = FollowedRows(staging.db, settings.calendar)
        self._known = KnownRows(lake)
        self._read: set[date] = set()
        lag = timedelta(seconds=settings.sync_lag_seconds)
        # Rows made after this moment were in no reading yet.
        newest = max(snapshot.marks().values(), default=0)
        self._unread_from = newest + lag // MICROSECOND

    def record(self, days: Collection[date]) -> None:
        """Note which rows the lake has on days that are read."""
        if not self._keyed:
            return
        fresh = sorted(set(days) - self._read)
        self._known.read(fresh)
        for day in fresh:
            for table in SOURCE_TABLES:
                self._rows.record(table, day, self._known.of(day).hashes[table])
        self._read.update(fresh)

    def unread(self, table: SourceTable) -> list[str]:
        """Keys of rows that the lake has on the days that are read, and that were not read."""
        return self._rows.unread(table)

    def moves(self) -> Moves:
        """Where rows of the days read belong now, and where rows that came to them were."""
        found: Moves = set()
        if self._read:
            for table in SOURCE_TABLES:
                found |= self._left(table) | self._arrived(table)
            found |= self._orphaned()
        return found

    def _left(self, table: SourceTable) -> Moves:
        found: Moves = set()
        away: dict[str, set[date]] = {}
        for old, new, owner in self._rows.left(table):
            if owner is None:
                found.add((old, new))
            else:
                away.setdefault(owner, set()).add(old)
        for owner, new in self._snapshot.days_of(sorted(away)).items():
            found |= {(old, new) for old in away[owner] if old != new}
        return found

    def _orphaned(self) -> Moves:
        """Where messages go whose conversation was on a day that is read, and is no more.

        They need not have been recorded there: they may have come since.
        """
        orphans = self._rows.orphans()
        homes = self._snapshot.days_of(sorted(orphans))
        return {
            (old, new)
            for owner, old in homes.items()
            for new in orphans[owner]
            if old in self._read and old != new
        }

    def _arrived(self, table: SourceTable) -> Moves:
        if not len(self._snapshot.entries) and not self._lake.days(RAW):
            return set()
        found = self._from(table, [UNKNOWN_DAY], self._read)
        # A row that was never edited can only have been in quarantine on its own day.
        arrived = self._rows.arrived(table, self._read)
        for own in self._with_quarantined(table, arrived.keys() - self._read):
            found |= self._from(table, [own], arrived[own])
        edited = self._rows.arrived_edited(table, self._read, self._unread_from)
        if edited:
            for key, days in self._known.days_with(table, edited.keys()).items():
                found |= {(old, edited[key]) for old in days if old != edited[key]}
        return found

    def _from(self, table: SourceTable, held: Iterable[Day], days: Collection[date]) -> Moves:
        """Moves of rows that the lake has on some days to other days."""
        return {
            (old, new)
            for old in held
            for new in self._rows.days_of(table, self._known.of(old).hashes[table].keys(), days)
            if new != old
        }

    def _with_quarantined(self, table: SourceTable, days: Collection[date]) -> list[date]:
        there = self._lake.manifests(RAW, sorted(days))
        return [day for day, one in there.items() if one.counts.get(_FOR_WANT_OF_IT[table])]

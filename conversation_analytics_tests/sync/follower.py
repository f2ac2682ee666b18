"""A lake that follows a source in memory, by the plain functions that everything else rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any
from unittest import mock

from conversation_analytics.compute.runner import InProcessRunner
from conversation_analytics.errors import ConversationAnalyticsError
from conversation_analytics.partitions import days_between
from conversation_analytics.settings import load_settings
from conversation_analytics.sources.mapping import load_mapping
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.days import DayItem, Request, commit_days, failures
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.layout import UNITS, UNKNOWN_DAY, UNPLACED, Day
from conversation_analytics.sync.cursor import CursorStore
from conversation_analytics.sync.ledger import open_ledger
from conversation_analytics.sync.look import Look, look_at_changes, sweep
from conversation_analytics.sync.pending import PendingDay, pending_days, pending_ranges
from conversation_analytics.transforms import reading
from conversation_analytics.transforms.derived import DerivedDays
from conversation_analytics.transforms.raw import RawDays
from conversation_analytics_tests import oracle
from conversation_analytics_tests.builders import derivations
from conversation_analytics_tests.oracle_rows import Row
from conversation_analytics_tests.sync.memory_source import MemorySource


class DaysFailed(ConversationAnalyticsError):
    """Days were not written; each error says why."""


@dataclass(frozen=True)
class Asked:
    """Days that were asked for, as a repetition asks for them again.

    Attributes:
        days: the days.
        request: what asked for them.
    """

    days: tuple[date, ...]
    request: Request


@dataclass
class Follower:
    """A lake beside its source.

    Attributes:
        folder: where the lake is.
        source: what it follows.
        settings: values of settings.
        by_days: whether days are asked for one by one; else everything is read each time.
        merge: whether rows that changed may be put into what the lake has.
        unfinished: what was asked for and failed or died, to be repeated.
    """

    folder: Path
    source: MemorySource
    settings: dict[str, Any] = field(default_factory=dict)
    by_days: bool = True
    merge: bool = True
    unfinished: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loaded = load_settings(
            None, parquet_base_dir=self.folder, enable_multithreading=False, **self.settings
        )
        self.opened = OpenedSource(self.source, load_mapping("plain", None))
        self.runner = InProcessRunner()
        self._requests = 0
        self.reopen()

    def reopen(self) -> None:
        """Let go of everything that was opened, as a process that ends."""
        self.lake: Lake = open_lake(self.loaded)

    def look(self, *, seconds: float | None = None) -> Look:
        """Look at what changed."""
        return look_at_changes(self.loaded, self.lake, self.opened, seconds=seconds)

    def sweep(self, *, force: bool = False) -> Look:
        """Compare everything."""
        return sweep(self.loaded, self.lake, self.opened, self.runner, force=force)

    def verify(self) -> None:
        """Compare everything with nothing to follow."""
        with open_ledger(self.loaded, self.lake, self.opened, self.runner):
            pass

    def sync(self) -> Look:
        """Look at what changed, or compare everything where that does not tell, and refresh."""
        look = self.look()
        if look.sweep:
            look = self.sweep()
        self.refresh()
        return look

    def refresh(self) -> list[date]:
        """Write the days that are pending, each range as a run of its own; which they are.

        Raises:
            DaysFailed: some were not written.
        """
        days: list[date] = []
        errors: list[str] = []
        for range_ in pending_ranges(self.pending(), anchor=self.today):
            request = replace(
                self.request(), whole=range_.whole, merge=self.merge and not range_.whole
            )
            asked = Asked(tuple(days_between(range_.first, range_.last)), request)
            days += asked.days
            errors += self._write(asked)
        if errors:
            raise DaysFailed("; ".join(errors))
        return days

    def backfill(self, days: Sequence[date]) -> None:
        """Write days that somebody asks for.

        Raises:
            DaysFailed: some were not written.
        """
        self._write_or_raise(Asked(tuple(days), self.request()))

    def repeat(self) -> None:
        """Ask again for what failed or died, as the repetition of a run does.

        Raises:
            DaysFailed: some were not written.
        """
        for asked in [*self.unfinished]:
            self._write_or_raise(asked)

    def begin(self, days: Sequence[date]) -> Iterator[None]:
        """Read days now, and write them when this is asked for more."""
        asked = Asked(tuple(days), self.request())
        with self._reading():
            items = iter(self._raw_days(asked))
            first = next(items, None)
        yield
        list(commit_days(self.lake, chain([first] if first else [], items)))
        self._derive(asked)

    def pending(self) -> list[PendingDay]:
        """The days that are behind."""
        return pending_days(self.lake, None)

    def request(self) -> Request:
        """What asks for the next days."""
        self._requests += 1
        return Request(f"request-{self._requests}", f"run-{self._requests}")

    @property
    def cursors(self) -> CursorStore:
        """Where the cursor is."""
        return CursorStore(self.lake.store)

    @property
    def today(self) -> date:
        """The source's day."""
        return self.loaded.calendar.day_of(self.source.clock)

    def epochs(self) -> dict[tuple[str, Day], int]:
        """The epoch of every committed day of every unit."""
        found = {
            (unit.name, day): manifest.epoch
            for unit in UNITS.values()
            if unit is not UNPLACED
            for day, manifest in self.lake.manifests(unit, self.lake.days(unit)).items()
        }
        unplaced = self.lake.manifest(UNPLACED, UNKNOWN_DAY)
        return found | ({(UNPLACED.name, UNKNOWN_DAY): unplaced.epoch} if unplaced else {})

    def table(self, unit: str, table: str, day: Day) -> list[Row]:
        """A table of a day; no rows if the day was never written."""
        found = self.lake.read_day(UNITS[unit], day)
        return [] if found is None else found[1][table].to_pylist()

    def expected(self) -> dict[date | str, oracle.Day]:
        """What each day must hold, by the rules alone."""
        return oracle.expected(
            self.source.rows("conversations"),  # type: ignore[arg-type]
            self.source.rows("messages"),  # type: ignore[arg-type]
            profile="plain",
            timezone=self.loaded.analytics_timezone,
            start=self.loaded.partitions_start_date,
            now=self.source.clock,
        )

    def _write_or_raise(self, asked: Asked) -> None:
        errors = self._write(asked)
        if errors:
            raise DaysFailed("; ".join(errors))

    def _write(self, asked: Asked) -> list[str]:
        """Write days; what went wrong. They stay unfinished unless nothing did."""
        if asked not in self.unfinished:
            self.unfinished.append(asked)
        with self._reading():
            errors = self._commit(self._raw_days(asked))
        errors += self._derive(asked)
        if not errors:
            self.unfinished.remove(asked)
        return errors

    def _raw_days(self, asked: Asked) -> RawDays:
        return RawDays(self.loaded, self.lake, self.opened, asked.days, asked.request, self.runner)

    def _derive(self, asked: Asked) -> list[str]:
        errors: list[str] = []
        for how in derivations(self.loaded, self.lake).values():
            days = DerivedDays(self.loaded, self.lake, how, asked.days, asked.request, self.runner)
            errors += self._commit(days)
        return errors

    def _commit(self, items: Iterable[DayItem]) -> list[str]:
        return list(failures(commit_days(self.lake, items)).values())

    def _reading(self) -> Any:
        """With so few days in a lake, asking for some of them would never be worth it."""
        return mock.patch.object(reading, "_FEW_DAYS", 10.0 if self.by_days else 0.0)

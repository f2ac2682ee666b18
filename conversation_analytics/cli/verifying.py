"""What `verify` does: compare every day, refresh those that differ, compare them again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from conversation_analytics.cli.backfilling import Backfill, Outcome, PreparedBackfill
from conversation_analytics.cli.output import ExitCode
from conversation_analytics.cli.output import errors as console
from conversation_analytics.cli.syncing import Sync
from conversation_analytics.compute.runner import runner_for
from conversation_analytics.settings import Settings
from conversation_analytics.sources.open import open_source
from conversation_analytics.storage.freshness import mongo_records
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.layout import UNKNOWN_DAY
from conversation_analytics.sync.healing import mark_for_healing
from conversation_analytics.sync.ledger import Ledger, LedgerDay, open_ledger
from conversation_analytics.sync.pending import pending_days


@dataclass
class Compared:
    """What a comparison of all days found.

    Attributes:
        days: every day, or only those that do not agree, as was asked for.
        total: how many days were compared; rows without a day count as one if they differ.
        rows: by store, rows that were compared.
    """

    days: list[LedgerDay] = field(default_factory=list)
    total: int = 0
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def differing(self) -> list[LedgerDay]:
        """The days that do not agree."""
        return [day for day in self.days if not day.equal]

    def as_dict(self) -> dict[str, Any]:
        """The result for `--json`."""
        return {
            "compared_days": self.total,
            "compared_rows": self.rows,
            "differing_days": len(self.differing),
            "days": [day.as_dict() for day in self.days],
        }


@dataclass
class Verified:
    """What a verification found, and did.

    Attributes:
        found: what was compared first.
        outcomes: what became of each range that was refreshed.
        left: what was compared afterwards; null if nothing was healed.
    """

    found: Compared
    outcomes: list[Outcome] = field(default_factory=list)
    left: Compared | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The exit status that says so."""
        last = self.found if self.left is None else self.left
        failed = max((one.exit_code for one in self.outcomes), default=ExitCode.OK)
        return failed or (ExitCode.DIFFERENCE if last.differing else ExitCode.OK)

    def as_dict(self) -> dict[str, Any]:
        """The result for `--json`."""
        return {
            **self.found.as_dict(),
            "runs": [outcome.as_dict() for outcome in self.outcomes],
            "left": None if self.left is None else self.left.as_dict(),
        }


@dataclass(frozen=True)
class Verification:
    """A verification under some settings.

    Attributes:
        settings: the settings.
        first: first day; null for the first there is.
        last: last day, included; null for the last there is.
        keep_all: whether days that agree are told one by one too.
    """

    settings: Settings
    first: date | None = None
    last: date | None = None
    keep_all: bool = False

    def look(self) -> Verified:
        """Compare the days and change nothing.

        Raises:
            ConversationAnalyticsError: source, lake or MongoDB cannot be read.
        """
        lake = open_lake(self.settings)
        with self._ledger(lake) as ledger:
            return Verified(self._compare(ledger))

    def heal(self, *, force: bool) -> Verified:
        """Compare the days, refresh those that differ, and compare again.

        Args:
            force: whether any number of known rows may vanish.

        Raises:
            ConversationAnalyticsError: it cannot start, or too many rows have vanished; nothing
                was changed.
        """
        with Backfill(self.settings).prepared() as prepared:
            with self._ledger(prepared.lake) as ledger:
                found = self._compare(ledger)
                if not found.differing:
                    return Verified(found)
                if not force:
                    ledger.refuse_deletions()
                mark_for_healing(prepared.lake, ledger.published, found.differing)
            outcomes = self._refresh(prepared, found.differing, force=force)
            with self._ledger(prepared.lake) as ledger:
                return Verified(found, outcomes, self._compare(ledger))

    @contextmanager
    def _ledger(self, lake: Lake) -> Iterator[Ledger]:
        opened = open_source(self.settings)
        try:
            with (
                closing(runner_for(self.settings)) as runner,
                open_ledger(self.settings, lake, opened, runner) as ledger,
            ):
                yield ledger
        finally:
            opened.source.close()

    def _refresh(
        self, prepared: PreparedBackfill, differing: list[LedgerDay], *, force: bool
    ) -> list[Outcome]:
        days = {day.day for day in differing}
        pending = pending_days(prepared.lake, mongo_records(self.settings))
        wanted = [one for one in pending if one.day in days]
        return Sync(self.settings).refresh(prepared, wanted, force=force)

    def _compare(self, ledger: Ledger) -> Compared:
        compared = Compared()
        with console.status("comparing every row"):
            for day in ledger.days(self.first, self.last):
                compared.total += day.day != UNKNOWN_DAY or not day.equal
                for table in day.tables:
                    rows = compared.rows.get(table.store, 0) + table.found.rows
                    compared.rows[table.store] = rows
                if self.keep_all or not day.equal:
                    compared.days.append(day)
        return compared

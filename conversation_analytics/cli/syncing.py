"""What `sync` does: look at the source, refresh the days that are behind, look what is left."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from conversation_analytics.cli.backfilling import Backfill, Outcome, PreparedBackfill
from conversation_analytics.cli.output import ExitCode, say
from conversation_analytics.cli.output import errors as console
from conversation_analytics.compute.runner import runner_for
from conversation_analytics.settings import Settings
from conversation_analytics.sources.open import OpenedSource, open_source
from conversation_analytics.storage.freshness import mongo_records
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.sync.look import Look, look_at_changes, sweep
from conversation_analytics.sync.pending import PendingDay, pending_days, pending_ranges


@dataclass
class Synced:
    """What a sync did.

    Attributes:
        look: what the look at the source found.
        behind: the days that were behind.
        outcomes: what became of each range of them.
        left: the days that still are.
    """

    look: Look
    behind: list[PendingDay]
    outcomes: list[Outcome] = field(default_factory=list)
    left: list[PendingDay] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """The exit status that says so."""
        failed = max((one.exit_code for one in self.outcomes), default=ExitCode.OK)
        return failed or (ExitCode.DIFFERENCE if self.left else ExitCode.OK)

    def as_dict(self) -> dict[str, Any]:
        """The result for `--json`."""
        return {
            "fetched": dict(self.look.rows),
            "behind": [asdict(one) for one in self.behind],
            "runs": [outcome.as_dict() for outcome in self.outcomes],
            "left": [asdict(one) for one in self.left],
        }


@dataclass(frozen=True)
class Sync:
    """Syncs under some settings."""

    settings: Settings

    def run(self, *, sweep: bool, dry_run: bool, force: bool) -> Synced:
        """Look at the source and refresh the days that are behind.

        Args:
            sweep: whether to compare every row.
            dry_run: whether only to say which days are behind.
            force: whether any number of known rows may vanish.

        Raises:
            ConversationAnalyticsError: it cannot start, or too many rows have vanished.
        """
        if dry_run:
            lake = open_lake(self.settings)
            look = self._look(lake, sweep=sweep, dry_run=True, force=force)
            behind = _with_seen(look, pending_days(lake, mongo_records(self.settings)))
            return Synced(look, behind, left=behind)
        with Backfill(self.settings).prepared() as prepared:
            prepared.check_mongo()
            look = self._look(prepared.lake, sweep=sweep, dry_run=False, force=force)
            behind = pending_days(prepared.lake, mongo_records(self.settings))
            outcomes = self.refresh(prepared, behind, force=force)
            left = pending_days(prepared.lake, mongo_records(self.settings)) if behind else []
            return Synced(look, behind, outcomes, left)

    def _look(self, lake: Lake, *, sweep: bool, dry_run: bool, force: bool) -> Look:
        opened = open_source(self.settings)
        try:
            if sweep:
                return self._sweep(lake, opened, dry_run=dry_run, force=force)
            with console.status("looking for changes"):
                look = look_at_changes(self.settings, lake, opened, dry_run=dry_run)
            if not look.sweep:
                return look
            say(f"comparing every row: {look.sweep}")
            return self._sweep(lake, opened, dry_run=dry_run, force=force)
        finally:
            opened.source.close()

    def _sweep(self, lake: Lake, opened: OpenedSource, *, dry_run: bool, force: bool) -> Look:
        with console.status("comparing every row"), closing(runner_for(self.settings)) as runner:
            return sweep(self.settings, lake, opened, runner, force=force, dry_run=dry_run)

    def refresh(
        self, prepared: PreparedBackfill, behind: list[PendingDay], *, force: bool
    ) -> list[Outcome]:
        """Refresh days that are behind, one run a range.

        Args:
            prepared: an opened backfill.
            behind: the days.
            force: whether any number of known rows may vanish.
        """
        known = [one.day for one in behind if not isinstance(one.day, str)]
        anchor = known[0] if known else self.settings.calendar.day_of(datetime.now(UTC))
        return [
            prepared.refresh(range_.first, range_.last, whole=range_.whole, force=force)
            for range_ in pending_ranges(behind, anchor=anchor)
        ]


def _with_seen(look: Look, pending: list[PendingDay]) -> list[PendingDay]:
    """The days that were pending, and those that a look without consequences has seen."""
    now = datetime.now(UTC)
    days = {one.day: one for one in pending}
    for day, reasons in look.reasons.items():
        if day not in days:
            days[day] = PendingDay(day, now, dict(reasons))
    return [days[day] for day in sorted(days, key=str)]

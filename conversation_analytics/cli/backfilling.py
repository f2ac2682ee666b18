"""What `backfill` does: choose the days, run them, reconcile Dagster, sum up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import dagster as dg

from conversation_analytics import errors
from conversation_analytics.build import build_defs
from conversation_analytics.categorization.days import stale_days
from conversation_analytics.cli import rebuild, runs
from conversation_analytics.cli.home import open_instance
from conversation_analytics.cli.output import ExitCode, exit_code_of, say
from conversation_analytics.cli.output import errors as console
from conversation_analytics.cli.progress import AssetFigures, RunFigures, followed
from conversation_analytics.errors import SettingsError, SourceError
from conversation_analytics.jobs import DAILY_JOB, REPORT_JOBS
from conversation_analytics.partitions import contiguous_ranges, days_between
from conversation_analytics.periods import Grain
from conversation_analytics.reconcile import collections_of, report_unseen_days
from conversation_analytics.settings import Settings
from conversation_analytics.sources.open import OpenedSource, open_source
from conversation_analytics.storage.identity import LakeIdentity, ensure_identity
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    RAW,
    TRANSLATIONS_UNIT,
    UNKNOWN_DAY,
    UNPLACED,
)
from conversation_analytics.storage.mongo_client import connect
from conversation_analytics.transforms.settled import settle_source
from conversation_analytics.transforms.span import data_span
from conversation_analytics.translation.days import days_to_translate

# Translations, and labels with what follows from them; each with what shows it.
_TRANSLATIONS = ",".join(f"{table.name}+" for table in TRANSLATIONS_UNIT.tables)
_LABELS = ",".join([*(f"{table.name}+" for table in CATEGORIES_UNIT.tables), _TRANSLATIONS])
_RAW_ASSETS = frozenset(dg.AssetKey(schema.name) for schema in RAW.tables)


@dataclass
class Outcome:
    """What a backfill did.

    Attributes:
        job: the job that ran.
        run_id: Dagster's run.
        resumed: the unfinished run that it went on with, null if it began afresh.
        success: whether every day is done.
        first: first day.
        last: last day.
        assets: figures of each asset.
        quarantined: source rows in quarantine, by reason, of these days and of no known day.
        failed_days: by step, the days that failed, with why.
        step_errors: by step that failed as a whole, the class and the text of the error.
        reported: days reported to Dagster afterwards.
    """

    job: str
    run_id: str
    resumed: str | None
    success: bool
    first: date
    last: date
    assets: list[AssetFigures] = field(default_factory=list)
    quarantined: dict[str, int] = field(default_factory=dict)
    failed_days: dict[str, dict[str, str]] = field(default_factory=dict)
    step_errors: dict[str, tuple[str, str]] = field(default_factory=dict)
    reported: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """The exit status that says so."""
        if self.success:
            return ExitCode.OK
        classes = [getattr(errors, name, None) for name, _ in self.step_errors.values()]
        ours = [c for c in classes if isinstance(c, type) and issubclass(c, Exception)]
        return max(map(exit_code_of, ours), default=ExitCode.DIFFERENCE)

    @property
    def good_ranges(self) -> list[tuple[date, date]]:
        """The ranges between the days that failed; empty if not days but whole steps did."""
        bad = {date.fromisoformat(d) for days in self.failed_days.values() for d in _dates(days)}
        if self.step_errors or not bad:
            return []
        days = days_between(self.first, self.last)
        return list(contiguous_ranges(day for day in days if day not in bad))

    def as_dict(self) -> dict[str, Any]:
        """The outcome for `--json`."""
        return {
            "run_id": self.run_id,
            "resumed": self.resumed,
            "success": self.success,
            "from": self.first,
            "to": self.last,
            "assets": [
                {
                    "asset": asset.name,
                    "state": asset.state,
                    "days": len(asset.rows),
                    "kept": len(asset.kept),
                    "rows": sum(asset.rows.values()),
                    "seconds": round(asset.seconds, 3),
                }
                for asset in self.assets
            ],
            "quarantined": self.quarantined,
            "failed_days": self.failed_days,
            "errors": {step: message for step, (_, message) in self.step_errors.items()},
            "reported_to_dagster": self.reported,
        }


@dataclass(frozen=True)
class Backfill:
    """Backfills under some settings."""

    settings: Settings

    @contextmanager
    def prepared(self) -> Iterator[PreparedBackfill]:
        """Open what a backfill needs."""
        definitions = build_defs(self.settings)
        job = definitions.resolve_job_def(DAILY_JOB)
        with open_instance() as instance:
            yield PreparedBackfill(
                self.settings, open_lake(self.settings), instance, job, definitions
            )


@dataclass(frozen=True)
class PreparedBackfill:
    """A backfill with everything opened.

    Attributes:
        settings: the settings.
        lake: the lake.
        instance: Dagster's instance.
        job: the job of the runs.
        definitions: that it comes from.
    """

    settings: Settings
    lake: Lake
    instance: dg.DagsterInstance
    job: dg.JobDefinition
    definitions: dg.Definitions

    @cached_property
    def report_jobs(self) -> dict[Grain, dg.JobDefinition]:
        """The jobs of reports, by grain."""
        return {
            grain: self.definitions.resolve_job_def(name) for grain, name in REPORT_JOBS.items()
        }

    @property
    def _graph(self) -> Any:
        return self.job.asset_layer.asset_graph

    def keys_to_delete(self) -> list[str]:
        """What `empty` would delete from the lake. Also makes sure the source can be read."""
        opened = open_source(self.settings)
        try:
            opened.source.probe()
        finally:
            opened.source.close()
        return rebuild.keys_to_delete(self.lake)

    def empty(self, keys: list[str]) -> None:
        """Delete the lake and what was made of it."""
        rebuild.empty(self.settings, self.lake, keys, self.instance, self._graph)

    def refresh(self, first: date, last: date, *, whole: bool, force: bool) -> Outcome:
        """Refresh every asset of a range of days that is known to be behind.

        Args:
            first: first day.
            last: last day, included.
            whole: whether to read the whole source in any case.
            force: whether any number of known rows may vanish.
        """
        assets = runs.assets_of(self.job)
        work = runs.Work(self.job, assets, first, last, whole=whole, merge=not whole, force=force)
        return self._execute(work)

    def run(
        self,
        first: date | None,
        last: date | None,
        assets: frozenset[dg.AssetKey],
        *,
        force: bool = False,
    ) -> Outcome:
        """Refresh a range of days, or go on with the last run that did not get through it.

        Args:
            first: first day; null for the first with data.
            last: last day, included; null for the last with data.
            assets: assets of the job.
            force: whether any number of known rows may vanish.

        Raises:
            ConversationAnalyticsError: it cannot start; nothing was changed.
        """
        if assets & set(collections_of(self._graph)):
            self.check_mongo()
        if assets & _RAW_ASSETS:
            opened = open_source(self.settings)
            try:
                begin, end = self._range(opened, first, last)
            finally:
                opened.source.close()
        else:
            begin, end = self.known_range(first, last)
        return self._execute(runs.Work(self.job, assets, begin, end, force=force))

    def _execute(self, work: runs.Work) -> Outcome:
        previous = runs.unfinished_run(self.instance, work)
        if previous:
            say(f"going on with run {previous.run_id}, which did not finish: days done are kept")
        days = (work.last - work.first).days + 1
        with runs.claimed_run_id() as run_id:
            run = runs.create_run(self.instance, work, previous, run_id)
            say(f"run {run_id}: {work.first} to {work.last}, {days} days")
            figures = RunFigures(self.instance, run_id)
            with followed(figures, days):
                success = runs.execute(self.instance, work, run)
        return Outcome(
            job=work.job.name,
            run_id=run_id,
            resumed=previous.run_id if previous else None,
            success=success,
            first=work.first,
            last=work.last,
            assets=figures.in_order(),
            quarantined=self._quarantined(work) if work.job.name == DAILY_JOB else {},
            failed_days=figures.failed_days,
            step_errors=figures.step_errors,
            reported=report_unseen_days(self.instance, self.settings, self.lake, self._graph),
        )

    def relabel(self, first: date | None, last: date | None) -> list[Outcome]:
        """Label again, from the lake alone, the days whose models, taxonomy or corrections changed.

        So are those that wait for an LLM, and translated those that were translated by other
        settings or not to the end. Contiguous days are one run; of each day only what can change is
        told anew.

        Args:
            first: first day; null for all.
            last: last day, included; null for all.

        Raises:
            ConversationAnalyticsError: it cannot start; nothing was changed.
        """
        self.check_mongo()
        ensure_identity(self.lake.store, LakeIdentity.of(self.settings))
        labels = set(stale_days(self.settings, self.lake))
        # Days that are labelled again are translated again along with that.
        translations = days_to_translate(self.settings, self.lake) - labels
        return [
            self._execute(runs.Work(self.job, runs.select_assets(self.job, selection), begin, end))
            for days, selection in ((labels, _LABELS), (translations, _TRANSLATIONS))
            for begin, end in contiguous_ranges(
                sorted(day for day in days if (first or day) <= day <= (last or day))
            )
        ]

    def of(self, grain: Grain) -> PreparedBackfill:
        """The same for the reports of a grain."""
        return replace(self, job=self.report_jobs[grain])

    def make(self, first: date, last: date, assets: frozenset[dg.AssetKey]) -> Outcome:
        """Make assets of the job for partitions from `first` to `last`, both included."""
        return self._execute(runs.Work(self.job, assets, first, last))

    def known_range(self, first: date | None, last: date | None) -> tuple[date, date]:
        """The days asked for, or those that the lake has.

        Raises:
            ConversationAnalyticsError: there are none, or the lake was made with other settings.
        """
        ensure_identity(self.lake.store, LakeIdentity.of(self.settings))
        return self._range(None, first, last)

    def check_mongo(self) -> None:
        """Make sure that MongoDB answers, if it is used.

        Raises:
            StoreUnavailable: it does not.
        """
        if self.settings.mongodb_uri:
            uri = self.settings.mongodb_uri.get_secret_value()
            connect(uri, database=self.settings.mongodb_database).client.close()

    def _range(
        self, opened: OpenedSource | None, first: date | None, last: date | None
    ) -> tuple[date, date]:
        """The days to refresh, after making sure that the source fits the lake."""
        calendar = self.settings.calendar
        today = calendar.day_of(datetime.now(UTC))
        for name, day in (("--from", first), ("--to", last)):
            if day and not calendar.start <= day <= today:
                raise SettingsError(
                    f"{name} is {day}: days are from PARTITIONS_START_DATE={calendar.start} to "
                    f"today, {today} in {calendar.timezone}"
                )
        if first and last and first > last:
            raise SettingsError(f"--from {first} is after --to {last}")
        there = self.lake.days(RAW)
        found = [there[0], there[-1]] if there else []
        if opened:
            found += self._of_source(opened, wanted=not (first and last))
        begin, end = first or min(found, default=None), last or max(found, default=None)
        if begin is None or end is None:
            raise SourceError(
                "there is no day with data: no row of the source has a time from "
                f"{calendar.start} to {today} that can be read. Look at it with: "
                "conversation-analytics source check; or name the days with --from and --to"
            )
        return (begin, end) if begin <= end else (end, end) if last else (begin, begin)

    def _of_source(self, opened: OpenedSource, *, wanted: bool) -> tuple[date, ...]:
        """The first and the last day of the source, if wanted and if it has rows."""
        info = opened.source.probe()
        settle_source(self.settings, self.lake.store, opened, info)
        if not wanted:
            return ()
        with console.status("looking for the first and the last day with data"):
            return data_span(opened, info, self.settings.calendar) or ()

    def _quarantined(self, work: runs.Work) -> dict[str, int]:
        manifests = list(self.lake.manifests(RAW, days_between(work.first, work.last)).values())
        unplaced = self.lake.manifest(UNPLACED, UNKNOWN_DAY)
        counts: Counter[str] = Counter()
        for manifest in [*manifests, *([unplaced] if unplaced else [])]:
            for name, count in manifest.counts.items():
                reason = name.removeprefix("quarantined_")
                if reason != name and count:
                    counts[reason] += count
        return dict(counts.most_common())


def _dates(days: dict[str, str]) -> list[str]:
    """The keys that are days; rows of no known day have another."""
    return [day for day in days if day != UNKNOWN_DAY]

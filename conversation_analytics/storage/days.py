"""Days on their way into the lake: prepared, checked, committed, reported, one after another."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pyarrow as pa

from conversation_analytics.errors import (
    TRANSIENT,
    ConversationAnalyticsError,
    DataCheckFailed,
    FencedWriter,
    StoreUnavailable,
)
from conversation_analytics.schemas.validation import CheckResult, check_schema
from conversation_analytics.storage.encoding import ParquetOptions, encode, table_hash
from conversation_analytics.storage.failed import FailedDays
from conversation_analytics.storage.lake import Claim, Commit, EncodedTable, Lake
from conversation_analytics.storage.layout import UNITS, Place
from conversation_analytics.storage.manifest import Manifest

logger = logging.getLogger(__name__)

_PREVIEW_ROWS = 5
_PREVIEW_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Request:
    """What asks for days to be written.

    Attributes:
        id: names the request; its retries have the same, and skip the days already done.
        run_id: the run at work.
        whole: whether to read the whole source, even where asking for the days costs less.
        merge: whether rows that changed may be put into what the lake has, where that ends the
            same, rather than to read the days again.
        force: whether any number of known rows may vanish.
    """

    id: str
    run_id: str
    whole: bool = False
    merge: bool = False
    force: bool = False


@dataclass(frozen=True)
class PreparedDay:
    """A unit's day, computed, checked and encoded, but not yet visible to anyone.

    Attributes:
        commit: what to write.
        checks: what the blocking checks found; one that did not pass forbids the commit.
        preview: the first rows of each table, cut short for people.
        seconds: time it took.
    """

    commit: Commit
    checks: tuple[CheckResult, ...]
    preview: dict[str, list[dict[str, Any]]]
    seconds: float

    @property
    def unit(self) -> str:
        """Name of the unit."""
        return self.commit.claim.unit

    def with_documents(self, documents: Mapping[str, bytes], **facts: object) -> PreparedDay:
        """The same with documents to be put beside the files, and more fields of the manifest."""
        commit = replace(
            self.commit, documents=dict(documents), facts={**self.commit.facts, **facts}
        )
        return replace(self, commit=commit)

    @property
    def day(self) -> Place:
        """The day."""
        return self.commit.claim.day


@dataclass(frozen=True)
class FailedDay:
    """A day that could not be prepared; the others go on.

    Attributes:
        unit: name of the unit.
        day: the day.
        error: what happened, for people.
        checks: what the blocking checks found, if it came to that.
        transient: whether it may go well if it is only tried again.
    """

    unit: str
    day: Place
    error: str
    checks: tuple[CheckResult, ...] = ()
    transient: bool = False


@dataclass(frozen=True)
class KeptDay:
    """A day whose manifest already satisfies the request.

    Attributes:
        unit: name of the unit.
        day: the day.
        manifest: what is there.
    """

    unit: str
    day: Place
    manifest: Manifest


DayItem = PreparedDay | FailedDay | KeptDay


@dataclass(frozen=True)
class DayReport:
    """What became of a unit's day.

    Attributes:
        unit: name of the unit.
        day: the day.
        outcome: ``committed``, ``kept`` (already satisfied) or ``failed``.
        manifest: what the day is now; null if it failed.
        checks: what the blocking checks found.
        preview: the first rows of each table, cut short.
        error: why it failed.
        seconds: time to prepare it.
        transient: whether it may go well if it is only tried again.
    """

    unit: str
    day: Place
    outcome: Literal["committed", "kept", "failed"]
    manifest: Manifest | None = None
    checks: tuple[CheckResult, ...] = ()
    preview: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0
    transient: bool = False


def prepare(
    claim: Claim,
    tables: Mapping[str, pa.Table],
    options: ParquetOptions,
    *,
    checks: Sequence[CheckResult] = (),
    inputs: Mapping[str, str] | None = None,
    indexed: pa.Array | None = None,
    started: float | None = None,
    **facts: object,
) -> PreparedDay:
    """Check and encode a unit's day.

    Args:
        claim: the claim made before the inputs were read.
        tables: every table of the unit, by name; rows in file order.
        options: how Parquet is written.
        checks: findings of further blocking checks.
        inputs: content hash of each input unit's manifest as it was read.
        indexed: conversation ids that live in the day, for the unit that decides it.
        started: `time.perf_counter()` when the work on the day began.
        facts: further fields of the manifest.
    """
    begun = time.perf_counter() if started is None else started
    found = list(checks)
    encoded = {}
    for schema in UNITS[claim.unit].tables:
        table = tables[schema.name]
        found.append(check_schema(table, schema))
        if not found[-1].passed:
            continue
        total = table_hash(table, schema)
        files = encode(table, schema, options, epoch=claim.epoch, hash_=total)
        encoded[schema.name] = EncodedTable(files, total)
    return PreparedDay(
        Commit(claim, encoded, dict(inputs or {}), dict(facts), indexed),
        tuple(found),
        {name: _preview(table) for name, table in tables.items()},
        time.perf_counter() - begun,
    )


def commit_days(lake: Lake, items: Iterable[DayItem], *, run_id: str = "") -> Iterator[DayReport]:
    """Commit days one by one as they become ready, and say what became of each.

    A day that fails is reported and the next one goes on; nothing of it was written. The lake
    keeps a note of the failure until the day is written.

    Args:
        lake: where to commit.
        items: days of one or more units.
        run_id: the run at work.
    """
    notes = _Notes(lake, run_id)
    for item in items:
        if isinstance(item, KeptDay):
            lake.tidy(UNITS[item.unit], item.day, item.manifest)
            notes.written(item.unit, item.day)
            yield DayReport(item.unit, item.day, "kept", item.manifest)
        elif isinstance(item, FailedDay):
            notes.failed(item.unit, item.day, item.error)
            yield _failed(item.unit, item.day, item.checks, item.error, transient=item.transient)
        else:
            yield _commit(lake, item, notes)


class _Notes:
    """Keeps the lake's notes of failed days, and asks once which there are."""

    def __init__(self, lake: Lake, run_id: str) -> None:
        self._days = FailedDays(lake.store)
        self._run_id = run_id
        self._noted: dict[str, set[Place]] = {}

    def failed(self, unit: str, day: Place, error: str) -> None:
        with _told_if_store_fails(day):
            self._days.note(unit, day, error, self._run_id)
            if unit in self._noted:
                self._noted[unit].add(day)

    def written(self, unit: str, day: Place) -> None:
        with _told_if_store_fails(day):
            if day in self._of(unit):
                self._days.forget(unit, day)

    def _of(self, unit: str) -> set[Place]:
        if unit not in self._noted:
            self._noted[unit] = self._days.days(unit)
        return self._noted[unit]


@contextmanager
def _told_if_store_fails(day: Place) -> Iterator[None]:
    """What became of a day is reported even where no note of it can be kept."""
    try:
        yield
    except StoreUnavailable as error:
        logger.warning("the note of how %s fared is not up to date: %s", day, error)


def _commit(lake: Lake, item: PreparedDay, notes: _Notes) -> DayReport:
    try:
        failed = [check for check in item.checks if not check.passed]
        if failed:
            words = "; ".join(
                f"{check.table}.{check.name}: {problem}"
                for check in failed
                for problem in check.problems
            )
            raise DataCheckFailed(f"{item.unit} of {item.day}: {words}; nothing was written")
        manifest = lake.commit_day(item.commit)
    except ConversationAnalyticsError as error:
        logger.error("%s", error)
        if not isinstance(error, FencedWriter):  # the newer writer tells how the day fared
            notes.failed(item.unit, item.day, str(error))
        transient = isinstance(error, TRANSIENT)
        return _failed(item.unit, item.day, item.checks, str(error), transient=transient)
    notes.written(item.unit, item.day)
    return DayReport(
        item.unit,
        item.day,
        "committed",
        manifest,
        item.checks,
        item.preview,
        seconds=item.seconds,
    )


def _failed(
    unit: str, day: Place, checks: tuple[CheckResult, ...], error: str, *, transient: bool
) -> DayReport:
    return DayReport(unit, day, "failed", checks=checks, error=error, transient=transient)


def failures(reports: Iterable[DayReport]) -> dict[Place, str]:
    """The days that failed, with why."""
    return {report.day: report.error for report in reports if report.outcome == "failed"}


def _preview(table: pa.Table) -> list[dict[str, Any]]:
    return [
        {name: _short(value) for name, value in row.items()}
        for row in table.slice(0, _PREVIEW_ROWS).to_pylist()
    ]


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= _PREVIEW_CHARACTERS else text[: _PREVIEW_CHARACTERS - 1] + "…"

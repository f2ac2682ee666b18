"""Raw days: the source read, every row placed, and the days it fills prepared one by one.

claim days ─> read the source (whole, or the days only) ─> place ─> a day, a day, a day …
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from graphlib import CycleError, TopologicalSorter

from conversation_analytics import __version__
from conversation_analytics.compute.runner import InProcessRunner, Runner
from conversation_analytics.errors import TornDay
from conversation_analytics.partitions import MICROSECOND, from_micros, to_micros
from conversation_analytics.schemas import QUARANTINE, RAW_CONVERSATIONS
from conversation_analytics.settings import Settings
from conversation_analytics.sources.base import SOURCE_TABLES, SourceInfo
from conversation_analytics.sources.interpret import Interpreter, build_interpreter
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.days import (
    DayItem,
    FailedDay,
    KeptDay,
    PreparedDay,
    Request,
    prepare,
)
from conversation_analytics.storage.index import IndexSnapshot
from conversation_analytics.storage.lake import Claim, Lake
from conversation_analytics.storage.layout import RAW, UNKNOWN_DAY, UNPLACED, Day, Unit
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.storage.pending import TokenName, reasons_of, unsatisfied
from conversation_analytics.transforms.deletions import DayRows, emptied, refuse_mass_deletion
from conversation_analytics.transforms.merging import (
    can_be_merged,
    changed_rows,
    recorded_pages,
)
from conversation_analytics.transforms.raw_tables import (
    account,
    check_placement,
    collapsed,
    raw_table,
    raw_tables,
)
from conversation_analytics.transforms.reading import DayMoves, Reading
from conversation_analytics.transforms.settled import settle_source
from conversation_analytics.transforms.staging import Placement, Staging

Tokens = Mapping[Day, Sequence[TokenName]]


@dataclass(frozen=True)
class _Days:
    """What the days of a reading have in common.

    Attributes:
        interpreter: how rows are read.
        mark: the change mark of a reading that began now.
        tokens: the tokens there were before it began.
        moves: the days whose rows moved, each with the day they moved to.
        merged: whether rows that changed were put into what the lake has.
    """

    interpreter: Interpreter
    mark: datetime
    tokens: Tokens
    moves: DayMoves = field(default_factory=set)
    merged: bool = False


class RawDays:
    """The raw days of a request, prepared lazily: iterating reads the source.

    A conversation that moved to another day takes that day along: the day it moved to is
    prepared before the day it left, whichever of them was asked for; unless the former was
    committed by the time the latter's turn comes, that one stays as it is. A reading of the whole
    source ends with the quarantine of rows whose day cannot be told.

    Args:
        settings: the settings.
        lake: where the days will be committed.
        opened: the source and how its rows are read.
        days: the days asked for.
        request: what asks for them.
        runner: who interprets pages.
    """

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        opened: OpenedSource,
        days: Sequence[date],
        request: Request,
        runner: Runner,
    ) -> None:
        self._settings = settings
        self._lake = lake
        self._opened = opened
        self._days = sorted(set(days))
        self._request = request
        self._runner = runner

    def __iter__(self) -> Iterator[DayItem]:
        done = self._done()
        for day, manifest in done.items():
            yield KeptDay(RAW.name, day, manifest)
        wanted = sorted({*self._days, *self._left_behind(done)} - set(done))
        if wanted:
            yield from self._read_and_prepare(wanted)
            self._lake.index.compact()

    def _done(self) -> dict[date, Manifest]:
        """The days this request has written before, all of it: the index knows them too.

        Not those that were seen to differ since: they are to be read once more.
        """
        there = self._lake.manifests(RAW, self._days)
        written = {day: one for day, one in there.items() if one.request == self._request.id}
        if not written:
            return {}
        marks = self._lake.index.snapshot().marks()
        tokens = self._lake.pending.names()
        return {
            day: one
            for day, one in written.items()
            if not unsatisfied(tokens.get(day, ()), one)
            and (
                marks.get(day) == to_micros(_mark(one))
                or not one.tables[RAW_CONVERSATIONS.name].rows
            )
        }

    def _left_behind(self, done: dict[date, Manifest]) -> set[date]:
        """Days that conversations left or came from, which a run that died has not written."""
        others = {other for manifest in done.values() for other in manifest.displaced}
        there = self._lake.manifests(RAW, sorted(others))
        return {
            other
            for manifest in done.values()
            for other in manifest.displaced
            if other not in there or _mark(there[other]) < _mark(manifest)
        }

    def _read_and_prepare(self, wanted: list[date]) -> Iterator[DayItem]:
        tokens = self._lake.pending.names()
        snapshot = self._lake.index.snapshot()
        info = self._opened.source.probe()
        settle_source(self._settings, self._lake.store, self._opened, info)
        claimed = self._lake.claim_days(RAW, wanted, run_id=self._request.run_id)
        claims: dict[Day, Claim] = dict(zip(wanted, claimed, strict=True))
        mark = self._mark_of(info, tokens, snapshot)
        interpreter = build_interpreter(self._opened.mapping, info)
        calendar = self._settings.calendar
        today = calendar.day_of(info.clock)
        # NocoDB is slower than one process that interprets its pages: handing them over to
        # others would only take processor time from it.
        runner = InProcessRunner() if info.kind == "nocodb" else self._runner
        with Staging(interpreter, calendar, today, runner) as staging:
            reading = Reading(self._opened.source, info, staging, self._lake, self._settings)
            days = _Days(interpreter, mark, tokens)
            merged = self._merge(reading, wanted, days) if self._request.merge else None
            if merged is not None:
                for day in wanted:
                    yield self._prepare(claims[day], day, merged, replace(days, merged=True))
                return
            staging.clear()
            placement, moves, whole = reading.read(wanted, whole=self._request.whole)
            in_order = _new_before_old(wanted, moves)
            refused = self._refuse_deletions(placement, in_order)
            if whole and (claim := self._claim_late(UNPLACED, UNKNOWN_DAY, mark)):
                # First: a retry that finds every day done does not read the source again.
                yield self._prepare(claim, UNKNOWN_DAY, placement, days)
            for day, why in refused.items():
                yield FailedDay(RAW.name, day, why)
            rest = [day for day in in_order if day not in refused]
            yield from self._write(claims, placement, rest, replace(days, moves=moves))

    def _merge(self, reading: Reading, wanted: Sequence[date], how: _Days) -> Placement | None:
        """Place the lake's rows and those that changed; null if the source must be read."""
        there = self._lake.manifests(RAW, wanted)
        tokens = {
            day: self._lake.pending.read(unsatisfied(how.tokens.get(day, ()), there.get(day)))
            for day in wanted
        }
        if not can_be_merged(wanted, there, tokens, how.interpreter):
            return None
        recorded = recorded_pages(self._lake, wanted)
        changed = changed_rows(token for found in tokens.values() for token in found)
        try:
            return reading.merge(wanted, recorded, changed)
        except TornDay:
            return None

    def _write(
        self,
        claims: Mapping[Day, Claim],
        placement: Placement,
        days: Sequence[date],
        how: _Days,
    ) -> Iterator[DayItem]:
        """The days of a reading; each comes after those that its conversations moved to."""
        yielded: set[date] = set()
        for day in days:
            yielded.add(day)
            new = {to for old, to in how.moves if old == day} & yielded
            unwritten = self._unwritten(new, how.mark)
            if unwritten:
                words = ", ".join(map(str, unwritten))
                problem = f"conversations of it moved to {words}, which was not written"
                yield FailedDay(RAW.name, day, f"raw of {day} keeps what it had: {problem}")
                continue
            claim = claims.get(day) or self._claim_late(RAW, day, how.mark)
            if claim:
                yield self._prepare(claim, day, placement, how)

    def _mark_of(self, info: SourceInfo, tokens: Tokens, snapshot: IndexSnapshot) -> datetime:
        """The change mark of a reading that begins now.

        It is ahead of every earlier one and not behind any token, even where the source's clock
        stands still within its second, or goes back.
        """
        newest = max(snapshot.marks().values(), default=0)
        lag = timedelta(seconds=self._settings.sync_lag_seconds)
        marks = [name.mark for names in tokens.values() for name in names]
        return max(info.clock - lag, from_micros(newest + 1), *marks)

    def _refuse_deletions(self, placement: Placement, days: Sequence[date]) -> dict[date, str]:
        """Days that must not be emptied, with why.

        Raises:
            MassDeletion: too many of the rows of all days would vanish.
        """
        if self._request.force:
            return {}
        there = self._lake.manifests(RAW, days)
        refused: dict[date, str] = {}
        for table in SOURCE_TABLES:
            read = placement.counts(table)
            rows = [
                DayRows(day, manifest.tables[raw_table(table)].rows, read.get(day, 0))
                for day, manifest in there.items()
            ]
            known = sum(one.known for one in rows)
            gone = known - sum(one.read for one in rows) - read.get(UNKNOWN_DAY, 0)
            refuse_mass_deletion(
                table,
                known=known,
                vanished=gone,
                fraction=self._settings.max_delete_fraction,
            )
            for day in emptied(rows):
                refused[day] = (
                    f"raw of {day} keeps what it had: the source has none of its {table} any more. "
                    "If they were deleted on purpose, say so with --force"
                )
        return refused

    def _unwritten(self, days: set[date], mark: datetime) -> list[date]:
        """Those of some days that the lake has not from this reading, nor from a later one."""
        there = self._lake.manifests(RAW, sorted(days)) if days else {}
        return sorted(day for day in days if day not in there or _mark(there[day]) < mark)

    def _claim_late(self, unit: Unit, day: Day, mark: datetime) -> Claim | None:
        """Claim a day after reading, unless it was read later than this reading began."""
        claim = self._lake.claim_day(unit, day, run_id=self._request.run_id)
        manifest = self._lake.manifest(unit, day)
        later = manifest and manifest.change_mark and manifest.change_mark > mark
        return None if later else claim

    def _prepare(self, claim: Claim, day: Day, placement: Placement, how: _Days) -> PreparedDay:
        started = time.perf_counter()
        tables, placed = raw_tables(placement, day)
        counts, checks = account(tables, placed)
        if day == UNKNOWN_DAY:
            tables = {QUARANTINE.name: tables[QUARANTINE.name]}
        else:
            checks.append(
                check_placement(tables[RAW_CONVERSATIONS.name], self._settings.calendar, day)
            )
        ids = tables[RAW_CONVERSATIONS.name]["conversation_id"] if day != UNKNOWN_DAY else None
        touching = {other for move in how.moves if day in move for other in move} - {day}
        before = self._lake.manifest(UNPLACED if day == UNKNOWN_DAY else RAW, day)
        names = unsatisfied(how.tokens.get(day, ()), before)
        # A merge covers its tokens, not everything up to a moment.
        mark = _mark(before) + MICROSECOND if how.merged and before else how.mark
        return prepare(
            claim,
            tables,
            self._lake.options,
            checks=checks,
            indexed=None if ids is None else ids.combine_chunks(),
            started=started,
            counts=counts,
            collapsed=collapsed(placed),
            change_mark=mark,
            displaced=sorted(touching),
            merged=[name.id for name in how.tokens.get(day, ())] if how.merged else [],
            reasons=reasons_of(self._lake.pending.read(names)),
            interpreter=how.interpreter.model_dump(mode="json"),
            request=self._request.id,
            run_id=self._request.run_id,
            code_version=__version__,
        )


def _mark(manifest: Manifest) -> datetime:
    return manifest.change_mark or datetime.min.replace(tzinfo=UTC)


def _new_before_old(days: Sequence[date], moves: DayMoves) -> list[date]:
    """The days to write, each after the days its conversations moved to.

    Where days trade conversations with each other no such order exists; then calendar order is
    as good as any.
    """
    sorter: TopologicalSorter[date] = TopologicalSorter(dict.fromkeys(sorted(days), ()))
    for old, new in moves:
        sorter.add(old, new)
    try:
        return list(sorter.static_order())
    except CycleError:
        return sorted({*days, *(day for move in moves for day in move)})

"""Raw days: the source read, every row placed, and the days it fills prepared one by one.

claim days ─> read the source (whole, or the days only) ─> place ─> a day, a day, a day …
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from graphlib import CycleError, TopologicalSorter

from conversation_analytics import __version__
from conversation_analytics.compute.runner import InProcessRunner, Runner
from conversation_analytics.partitions import to_micros
from conversation_analytics.schemas import QUARANTINE, RAW_CONVERSATIONS
from conversation_analytics.settings import Settings
from conversation_analytics.sources.base import SourceInfo
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
from conversation_analytics.storage.identity import LakeIdentity, ensure_identity
from conversation_analytics.storage.lake import Claim, Lake
from conversation_analytics.storage.layout import RAW, UNKNOWN_DAY, UNPLACED, Day
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.transforms.raw_tables import account, check_placement, raw_tables
from conversation_analytics.transforms.reading import Moves, Reading
from conversation_analytics.transforms.staging import Placement, Staging


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
        """The days this request has written before, all of it: the index knows them too."""
        there = self._lake.manifests(RAW, self._days)
        written = {day: one for day, one in there.items() if one.request == self._request.id}
        if not written:
            return {}
        marks = self._lake.index.snapshot().marks()
        return {
            day: one
            for day, one in written.items()
            if marks.get(day) == to_micros(_mark(one))
            or not one.tables[RAW_CONVERSATIONS.name].rows
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
        info = self._opened.source.probe()
        self._settle_identity(info)
        claimed = self._lake.claim_days(RAW, wanted, run_id=self._request.run_id)
        claims: dict[Day, Claim] = {claim.day: claim for claim in claimed}
        mark = info.clock - timedelta(seconds=self._settings.sync_lag_seconds)
        interpreter = build_interpreter(self._opened.mapping, info)
        calendar = self._settings.calendar
        today = calendar.day_of(info.clock)
        # NocoDB is slower than one process that interprets its pages: handing them over to
        # others would only take processor time from it.
        runner = InProcessRunner() if info.kind == "nocodb" else self._runner
        with Staging(interpreter, calendar, today, runner) as staging:
            snapshot = self._lake.index.snapshot()
            reading = Reading(self._opened.source, info, staging, snapshot, calendar)
            placement, moves, whole = reading.read(wanted)
            yielded: set[date] = set()
            for day in _new_before_old(wanted, moves):
                yielded.add(day)
                new = {to for old, to in moves if old == day} & yielded
                unwritten = self._unwritten(new, mark)
                if unwritten:
                    words = ", ".join(map(str, unwritten))
                    problem = f"conversations of it moved to {words}, which was not written"
                    yield FailedDay(RAW.name, day, f"raw of {day} keeps what it had: {problem}")
                    continue
                claim = claims.get(day) or self._claim_dragged(day, mark)
                if claim:
                    yield self._prepare(claim, placement, interpreter, mark, moves)
            if whole:
                claim = self._lake.claim_day(UNPLACED, UNKNOWN_DAY, run_id=self._request.run_id)
                yield self._prepare(claim, placement, interpreter, mark, set())

    def _unwritten(self, days: set[date], mark: datetime) -> list[date]:
        """Those of some days that the lake has not from this reading, nor from a later one."""
        there = self._lake.manifests(RAW, sorted(days)) if days else {}
        return sorted(day for day in days if day not in there or _mark(there[day]) < mark)

    def _settle_identity(self, info: SourceInfo) -> None:
        """Tell the lake which source fills it, or refuse another one."""
        identity = LakeIdentity.of(
            self._settings, source=info.fingerprint, profile=self._opened.mapping.fingerprint
        )
        ensure_identity(self._lake.store, identity)

    def _claim_dragged(self, day: date, mark: datetime) -> Claim | None:
        """Claim a day nobody asked for, unless it was read later than this reading began."""
        claim = self._lake.claim_day(RAW, day, run_id=self._request.run_id)
        manifest = self._lake.manifest(RAW, day)
        later = manifest and manifest.change_mark and manifest.change_mark > mark
        return None if later else claim

    def _prepare(
        self,
        claim: Claim,
        placement: Placement,
        interpreter: Interpreter,
        mark: datetime,
        moves: Moves,
    ) -> PreparedDay:
        started = time.perf_counter()
        day = claim.day
        tables, placed = raw_tables(placement, day)
        counts, checks = account(tables, placed)
        if day == UNKNOWN_DAY:
            tables = {QUARANTINE.name: tables[QUARANTINE.name]}
        else:
            checks.append(
                check_placement(tables[RAW_CONVERSATIONS.name], self._settings.calendar, day)
            )
        ids = tables[RAW_CONVERSATIONS.name]["conversation_id"] if day != UNKNOWN_DAY else None
        touching = {other for move in moves if day in move for other in move} - {day}
        return prepare(
            claim,
            tables,
            self._lake.options,
            checks=checks,
            indexed=None if ids is None else ids.combine_chunks(),
            started=started,
            counts=counts,
            change_mark=mark,
            displaced=sorted(touching),
            interpreter=interpreter.model_dump(mode="json"),
            request=self._request.id,
            run_id=self._request.run_id,
            code_version=__version__,
        )


def _mark(manifest: Manifest) -> datetime:
    return manifest.change_mark or datetime.min.replace(tzinfo=UTC)


def _new_before_old(days: Sequence[date], moves: Moves) -> list[date]:
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

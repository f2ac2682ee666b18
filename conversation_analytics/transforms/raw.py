"""Raw days: the source read, every row placed, and the days it fills prepared one by one.

claim days ─> read the source (whole, or the days only) ─> place ─> a day, a day, a day …
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from graphlib import CycleError, TopologicalSorter

from conversation_analytics import __version__
from conversation_analytics.compute.runner import Runner
from conversation_analytics.schemas import QUARANTINE, RAW_CONVERSATIONS
from conversation_analytics.settings import Settings
from conversation_analytics.sources.base import SourceInfo
from conversation_analytics.sources.interpret import Interpreter, build_interpreter
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.days import DayItem, KeptDay, PreparedDay, Request, prepare
from conversation_analytics.storage.identity import LakeIdentity, ensure_identity
from conversation_analytics.storage.lake import Claim, Lake
from conversation_analytics.storage.layout import RAW, UNKNOWN_DAY, UNPLACED, Day
from conversation_analytics.transforms.raw_tables import account, check_placement, raw_tables
from conversation_analytics.transforms.reading import Moves, Reading
from conversation_analytics.transforms.staging import Placement, Staging


class RawDays:
    """The raw days of a request, prepared lazily: iterating reads the source.

    A conversation that moved to another day takes that day along: the day it moved to is
    prepared before the day it left, whichever of them was asked for. A reading of the whole
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
        there = self._lake.manifests(RAW, self._days)
        done = {day: one for day, one in there.items() if one.request == self._request.id}
        for day, manifest in done.items():
            yield KeptDay(RAW.name, day, manifest)
        wanted = [day for day in self._days if day not in done]
        if wanted:
            yield from self._read_and_prepare(wanted)
            self._lake.index.compact()

    def _read_and_prepare(self, wanted: list[date]) -> Iterator[DayItem]:
        info = self._opened.source.probe()
        self._settle_identity(info)
        claimed = self._lake.claim_days(RAW, wanted, run_id=self._request.run_id)
        claims: dict[Day, Claim] = {claim.day: claim for claim in claimed}
        mark = info.clock - timedelta(seconds=self._settings.sync_lag_seconds)
        interpreter = build_interpreter(self._opened.mapping, info)
        calendar = self._settings.calendar
        today = calendar.day_of(info.clock)
        with Staging(interpreter, calendar, today, self._runner) as staging:
            snapshot = self._lake.index.snapshot()
            reading = Reading(self._opened.source, info, staging, snapshot, calendar)
            placement, moves, whole = reading.read(wanted)
            for day in _new_before_old(wanted, moves):
                claim = claims.get(day) or self._claim_dragged(day, mark)
                if claim:
                    yield self._prepare(claim, placement, interpreter, mark, moves)
            if whole:
                claim = self._lake.claim_day(UNPLACED, UNKNOWN_DAY, run_id=self._request.run_id)
                yield self._prepare(claim, placement, interpreter, mark, {})

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
        touching = {other for move in moves.values() if day in move for other in move} - {day}
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


def _new_before_old(days: Sequence[date], moves: Moves) -> list[date]:
    """The days to write, each after the days its conversations moved to.

    Where days trade conversations with each other no such order exists; then calendar order is
    as good as any.
    """
    sorter: TopologicalSorter[date] = TopologicalSorter(dict.fromkeys(sorted(days), ()))
    for old, new in moves.values():
        sorter.add(old, new)
    try:
        return list(sorter.static_order())
    except CycleError:
        return sorted({*days, *(day for move in moves.values() for day in move)})

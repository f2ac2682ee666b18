"""Looks at the source: quick ones at what changed, and sweeps over everything.

Both end the same way: days that are behind have a token, and then the cursor moves.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pyarrow.compute as pc

from conversation_analytics.compute.runner import Runner
from conversation_analytics.errors import FencedWriter
from conversation_analytics.partitions import MICROSECOND
from conversation_analytics.schemas import QUARANTINE
from conversation_analytics.settings import Settings
from conversation_analytics.sources.base import SOURCE_TABLES, SourceInfo
from conversation_analytics.sources.interpret import build_interpreter
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import Day
from conversation_analytics.storage.pending import Token
from conversation_analytics.sync.comparison import DayComparison, compare_days, placed_source
from conversation_analytics.sync.cursor import Cursor, CursorStore
from conversation_analytics.sync.detection import Detection
from conversation_analytics.transforms.deletions import refuse_mass_deletion
from conversation_analytics.transforms.raw_tables import raw_table
from conversation_analytics.transforms.settled import settle_source

logger = logging.getLogger(__name__)


@dataclass
class Look:
    """What a look at the source found.

    Attributes:
        rows: source rows fetched, by what for: ``changes``, ``look-ups`` or ``sweep``.
        reasons: by day that is behind, what was seen, with the number of rows.
        finished: whether it saw everything it was to see; if not, the next one goes on.
        sweep: why only a sweep can tell what changed; empty if a look at the changes could.
    """

    rows: Counter[str] = field(default_factory=Counter)
    reasons: dict[Day, Counter[str]] = field(default_factory=dict)
    finished: bool = False
    sweep: str = ""

    def add(self, tokens: Sequence[Token]) -> None:
        """Take note of days that are behind."""
        for token in tokens:
            self.reasons.setdefault(token.day, Counter()).update(token.reasons)


def look_at_changes(
    settings: Settings,
    lake: Lake,
    opened: OpenedSource,
    *,
    seconds: float | None = None,
    dry_run: bool = False,
) -> Look:
    """Find the days behind the source from the rows that changed since the last look.

    Args:
        settings: the settings.
        lake: what is compared with the source.
        opened: the source.
        seconds: time after which to stop between two pages; null for no limit.
        dry_run: whether to write neither tokens nor the cursor.

    Raises:
        SourceError: the source cannot be read.
        StorageError: the lake cannot be read or written.
    """
    until = None if seconds is None else time.monotonic() + seconds
    look = Look()
    info = opened.source.probe()
    identity = settle_source(settings, lake.store, opened, info)
    cursors = CursorStore(lake.store)
    cursor = cursors.read()
    look.sweep = _why_sweep(cursor, info, identity)
    queries = opened.source.queries
    if look.sweep or cursor is None or queries is None:
        look.finished = not look.sweep
        return look
    interpreter = build_interpreter(opened.mapping, info)
    while not look.finished:
        # Rows that changed behind a pass that was interrupted are left to the next one.
        resumed = cursor.under_way is not None
        detection = Detection(settings, lake, queries, info, interpreter, cursor)
        for found, cursor in detection.steps():
            look.rows += found.rows
            look.add(found.tokens)
            if not dry_run:
                lake.pending.add(found.tokens)
                if not _moved(cursors, cursor):
                    return look
            look.finished = found.finished and not resumed
            if not look.finished and until is not None and time.monotonic() > until:
                return look
    return look


def sweep(
    settings: Settings,
    lake: Lake,
    opened: OpenedSource,
    runner: Runner,
    *,
    force: bool = False,
    dry_run: bool = False,
) -> Look:
    """Find the days behind the source by comparing all its rows with the lake's.

    Args:
        settings: the settings.
        lake: what is compared with the source.
        opened: the source.
        runner: who interprets pages.
        force: whether any number of rows may have vanished.
        dry_run: whether to write neither tokens nor the cursor.

    Raises:
        MassDeletion: too many rows have vanished; nothing was written.
        SourceError: the source cannot be read.
        StorageError: the lake cannot be read or written.
    """
    look = Look(finished=True)
    cursors = CursorStore(lake.store)
    before = cursors.read()
    with placed_source(settings, lake, opened, runner) as placed:
        mark = placed.info.clock - timedelta(seconds=settings.sync_lag_seconds)
        deletions = Deletions()
        tokens = []
        for day in compare_days(lake, placed.placement):
            look.rows["sweep"] += sum(table.source.rows for table in day.tables)
            deletions.count(day)
            if not day.equal:
                reached = max(mark, day.mark + MICROSECOND)
                tokens.append(Token(day.day, reached, day.reasons()))
    if not force:
        deletions.refuse(settings.max_delete_fraction)
    look.add(tokens)
    if not dry_run:
        lake.pending.add(tokens)
        start = before or Cursor(source="", mark=mark)
        _moved(
            cursors,
            start.next(
                source=placed.identity,
                mark=mark,
                version=placed.info.version,
                under_way=None,
            ),
        )
    return look


class Deletions:
    """Ids that vanished, over all days: one that shows up elsewhere has only moved."""

    def __init__(self) -> None:
        self._known: Counter[str] = Counter()
        self._gone: dict[str, set[str]] = {}
        self._came: dict[str, set[str]] = {}

    def count(self, day: DayComparison) -> None:
        """Take note of a day's rows."""
        quarantine = day.rows[QUARANTINE.name]
        for table in SOURCE_TABLES:
            refused = pc.equal(quarantine["source_table"], table)
            ids = quarantine.filter(refused)["source_id"].to_pylist()
            self._came.setdefault(raw_table(table), set()).update(ids)
        for one in day.tables:
            if one.table != QUARANTINE.name:
                self._known[one.table] += one.lake.rows
                self._gone.setdefault(one.table, set()).update(one.vanished)
                self._came[one.table].update(one.new)

    def refuse(self, fraction: float) -> None:
        """Refuse to remove too many rows at once; see `refuse_mass_deletion`."""
        for table, known in self._known.items():
            vanished = self._gone[table] - self._came[table]
            what = table.removeprefix("raw_")
            refuse_mass_deletion(what, known=known, vanished=len(vanished), fraction=fraction)


def _why_sweep(cursor: Cursor | None, info: SourceInfo, identity: str) -> str:
    """Why changes alone do not tell which days are behind; empty if they do."""
    if cursor is None:
        return "the source was never compared with the lake"
    if cursor.source != identity:
        return "the source or its mapping is another one than at the last look"
    if info.version is not None:
        return "" if info.version == cursor.version else "the source's files have changed"
    if not all(info.change_columns.get(table) for table in SOURCE_TABLES):
        return "the source does not tell when rows were changed"
    if info.clock < cursor.mark:
        return "the source's clock went back"
    return ""


def _moved(cursors: CursorStore, cursor: Cursor) -> bool:
    """Move the cursor unless another sync was faster; tells whether it moved."""
    try:
        cursors.write(cursor)
    except FencedWriter as error:
        logger.warning("%s", error)
        return False
    return True

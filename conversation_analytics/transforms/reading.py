"""Reading the source for some days: whole in one pass, or those days only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from datetime import date
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.errors import DataCheckFailed
from conversation_analytics.partitions import contiguous_ranges
from conversation_analytics.settings import Settings
from conversation_analytics.sources.base import (
    SOURCE_TABLES,
    ConversationSource,
    Page,
    SourceInfo,
    SourceQueries,
    SourceTable,
)
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import UNKNOWN_DAY, Day
from conversation_analytics.transforms.closure import Closure, Moves
from conversation_analytics.transforms.merging import Changed
from conversation_analytics.transforms.staging import Placement, Staging

# Up to this share of the known days is asked for by time range; more is cheaper in one pass.
_FEW_DAYS = 0.05


DayMoves = set[tuple[date, date]]


class Reading:
    """One reading of the source into a `Staging`.

    Args:
        source: what to read.
        info: what its probe found.
        staging: where rows go.
        lake: what the lake has of the rows already.
        settings: the settings.
    """

    def __init__(
        self,
        source: ConversationSource,
        info: SourceInfo,
        staging: Staging,
        lake: Lake,
        settings: Settings,
    ) -> None:
        self._source = source
        self._info = info
        self._staging = staging
        snapshot = lake.index.snapshot()
        self._listed = snapshot.entries.select(["conversation_id", "day"])
        self._calendar = settings.calendar
        self._closure = Closure(lake, snapshot, staging, settings)

    def read(
        self, days: Sequence[date], *, whole: bool = False
    ) -> tuple[Placement, DayMoves, bool]:
        """Read what is needed to write `days` whole.

        Args:
            days: the days.
            whole: whether to read the whole source even if that costs more.

        Returns:
            Where each row belongs; the moves of rows from or to one of the days, or one of those
            they drag along; and whether the whole source was read.

        Raises:
            SourceError: the source cannot be read.
            DataCheckFailed: rows were lost or doubled on the way.
        """
        queries = self._source.queries
        if queries is not None and not whole and self._few(days):
            read = self._read_few(queries, days)
            if read is not None:
                return *read, False
            self._staging.clear()
        placement = self.whole()
        wanted = set(days)
        while True:
            self._closure.record(wanted)
            moves = _dragged(self._moves(placement), wanted)
            further = {day for move in moves for day in move if day != UNKNOWN_DAY} - wanted
            if not further:
                return placement, _between_days(moves), True
            wanted |= further

    def merge(
        self,
        days: Sequence[date],
        recorded: Iterable[Page],
        changed: Mapping[SourceTable, Changed],
    ) -> Placement | None:
        """Place rows that the lake has of `days`, with those that changed since in their place.

        Args:
            days: the days.
            recorded: all source rows that the lake has of them.
            changed: rows of them that the lake has otherwise, or not at all.

        Returns:
            Where each row belongs; null if rows come from or go to other days, which only a
            reading of the source can follow.

        Raises:
            SourceError: the source cannot be asked for what belongs to the rows.
            DataCheckFailed: rows were lost or doubled on the way.
        """
        queries = self._source.queries
        if queries is None:
            return None
        staging = self._staging
        staging.add(recorded)
        named: dict[SourceTable, set[str]] = {}
        for table, rows in changed.items():
            pages = chain([rows.page(table)], queries.rows_by_key(table, sorted(rows.unseen)))
            named[table] = staging.replace(table, rows.keys, pages)
        self._closure.record(days)
        here = self._known("day", pa.array(sorted(days), pa.date32()))
        arrived = sorted(named["conversations"] - here)
        if arrived and not staging.keyed:  # another row with the same id may be of another day
            staging.add(queries.conversations_by_id(arrived), once=True)
        self._add_owners(queries, here, missing=set())
        new = sorted(staging.conversation_ids() - here)
        if new:
            staging.add(queries.messages_of(new), once=True)
        if self._info.ordered:
            staging.order_by_key()
        self._order_ties(among=set().union(*named.values()))
        placement = self._place()
        return None if _dragged(self._moves(placement), set(days)) else placement

    def whole(self) -> Placement:
        """Read and place every row there is.

        Raises:
            SourceError: the source cannot be read.
            DataCheckFailed: rows were lost or doubled on the way.
        """
        for table in SOURCE_TABLES:
            self._staging.add(self._source.scan(table))
        self._order_ties()
        return self._place()

    def _read_few(
        self, queries: SourceQueries, days: Sequence[date]
    ) -> tuple[Placement, DayMoves] | None:
        """Read some days and those they drag along; null if rows without a day are among them."""
        read: set[date] = set()
        wanted = set(days)
        while wanted > read:
            days_now = sorted(wanted - read)
            read |= wanted
            self._read_days(queries, days_now, read)
            placement = self._place()
            moves = _dragged(self._moves(placement), wanted)
            for day in (day for move in moves for day in move):
                if day == UNKNOWN_DAY:
                    return None
                wanted.add(day)
        return placement, _between_days(moves)

    def _few(self, days: Sequence[date]) -> bool:
        """Whether asking for the days by time range is cheaper than one pass."""
        tables = (self._info.conversations, self._info.messages)
        if not all(table.range_filterable and table.primary_key for table in tables):
            return False
        known = len(self._listed["day"].unique())
        return len(days) <= _FEW_DAYS * known

    def _order_ties(self, among: Set[str] | None = None) -> None:
        """Ask for the order of rows made in the same instant, of some conversations only."""
        if self._info.ordered or self._source.queries is None:
            return
        tied = self._staging.tied_conversations()
        if among is not None:
            tied = [id_ for id_ in tied if id_ in among]
        if tied:
            self._staging.order_ties(self._source.queries.messages_of(tied))

    def _read_days(self, queries: SourceQueries, days: list[date], read: set[date]) -> None:
        """Read days by time range, then everything that belongs to what was found.

        Args:
            queries: the source.
            days: what to read now.
            read: every day read, these and those before them.
        """
        staging = self._staging
        for first, last in contiguous_ranges(days):
            begin, end = self._calendar.window(first)[0], self._calendar.window(last)[1]
            staging.add(queries.conversations_between(begin, end), once=True)
            staging.add(queries.messages_between(begin, end), once=True)
        # What is listed here and was not found has moved or is gone.
        found = staging.conversation_ids()
        here = self._known("day", pa.array(sorted(read), pa.date32()))
        # Without keys another row with the same id may have been made on another day.
        missing = here - found if staging.keyed else here | found
        self._add_owners(queries, here, missing=missing)
        # What the lake has here and was not found is gone, or belongs elsewhere now.
        self._closure.record(days)
        staging.add(queries.rows_by_key("conversations", self._closure.unread("conversations")))
        ours = sorted(staging.conversation_ids() | here)
        if ours:
            staging.add(queries.messages_of(ours), once=True)
        staging.add(queries.rows_by_key("messages", self._closure.unread("messages")))
        if self._info.ordered:
            staging.order_by_key()
        self._order_ties()

    def _add_owners(self, queries: SourceQueries, here: set[str], *, missing: set[str]) -> None:
        """Stage conversations that messages name, unless they are known to live elsewhere.

        Args:
            queries: the source.
            here: the conversations listed on the days that are read.
            missing: further conversations to ask for.
        """
        staging = self._staging
        named = staging.owners_of_messages() - staging.conversation_ids()
        elsewhere = self._known("conversation_id", pa.array(sorted(named), pa.string())) - here
        staging.live_elsewhere(elsewhere)
        wanted = missing | (named - elsewhere)
        if wanted:
            staging.add(queries.conversations_by_id(sorted(wanted)), once=True)

    def _known(self, column: str, values: pa.Array) -> set[str]:
        """The conversations listed with one of some values."""
        listed = self._listed.filter(pc.is_in(self._listed[column], values))
        return set(listed["conversation_id"].to_pylist())

    def _place(self) -> Placement:
        placement = self._staging.place()
        totals = placement.totals()
        for table in SOURCE_TABLES:
            if totals[f"{table}_staged"] != totals[f"{table}_placed"]:
                raise DataCheckFailed(
                    f"{table}: {totals[f'{table}_staged']} rows were read but "
                    f"{totals[f'{table}_placed']} placed; nothing was written"
                )
        return placement

    def _moves(self, placement: Placement) -> Moves:
        """Moves of rows, and from every day that lists a conversation which starts on another.

        Not only from the day it lives in: where a run died between writing the new day and the
        old one, the old one lists it still.
        """
        found = self._closure.moves()
        now = placement.conversation_days()
        both = now.join(self._listed, "conversation_id", join_type="inner", right_suffix="_before")
        moved = both.filter(pc.not_equal(both["day"], both["day_before"]))
        days = moved.group_by(["day_before", "day"]).aggregate([])
        return found | {(row["day_before"], row["day"]) for row in days.to_pylist()}


def _between_days(moves: Moves) -> DayMoves:
    """The moves without those from and to no day: rows without one are written after all days."""
    return {(a, b) for a, b in moves if not isinstance(a, str) and not isinstance(b, str)}


def _dragged(moves: Moves, days: Collection[date]) -> Moves:
    """The moves that touch `days`, or days that those moves touch, and so on."""
    touched: set[Day] = set(days)
    while True:
        chosen = {move for move in moves if touched & set(move)}
        wider = touched | {day for move in chosen for day in move if day != UNKNOWN_DAY}
        if wider == touched:
            return chosen
        touched = wider

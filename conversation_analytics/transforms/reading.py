"""Reading the source for some days: whole in one pass, or those days only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.errors import DataCheckFailed
from conversation_analytics.partitions import DayCalendar, contiguous_ranges
from conversation_analytics.sources.base import (
    SOURCE_TABLES,
    ConversationSource,
    SourceInfo,
    SourceQueries,
)
from conversation_analytics.storage.index import IndexSnapshot
from conversation_analytics.transforms.staging import Placement, Staging

# Up to this share of the known days is asked for by time range; more is cheaper in one pass.
_FEW_DAYS = 0.05

# The days that list conversations which start on another day now, each with that day.
Moves = set[tuple[date, date]]


class Reading:
    """One reading of the source into a `Staging`.

    Args:
        source: what to read.
        info: what its probe found.
        staging: where rows go.
        snapshot: the id → day index before the reading.
        calendar: which days there are.
    """

    def __init__(
        self,
        source: ConversationSource,
        info: SourceInfo,
        staging: Staging,
        snapshot: IndexSnapshot,
        calendar: DayCalendar,
    ) -> None:
        self._source = source
        self._info = info
        self._staging = staging
        self._listed = snapshot.entries.select(["conversation_id", "day"])
        self._calendar = calendar

    def read(self, days: Sequence[date]) -> tuple[Placement, Moves, bool]:
        """Read what is needed to write `days` whole.

        Returns:
            Where each row belongs; the moves of conversations from or to one of the days, or
            one of those they drag along; and whether the whole source was read.

        Raises:
            SourceError: the source cannot be read.
            DataCheckFailed: rows were lost or doubled on the way.
        """
        queries = self._source.queries
        if queries is None or not self._few(days):
            self._read_whole()
            placement = self._place()
            return placement, _dragged(self._moves(placement), set(days)), True
        read: set[date] = set()
        wanted = set(days)
        while wanted > read:
            days_now = sorted(wanted - read)
            read |= wanted
            self._read_days(queries, days_now, read)
            placement = self._place()
            moves = _dragged(self._moves(placement), wanted)
            wanted |= {day for move in moves for day in move}
        return placement, moves, False

    def _few(self, days: Sequence[date]) -> bool:
        """Whether asking for the days by time range is cheaper than one pass."""
        tables = (self._info.conversations, self._info.messages)
        if not all(table.range_filterable and table.primary_key for table in tables):
            return False
        known = len(self._listed["day"].unique())
        return len(days) <= _FEW_DAYS * known

    def _read_whole(self) -> None:
        for table in SOURCE_TABLES:
            self._staging.add(self._source.scan(table))
        self._order_ties()

    def _order_ties(self) -> None:
        if self._info.ordered or self._source.queries is None:
            return
        tied = self._staging.tied_conversations()
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
        # What is listed here and was not found has moved or is gone; what is here but listed
        # elsewhere has moved; what is known to live elsewhere is none of ours.
        found = staging.conversation_ids()
        here = self._known("day", pa.array(sorted(read), pa.date32()))
        named = staging.owners_of_messages() - found
        elsewhere = self._known("conversation_id", pa.array(sorted(named), pa.string())) - here
        staging.live_elsewhere(elsewhere)
        unknown = (here - found) | (named - elsewhere)
        if not staging.keyed:
            unknown |= found  # another row with the same id may have been made on another day
        if unknown:
            staging.add(queries.conversations_by_id(sorted(unknown)), once=True)
        ours = sorted(staging.conversation_ids())
        if ours:
            staging.add(queries.messages_of(ours), once=True)
            self._order_ties()

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
        """Moves from every day that lists a conversation which starts on another one.

        Not only from the day it lives in: where a run died between writing the new day and the
        old one, the old one lists it still.
        """
        now = placement.conversation_days()
        both = now.join(self._listed, "conversation_id", join_type="inner", right_suffix="_before")
        moved = both.filter(pc.not_equal(both["day"], both["day_before"]))
        days = moved.group_by(["day_before", "day"]).aggregate([])
        return {(row["day_before"], row["day"]) for row in days.to_pylist()}


def _dragged(moves: Moves, days: set[date]) -> Moves:
    """The moves that touch `days`, or days that those moves touch, and so on."""
    touched = set(days)
    while True:
        chosen = {move for move in moves if touched & set(move)}
        wider = touched | {day for move in chosen for day in move}
        if wider == touched:
            return chosen
        touched = wider

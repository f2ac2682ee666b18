"""Reading the source for some days: whole in one pass, or those days only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

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

# Conversation → the day it is known to live in, and the day it starts on now.
Moves = dict[str, tuple[date, date]]


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
        self._owners = snapshot.owners()
        self._calendar = calendar

    def read(self, days: Sequence[date]) -> tuple[Placement, Moves, bool]:
        """Read what is needed to write `days` whole.

        Returns:
            Where each row belongs; the conversations that moved from or to one of the days, or
            of those they drag along; and whether the whole source was read.

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
            self._read_days(queries, sorted(wanted - read))
            read |= wanted
            placement = self._place()
            moves = _dragged(self._moves(placement), wanted)
            wanted |= {day for move in moves.values() for day in move}
        return placement, moves, False

    def _few(self, days: Sequence[date]) -> bool:
        """Whether asking for the days by time range is cheaper than one pass."""
        tables = (self._info.conversations, self._info.messages)
        if not all(table.range_filterable and table.primary_key for table in tables):
            return False
        known = len(self._owners["day"].unique())
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

    def _read_days(self, queries: SourceQueries, days: list[date]) -> None:
        """Read days by time range, then everything that belongs to what was found."""
        staging = self._staging
        for first, last in contiguous_ranges(days):
            begin, end = self._calendar.window(first)[0], self._calendar.window(last)[1]
            staging.add(queries.conversations_between(begin, end), once=True)
            staging.add(queries.messages_between(begin, end), once=True)
        # What lived here and was not found has moved or is gone; what is here but lived
        # elsewhere has moved; what is known to live elsewhere is none of ours.
        homes = dict(
            zip(
                self._owners["conversation_id"].to_pylist(),
                self._owners["day"].to_pylist(),
                strict=True,
            )
        )
        found = staging.conversation_ids()
        here = {id_ for id_, day in homes.items() if day in set(days)}
        named = staging.owners_of_messages() - found
        elsewhere = {id_ for id_ in named if id_ in homes and id_ not in here}
        staging.live_elsewhere(elsewhere)
        unknown = sorted((here - found) | (named - elsewhere))
        if unknown:
            staging.add(queries.conversations_by_id(unknown), once=True)
        ours = sorted(staging.conversation_ids())
        if ours:
            staging.add(queries.messages_of(ours), once=True)
            self._order_ties()

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
        """Conversations that start on another day than the one they are known to live in."""
        now = placement.conversation_days()
        both = now.join(self._owners, "conversation_id", join_type="inner", right_suffix="_before")
        moved = both.filter(pc.not_equal(both["day"], both["day_before"]))
        return {
            row["conversation_id"]: (row["day_before"], row["day"]) for row in moved.to_pylist()
        }


def _dragged(moves: Moves, days: set[date]) -> Moves:
    """The moves that touch `days`, or days that those moves touch, and so on."""
    touched = set(days)
    while True:
        chosen = {id_: move for id_, move in moves.items() if touched & set(move)}
        wider = touched | {day for move in chosen.values() for day in move}
        if wider == touched:
            return chosen
        touched = wider

"""Making a refresh bring days back into agreement, also where it would find nothing to do.

A refresh reads the source and writes what follows from it; but it cannot read a damaged day of the
lake, and leaves documents alone whose hash is right. So what is damaged is first made to look
unwritten: the lake's day by the loss of its manifest, which nobody could read by anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import UNITS
from conversation_analytics.storage.pending import Token
from conversation_analytics.sync.ledger import LedgerDay
from conversation_analytics.sync.published import Published


def mark_for_healing(lake: Lake, published: Published | None, days: Sequence[LedgerDay]) -> None:
    """Mark days as pending, and see to it that their refresh writes what is damaged.

    Args:
        lake: the lake.
        published: MongoDB's collections; null without MongoDB.
        days: days that do not agree.

    Raises:
        StoreUnavailable: the lake or MongoDB cannot be written.
    """
    lake.pending.add(Token(day.day, day.mark, day.reasons()) for day in days)
    for day in days:
        lake.store.delete(lake.layout.manifest(UNITS[unit], day.day) for unit in day.damaged)
        if published:
            _forget_documents(published, day)


def _forget_documents(published: Published, day: LedgerDay) -> None:
    if isinstance(day.day, str):
        return
    units = {collection: unit for unit, collection in published.collections.items()}
    for table in day.tables:
        if table.store == "mongodb" and not table.equal:
            unit = units[table.table]
            differing = table.changed | table.damaged
            published.forget(unit, day.day, differing, epoch=day.epochs.get(unit, 0))

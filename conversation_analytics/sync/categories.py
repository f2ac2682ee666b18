"""Whether a day's categories are whole, and of the conversations and messages there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from conversation_analytics.schemas import TableSchema
from conversation_analytics.storage.layout import CATEGORIES_UNIT
from conversation_analytics.sync.comparison import Content
from conversation_analytics.sync.differences import Differences
from conversation_analytics.sync.held import HeldDay


def categories_compared(
    held: Mapping[str, HeldDay], conversations: pa.Table
) -> Iterator[Differences]:
    """The tables of a day's categories against the conversations that should be there.

    What a label should be is not decided anew: that would take as long as a backfill, and
    whether labels are of today's models and taxonomy is told by `backfill --stale`.

    Args:
        held: the day's units in the lake, by name.
        conversations: those that should be there.
    """
    there = held[CATEGORIES_UNIT.name]
    wanted = frozenset(conversations["conversation_id"].to_pylist())
    for schema in CATEGORIES_UNIT.tables:
        table = there.tables.get(schema.name)
        if table is None or table.rows is None:
            damage = (table.damage if table else "") or there.damage
            nothing = "" if not wanted else "it was never made"
            yield _whole(schema, Content(), damage or nothing)
            continue
        found = frozenset(table.rows["conversation_id"].to_pylist())
        yield Differences(
            "lake",
            schema.name,
            table.content,
            table.content,
            new=wanted - found,
            vanished=found - wanted,
            problem=table.damage or _other_inputs(held),
        )


def _whole(schema: TableSchema, content: Content, problem: str) -> Differences:
    return Differences("lake", schema.name, content, content, problem=problem)


def _other_inputs(held: Mapping[str, HeldDay]) -> str:
    """What the categories were made of that is not there any more, in words."""
    made = held[CATEGORIES_UNIT.name].manifest
    if made is None:
        return ""
    others = [
        name
        for name in CATEGORIES_UNIT.inputs
        if (now := held[name].manifest) and made.inputs.get(name) != now.content_hash
    ]
    return f"they were made of other {' and '.join(others)} than there are now" if others else ""

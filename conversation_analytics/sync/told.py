"""Whether what models tell of a day is whole, and of the conversations and messages there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from conversation_analytics.schemas import TableSchema
from conversation_analytics.storage.layout import CATEGORIES_UNIT, TRANSLATIONS_UNIT, Unit
from conversation_analytics.sync.comparison import Content
from conversation_analytics.sync.differences import Differences
from conversation_analytics.sync.held import HeldDay


def told_compared(held: Mapping[str, HeldDay], conversations: pa.Table) -> Iterator[Differences]:
    """A day's categories and translations against the conversations that should be there.

    What a label or a translation should be is not decided anew: that would take as long as a
    backfill, and whether labels are of today's models and taxonomy is told by `backfill --stale`.

    Args:
        held: the day's units in the lake, by name.
        conversations: those that should be there.
    """
    wanted = frozenset(conversations["conversation_id"].to_pylist())
    yield from _compared(CATEGORIES_UNIT, held, wanted, of_all=True)
    yield from _compared(TRANSLATIONS_UNIT, held, wanted, of_all=False)


def _compared(
    unit: Unit, held: Mapping[str, HeldDay], wanted: frozenset[str], *, of_all: bool
) -> Iterator[Differences]:
    """The tables of a unit; `of_all` if every conversation has rows there."""
    there = held[unit.name]
    for schema in unit.tables:
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
            new=wanted - found if of_all else frozenset(),
            vanished=found - wanted,
            problem=table.damage or _other_inputs(unit, held),
        )


def _whole(schema: TableSchema, content: Content, problem: str) -> Differences:
    return Differences("lake", schema.name, content, content, problem=problem)


def _other_inputs(unit: Unit, held: Mapping[str, HeldDay]) -> str:
    """What a unit was made of that is not there any more, in words."""
    made = held[unit.name].manifest
    if made is None:
        return ""
    others = [
        name
        for name in unit.inputs
        if (now := held[name].manifest) and made.inputs.get(name) != now.content_hash
    ]
    return f"they were made of other {' and '.join(others)} than there are now" if others else ""

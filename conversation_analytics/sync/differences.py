"""How what a store holds of a day's table differs from what it should hold, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.schemas import TableSchema
from conversation_analytics.sync.comparison import Content

StoreName = Literal["lake", "mongodb"]
REASONS = ("new", "changed", "vanished", "damaged")

_IDENTITY_WITHOUT_KEY = ("source_table", "source_id", "row_hash")
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Differences:
    """A table of a day in a store, against what it should be.

    Attributes:
        store: ``lake`` or ``mongodb``.
        table: name of the table or of the collection.
        wanted: what should be there.
        found: what is there.
        new: ids that should be there and are not.
        changed: ids whose rows should be others.
        vanished: ids that are there and should not be.
        damaged: ids whose rows are not, or not whole, what was once written.
        problem: what is wrong with the table as a whole; empty if nothing is.
    """

    store: StoreName
    table: str
    wanted: Content
    found: Content
    new: frozenset[str] = _NONE
    changed: frozenset[str] = _NONE
    vanished: frozenset[str] = _NONE
    damaged: frozenset[str] = _NONE
    problem: str = ""

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.problem and not any(self.reasons().values())

    def reasons(self) -> dict[str, int]:
        """The number of ids of each kind of difference."""
        return {reason: len(getattr(self, reason)) for reason in REASONS}


def row_ids(table: pa.Table, schema: TableSchema) -> list[str]:
    """What tells the rows of a table apart: their key, or in quarantine whose row they hold."""
    names = schema.key or _IDENTITY_WITHOUT_KEY
    parts = [pc.fill_null(table[name].cast(pa.string()), "") for name in names]
    ids: list[str] = pc.binary_join_element_wise(*parts, " ").to_pylist()
    return ids


def between(
    store: StoreName,
    table: str,
    wanted: tuple[Content, Mapping[str, str]],
    found: tuple[Content, Mapping[str, str]],
    *,
    damage: str = "",
) -> Differences:
    """The differences between two tables, each given as its content and its rows' hashes by id.

    Args:
        store: where the table was found.
        table: its name.
        wanted: what should be there.
        found: what is there.
        damage: what is wrong with it as a whole; then rows are damaged, not new or changed.
    """
    (should, wanted_rows), (is_, there) = wanted, found
    new = frozenset(wanted_rows.keys() - there.keys())
    vanished = frozenset(there.keys() - wanted_rows.keys())
    both = wanted_rows.keys() & there.keys()
    changed = frozenset(id_ for id_ in both if wanted_rows[id_] != there[id_])
    if damage:
        damaged = new | changed
        return Differences(
            store, table, should, is_, vanished=vanished, damaged=damaged, problem=damage
        )
    if not (new or vanished or changed) and should.hash != is_.hash:
        damage = "the same rows in another order or number"
    return Differences(store, table, should, is_, new, changed, vanished, problem=damage)

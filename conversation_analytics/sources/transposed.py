"""Rows transposed into columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conversation_analytics.sources.decode import Row


class Columns:
    """The columns of some rows.

    Rows of a database all have the same columns in the same order. Those are transposed at once,
    which takes a tenth of the time of asking each row for each column.

    Attributes:
        names: the columns of every row, in order; null unless all rows have the same.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        first = tuple(rows[0]) if rows else ()
        alike = all(map(first.__eq__, map(tuple, rows)))
        self.names = first if alike else None
        transposed = zip(*map(dict.values, rows), strict=True) if alike else ()
        self._transposed: dict[str, tuple[Any, ...]] = dict(zip(first, transposed))  # noqa: B905

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, name: str) -> list[Any]:
        """The values of a column, null where a row has none; a list of the caller's own."""
        if self.names is None:
            return [row.get(name) for row in self._rows]
        found = self._transposed.get(name)
        return [None] * len(self._rows) if found is None else list(found)

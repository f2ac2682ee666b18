"""How a table is described: the one place its columns, types, limits and words come from.

Arrow schemas, Dagster column schemas, blocking checks and the column reference in `docs/` are
all derived from a `TableSchema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(20, 8)
STRING = pa.string()
INTEGER = pa.int64()
REAL = pa.float64()
BOOLEAN = pa.bool_()


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: its name in every store.
        type: its Arrow type.
        description: what it means, with its unit.
        nullable: whether null is allowed.
        allowed: the only values it may have, null for any.
        minimum: least value, inclusive.
        maximum: greatest value, inclusive.
        hashed: whether content hashes cover it; what the source says about the row's own history
            is left out, so that the same content has the same hash wherever it comes from.
        categorical: few distinct values, so worth dictionary encoding in Parquet.
    """

    name: str
    type: pa.DataType
    description: str
    nullable: bool = True
    allowed: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    hashed: bool = True
    categorical: bool = False

    @property
    def constraints(self) -> list[str]:
        """The limits in words."""
        words = []
        if self.allowed:
            words.append(f"one of {', '.join(self.allowed)}")
        if self.minimum is not None:
            words.append(f"at least {self.minimum:g}")
        if self.maximum is not None:
            words.append(f"at most {self.maximum:g}")
        return words


@dataclass(frozen=True)
class TableSchema:
    """One table of the lake.

    Attributes:
        name: its name, the file stem in the lake and the asset name.
        description: what one row is.
        columns: in file order.
        key: columns that together are unique within a day; empty when rows have no identity.
        order: columns rows are sorted by in the file.
        hashes: columns that tell whether two rows with the same key are equal; none of a table
            whose rows have no hash.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    order: tuple[str, ...]
    hashes: tuple[str, ...] = ("content_hash",)

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

    @property
    def names(self) -> list[str]:
        """Column names in file order."""
        return [column.name for column in self.columns]

    def empty(self) -> pa.Table:
        """A table without rows."""
        return self.arrow.empty_table()


CONTENT_HASH = Column(
    "content_hash",
    STRING,
    "Hash of the row's content; equal rows have equal hashes in every store.",
    nullable=False,
    hashed=False,
)
ATTRIBUTES = Column(
    "attributes",
    STRING,
    "Source columns without a column of their own, as a JSON object with sorted keys.",
    nullable=False,
)

"""A table's mapping against the columns there really are, and how a row's fields are read."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict

from conversation_analytics.sources import values
from conversation_analytics.sources.decode import Decoded, Row
from conversation_analytics.storage.encoding import digest


class Field(NamedTuple):
    """One of our fields: how its value is read, and what a refusal calls it."""

    name: str
    read: Callable[[Any, str], Any]
    label: str


def fields(*read: tuple[str, Callable[[Any, str], Any]], **labels: str) -> tuple[Field, ...]:
    """Fields with how they are read; `labels` are those that refusals call by another name."""
    return tuple(Field(name, how, labels.get(name, name)) for name, how in read)


class ResolvedTable(BaseModel):
    """A table's mapping against the columns there really are.

    Attributes:
        columns: source columns by field; more than one where rows take the first with a value.
        consumed: columns that are mapped, ignored or the source's own, so not attributes.
        system: columns the source adds by itself, left out of row hashes.
        primary_key: column that tells one source row from another, null where there is none.
        amounts: columns whose decimals are written one way in attributes.
        objects: columns whose JSON text is written as the object it holds in attributes.
    """

    model_config = ConfigDict(frozen=True)

    columns: dict[str, tuple[str, ...]]
    consumed: frozenset[str]
    system: frozenset[str]
    primary_key: str | None = None
    amounts: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()

    @cached_property
    def _paths(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """By field, its columns; each with the key inside it, empty for the column itself."""
        split = {name: [c.partition(".") for c in here] for name, here in self.columns.items()}
        return {name: tuple((root, key) for root, _, key in here) for name, here in split.items()}

    @cached_property
    def _plain_columns(self) -> dict[str, str]:
        """The column of each field that has just one, not inside a JSON column."""
        one = {name: here[0] for name, here in self._paths.items() if len(here) == 1}
        return {name: root for name, (root, key) in one.items() if not key}

    def value(self, row: Row, field: str) -> Any:
        """The value of a field in a row, null if it has none."""
        plain = self._plain_columns.get(field)
        if plain is not None:
            return row.get(plain)
        for root, key in self._paths.get(field, ()):
            found = row.get(root)
            if key and found is not None:
                found = values.json_object(found, root).get(key)
            if found is not None:
                return found
        return None

    def read(self, row: Row, wanted: tuple[Field, ...]) -> list[Any]:
        """The values of fields in a row, each read as its type; null where there is none.

        Raises:
            Unusable: one of them cannot be read.
        """
        plain = self._plain_columns
        found = []
        for name, read, label in wanted:
            column = plain.get(name)
            value = self.value(row, name) if column is None else row.get(column)
            found.append(None if value is None else read(value, label))
        return found

    def attributes(self, row: Row) -> dict[str, Any]:
        """The columns without a field of their own; nulls say nothing and are left out."""
        consumed = self.consumed
        own = {k: v for k, v in row.items() if v is not None and k not in consumed}
        for column in self.amounts & own.keys():
            own[column] = values.plain_decimal(own[column])
        for column in self.objects & own.keys():
            own[column] = values.opened(own[column])
        if "inputs" not in self.columns:
            return own
        inputs = values.json_object(self.value(row, "inputs"), "inputs")
        kept = {k: v for k, v in inputs.items() if v is not None}
        return {**{(f"inputs.{k}" if k in own else k): v for k, v in kept.items()}, **own}

    def row_hash(self, decoded: Decoded) -> str:
        """The hash of a row without the columns the source adds by itself."""
        if self.system.isdisjoint(decoded.row):
            return digest(decoded.payload)
        own = {k: v for k, v in decoded.row.items() if k not in self.system}
        return digest(orjson.dumps(own, option=orjson.OPT_SORT_KEYS))

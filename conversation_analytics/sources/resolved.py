"""A table's mapping against the columns there really are, and how a row's fields are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict

from conversation_analytics.sources import values
from conversation_analytics.sources.decode import DecodedPage, Row
from conversation_analytics.sources.transposed import Columns
from conversation_analytics.storage.encoding import digests


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
        change_times: columns that tell when a row was made or last changed.
        creation_times: those of them that tell when it was made.
        amounts: columns whose decimals are written one way in attributes.
        objects: columns whose JSON text is written as the object it holds in attributes.
    """

    model_config = ConfigDict(frozen=True)

    columns: dict[str, tuple[str, ...]]
    consumed: frozenset[str]
    system: frozenset[str]
    primary_key: str | None = None
    change_times: tuple[str, ...] = ()
    creation_times: tuple[str, ...] = ()
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

    def column(self, columns: Columns, field: str) -> list[Any]:
        """The values of a field in many rows; instead of one that cannot be told, why."""
        found: list[Any] | None = None
        for root, key in self._paths.get(field, ()):
            column = columns[root]
            if key:
                column = [_inside(value, root, key) for value in column]
            if found is None:
                found = column
            elif None in found:
                found = [b if a is None else a for a, b in zip(found, column, strict=True)]
        return [None] * len(columns) if found is None else found

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

    def row_hashes(
        self, decoded: DecodedPage, columns: Columns, reasons: Sequence[str | None]
    ) -> list[str]:
        """The hash of each row as JSON with sorted keys.

        It is the payload's; but of a row that can be used, for which there is no reason, without
        the columns the source adds by itself.

        Args:
            decoded: the rows.
            columns: the same rows, transposed.
            reasons: why each cannot be used, null for usable rows.
        """
        start = self._start_of_own(columns)
        if not start:
            return digests(
                one.payload if reason else self._own(one.row, one.payload)
                for one, reason in zip(decoded, reasons, strict=True)
            )
        data = decoded.payloads.data
        view = memoryview(data)
        places = zip(pairwise(decoded.payloads.bounds), reasons, strict=True)
        return digests(
            view[at:end] if reason else b"{" + view[data.index(start, at, end) : end]
            for (at, end), reason in places
        )

    def _own(self, row: Row, payload: bytes) -> bytes:
        """A row as JSON without the columns the source adds."""
        if self.system.isdisjoint(row):
            return payload
        rest = {name: row[name] for name in row if name not in self.system}
        return orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)

    def _start_of_own(self, columns: Columns) -> bytes:
        """What follows the columns the source adds, in every payload; empty if that differs.

        So nothing need be written a second time. Keys are sorted, and NocoDB's own columns mostly
        come first. The first key behind them tells the place: no text can hold it, as quotes are
        escaped there.
        """
        names = columns.names or ()
        system, own = self.system.intersection(names), set(names) - self.system
        if not system or not own or max(system) > min(own):
            return b""
        if any(not {dict, list}.isdisjoint(map(type, columns[name])) for name in system):
            return b""
        if any({'"', "\\"} & set(name) for name in (*system, min(own))):
            return b""
        return orjson.dumps(min(own)) + b":"


def _inside(value: Any, column: str, key: str) -> Any:
    """What a JSON column has under a key; why, if that cannot be told."""
    try:
        return None if value is None else values.json_object(value, column).get(key)
    except values.Unusable as error:
        return error

"""A page of rows judged column by column.

Most columns of a page hold nothing unusual, and to see that of a whole column at once takes a
tenth of the time of reading its values. Whatever is not seen to be usual is read value by value,
and a row with a value that cannot be read is judged by itself, as `Interpreter.keys` does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import NoneType
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.partitions import to_micros
from conversation_analytics.sources import values
from conversation_analytics.sources.base import SourceTable
from conversation_analytics.sources.decode import Decoded, DecodedPage
from conversation_analytics.sources.interpret import Interpreter
from conversation_analytics.sources.resolved import Field
from conversation_analytics.sources.transposed import Columns
from conversation_analytics.sources.values import Unusable

Column = list[Any]

_TEXT: frozenset[type] = frozenset({str, NoneType})
_WHOLE: frozenset[type] = frozenset({int, NoneType})
_NUMBER: frozenset[type] = frozenset({int, float, NoneType})
_TRUTH: frozenset[type] = frozenset({bool, NoneType})
_SCALAR: frozenset[type] = frozenset({str, int, float, bool, NoneType})
_BIT = frozenset({0, 1, None})
_KEYS = frozenset({"conversation_id", "is_deleted"})  # read, not only judged
# Arrow reads times as Python does, but for years so near the ends that UTC may be beyond them.
_ORDINARY_YEARS = tuple(to_micros(datetime(year, 1, 1, tzinfo=UTC)) for year in (2, 9999))


class Judged(NamedTuple):
    """What is known of the rows of a page: a list each, with a value for each row.

    Attributes:
        ids: see `Keys.source_id`.
        conversation_ids: the conversations they are of or belong to.
        created: when they were made, microseconds since 1970.
        updated: when they were last changed, microseconds since 1970.
        deleted: whether the source says they are.
        reasons: why they cannot be used, null for usable rows.
        details: what exactly is wrong with them.
    """

    ids: list[str | None]
    conversation_ids: list[str | None]
    created: list[int | None]
    updated: list[int | None]
    deleted: list[bool]
    reasons: list[str | None]
    details: list[str | None]


def judge(
    interpreter: Interpreter, table: SourceTable, decoded: DecodedPage, columns: Columns
) -> Judged:
    """What each row is known by, or why it cannot be used: what `Interpreter.keys` tells of it.

    Args:
        interpreter: how rows are read.
        table: which table the rows are of.
        decoded: the rows.
        columns: the same rows, transposed.
    """
    resolved = interpreter.table(table)
    doubtful = set(decoded.problems)
    if doubtful:
        columns = Columns([{} if one.problem else one.row for one in decoded])
    for field in interpreter.judged(table):
        if field.name not in _KEYS:
            doubtful |= refused(resolved.column(columns, field.name), field)
    own = "conversation_id" if table == "conversations" else "message_id"
    ids, no_ids = identities(resolved.column(columns, own))
    owners, no_owners = ids, no_ids
    if own != "conversation_id":
        owners, no_owners = identities(resolved.column(columns, "conversation_id"))
    created, no_created = instants(resolved.column(columns, "created_at"))
    updated, no_updated = instants(resolved.column(columns, "updated_at"))
    deleted, no_deleted = flags(resolved.column(columns, "is_deleted"))
    doubtful.update(no_ids, no_owners, no_created, no_updated, no_deleted)
    doubtful.update(place for place, id_ in enumerate(ids) if id_ is None)
    if table == "messages":
        doubtful.update(place for place, time in enumerate(created) if time is None)
    nothing: list[str | None] = [None] * len(decoded)
    judged = Judged(ids, [*owners], created, updated, deleted, nothing, [*nothing])
    lists: tuple[Column, ...] = judged
    for place in doubtful:
        found = _one_by_itself(interpreter, table, decoded[place])
        for column, value in zip(lists, found, strict=True):
            column[place] = value
    return judged


def refused(column: Column, field: Field) -> set[int]:
    """The places of values in a column that cannot be read as a field."""
    usual = _USUAL.get(field.read)
    if usual and usual(column):
        return set()
    found = set()
    for place, value in enumerate(column):
        try:
            field.read(value, field.label)
        except Unusable:
            found.add(place)
    return found


def identities(column: Column) -> tuple[list[str | None], set[int]]:
    """A column read as ids, and the places of values that may be none."""
    if set(map(type, column)) == {str} and all(map(str.strip, column)):
        return column, set()
    return _read(column, values.identity)


def instants(column: Column) -> tuple[list[int | None], set[int]]:
    """A column read as times, microseconds since 1970, and the places of values that are none."""
    if column.count(None) == len(column):
        return column, set()
    if set(map(type, column)) <= _TEXT:
        try:
            micros = pa.array(column, pa.string()).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        except pa.ArrowInvalid:
            return _read(column, values.instant)
        ends = pc.min_max(micros).as_py()
        if _ORDINARY_YEARS[0] <= ends["min"] and ends["max"] < _ORDINARY_YEARS[1]:
            return micros.to_pylist(), set()
    return _read(column, values.instant)


def flags(column: Column) -> tuple[list[bool], set[int]]:
    """A column read as truth values, and the places of values that are none."""
    if _flags(column):
        return list(map(bool, column)), set()
    return _read(column, values.flag)


def _read(column: Column, read: Callable[[Any, str], Any]) -> tuple[Column, set[int]]:
    found: Column = [None] * len(column)
    refusals = set()
    for place, value in enumerate(column):
        try:
            found[place] = read(value, "")
        except Unusable:
            refusals.add(place)
    return found, refusals


def _one_by_itself(
    interpreter: Interpreter, table: SourceTable, decoded: Decoded
) -> tuple[Any, ...]:
    try:
        return (*interpreter.keys(table, decoded), None, None)
    except Unusable as error:
        return (*interpreter.best_keys(table, decoded.row), error.reason, error.detail)


def _of(types: frozenset[type]) -> Callable[[Column], bool]:
    return lambda column: types.issuperset(map(type, column))


def _numbers(types: frozenset[type], low: float, high: float) -> Callable[[Column], bool]:

    def usual(column: Column) -> bool:
        if not types.issuperset(map(type, column)):
            return False
        known = [value for value in column if value is not None]  # JSON has no NaN
        return not known or (low <= min(known) and max(known) <= high)

    return usual


def _flags(column: Column) -> bool:
    return {*_TRUTH, int}.issuperset(map(type, column)) and _BIT.issuperset(column)


def _roles(column: Column) -> bool:
    return set(map(type, column)) == {str} and values.ROLE_OF.keys() >= set(column)


# What shows at a glance that a reader takes every value of a column; never true in doubt.
_USUAL: Mapping[Callable[[Any, str], Any], Callable[[Column], bool]] = {
    values.identity: _of(_TEXT | _WHOLE),
    values.text: _of(_SCALAR),
    values.content: _of(_SCALAR),
    values.role: _roles,
    values.count: _numbers(_WHOLE, 0, 2**63 - 1),
    values.real: _numbers(_NUMBER, 0, sys.float_info.max),
    values.money: _numbers(_NUMBER, 0, 10**12 - 1),
    values.feedback: _numbers(_NUMBER, -1, 1),
    values.flag: _flags,
    values.json_object: _of(frozenset({dict, NoneType})),
}

"""Rows of the lake and documents of MongoDB as the same JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import pyarrow as pa
from bson.decimal128 import Decimal128

from conversation_analytics.api.models import JSON_COLUMNS, OURS

Row = dict[str, Any]


def rows_of(table: pa.Table) -> list[Row]:
    """A table's rows, without the columns that are ours."""
    shown = table.select([name for name in table.column_names if name not in OURS])
    return [_opened(row) for row in shown.to_pylist()]


def row_of(document: Mapping[str, Any], names: Iterable[str]) -> Row:
    """A document's row, with these columns and without those that are ours."""
    return _opened({name: _plain(document.get(name)) for name in names if name not in OURS})


def _opened(row: Row) -> Row:
    """A row whose JSON texts are objects."""
    for name in JSON_COLUMNS & row.keys():
        if row[name] is not None:
            row[name] = orjson.loads(row[name])
    return row


def _plain(value: Any) -> Any:
    return value.to_decimal() if isinstance(value, Decimal128) else value

"""DuckDB in memory, for a computation over Arrow tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import duckdb
import pyarrow as pa


@contextmanager
def computing(**tables: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that sees tables by their names; what it makes is to be temporary."""
    with _database().cursor() as db:
        for name, table in tables.items():
            db.register(name, table)
        yield db


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for all, as opening one takes longer than a small query."""
    # One thread, because a sum of floats depends on its order, and one result is to have one hash.
    return duckdb.connect(config={"threads": 1})

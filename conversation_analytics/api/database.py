"""DuckDB for answers: it reaches the tables it is handed only, and long queries come to an end."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from conversation_analytics.api.deadline import Deadline

_DUCKDB: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    # A query sees the tables it is given: no file, no address, no Python variable.
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "lock_configuration": "true",
}


class Database:
    """One DuckDB in memory, shared by the threads that answer."""

    def __init__(self) -> None:
        self._root = duckdb.connect(config=_DUCKDB)

    def query(
        self,
        sql: str,
        parameters: Sequence[Any],
        tables: Mapping[str, pa.Table],
        deadline: Deadline,
    ) -> pa.Table:
        """Rows of a query.

        Args:
            sql: the query; values go into it as ``?`` only.
            parameters: the values.
            tables: what it reads, by name.
            deadline: when it is broken off.

        Raises:
            Problem: it was not ready in time.
        """
        deadline.check()
        with self._root.cursor() as cursor:
            for name, table in tables.items():
                cursor.register(name, table)
            watch = threading.Timer(deadline.left, cursor.interrupt)
            watch.daemon = True
            watch.start()
            try:
                return cursor.execute(sql, list(parameters)).to_arrow_table()
            except duckdb.InterruptException:
                raise deadline.missed() from None
            finally:
                watch.cancel()
                watch.join()  # or it might break off who gets the cursor's memory next

    def close(self) -> None:
        """Give up its memory."""
        self._root.close()

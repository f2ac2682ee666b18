"""The column reference in `docs/columns.md`, written from the schemas.

Run as ``python -m conversation_analytics.schemas.reference`` it prints the page; `make docs`
saves it, and a test compares the saved page with the schemas.
"""

from __future__ import annotations

import sys

from conversation_analytics.schemas import TABLES, Column, TableSchema

_HEAD = """\
# Columns

Every table of the lake, from `conversation_analytics/schemas/`; `make docs` writes this page.
Times are UTC. Partition columns are not inside the files.
"""


def markdown() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_section(table) for table in TABLES.values())])


def _section(table: TableSchema) -> str:
    key = ", ".join(f"`{name}`" for name in table.key) or "none"
    order = ", ".join(f"`{name}`" for name in table.order)
    return "\n".join(
        [
            f"## {table.name}",
            "",
            table.description,
            "",
            f"Key within a day: {key}. Rows are sorted by {order}.",
            "",
            "| column | type | null | meaning |",
            "| --- | --- | --- | --- |",
            *(_line(column) for column in table.columns),
            "",
        ]
    )


def _line(column: Column) -> str:
    null = "yes" if column.nullable else "no"
    limits = f" Limits: {'; '.join(column.constraints)}." if column.constraints else ""
    meaning = f"{column.description}{limits}".replace("|", "\\|")
    return f"| {column.name} | `{column.type}` | {null} | {meaning} |"


if __name__ == "__main__":
    sys.stdout.write(markdown())

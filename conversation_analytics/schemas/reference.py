"""The references in `docs/columns.md` and `docs/metrics.md`, written from the schemas.

Run as ``python -m conversation_analytics.schemas.reference columns`` (or ``metrics``) it prints the
page; `make docs` saves both, and a test compares the saved pages with the schemas.
"""

from __future__ import annotations

import sys

from conversation_analytics.schemas import TABLES, Column, TableSchema
from conversation_analytics.schemas.metric import RELATIONS, Metric
from conversation_analytics.schemas.metrics import METRICS

_COLUMNS_HEAD = """\
# Columns

Every table of the lake, from `conversation_analytics/schemas/`; `make docs` writes this page.
Times are UTC. Partition columns are not inside the files.
"""


_METRICS_HEAD = """\
# Metrics

Every figure of reports, from `conversation_analytics/schemas/metrics.py`; `make docs` writes this
page. Each is told of a whole period and of every value of every dimension. Quantiles interpolate
linearly. Where there is nothing to measure a figure is null; what counts things is 0.

The SQL, DuckDB's, is over the rows of one of these relations:
"""
_DIRECTIONS = {"up_is_good": "more is better", "down_is_good": "less is better", "neutral": ""}


def columns() -> str:
    """The page of columns."""
    return "\n".join([_COLUMNS_HEAD, *(_section(table) for table in TABLES.values())])


def metrics() -> str:
    """The page of metrics."""
    relations = [f"- `{name}`: {description}" for name, description in RELATIONS.items()]
    groups = dict.fromkeys(metric.group for metric in METRICS.values())
    return "\n".join([_METRICS_HEAD, *relations, "", *(_group(group) for group in groups)])


PAGES = {"columns": columns, "metrics": metrics}


def _group(group: str) -> str:
    return "\n".join(
        [
            f"## {group.capitalize()}",
            "",
            "| metric | unit | meaning | from | SQL |",
            "| --- | --- | --- | --- | --- |",
            *(_metric(metric) for metric in METRICS.values() if metric.group == group),
            "",
        ]
    )


def _metric(metric: Metric) -> str:
    notes = [
        _DIRECTIONS[metric.direction],
        "for each currency" if metric.per_currency else "",
        "days add up" if metric.additive else "",
    ]
    told = "; ".join(filter(None, notes)).capitalize()
    meaning = f"{metric.description} {told}." if told else metric.description
    return f"| {metric.name} | {metric.unit} | {meaning} | `{metric.relation}` | `{metric.sql}` |"


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
    sys.stdout.write(PAGES[sys.argv[1]]())

"""The pages that describe every column and every metric."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversation_analytics.schemas import MESSAGES, TABLES
from conversation_analytics.schemas.metric import RELATIONS
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics.schemas.reference import PAGES, columns, metrics

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_in_docs_are_what_the_schemas_say(page: str) -> None:
    assert (DOCS / f"{page}.md").read_text(encoding="utf-8") == PAGES[page](), "run `make docs`"


def test_every_metric_is_described_with_its_sql() -> None:
    page = metrics()
    for metric in METRICS.values():
        assert f"| {metric.name} | {metric.unit} | {metric.description}" in page
        assert f"| `{metric.relation}` | `{metric.sql}` |" in page
    assert {metric.relation for metric in METRICS.values()} == set(RELATIONS)


def test_every_column_of_every_table_is_described() -> None:
    page = columns()
    for table in TABLES.values():
        assert f"## {table.name}\n" in page
        for column in table.columns:
            assert f"| {column.name} | `{column.type}` |" in page
            assert column.description in page


def test_limits_and_nulls_are_told() -> None:
    lines = columns().splitlines()
    role = next(line for line in lines if line.startswith("| role |"))
    assert role == (
        "| role | `string` | no | Who wrote it. "
        f"Limits: one of {', '.join(MESSAGES.by_name['role'].allowed or ())}. |"
    )

"""The page that describes every column."""

from __future__ import annotations

from pathlib import Path

from conversation_analytics.schemas import MESSAGES, TABLES
from conversation_analytics.schemas.reference import markdown

PAGE = Path(__file__).parents[2] / "docs" / "columns.md"


def test_the_page_in_docs_is_what_the_schemas_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "run `make docs`"


def test_every_column_of_every_table_is_described() -> None:
    page = markdown()
    for table in TABLES.values():
        assert f"## {table.name}\n" in page
        for column in table.columns:
            assert f"| {column.name} | `{column.type}` |" in page
            assert column.description in page


def test_limits_and_nulls_are_told() -> None:
    lines = markdown().splitlines()
    role = next(line for line in lines if line.startswith("| role |"))
    assert role == (
        "| role | `string` | no | Who wrote it. "
        f"Limits: one of {', '.join(MESSAGES.by_name['role'].allowed or ())}. |"
    )

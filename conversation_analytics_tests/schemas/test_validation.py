"""A check of rows finds each kind of fault, and says which."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from conversation_analytics.schemas import (
    MESSAGES,
    QUARANTINE,
    TABLES,
    Column,
    TableSchema,
)
from conversation_analytics.schemas.base import INTEGER, MONEY, REAL, STRING, TIMESTAMP
from conversation_analytics.schemas.validation import check_schema

COSTS = TableSchema(
    name="costs",
    description="One row a cost.",
    columns=(
        Column("id", STRING, "Identity.", nullable=False),
        Column("kind", STRING, "Kind.", allowed=("token", "seat")),
        Column("count", INTEGER, "Count.", minimum=0),
        Column("share", REAL, "Share.", minimum=-1, maximum=1),
        Column("cost", MONEY, "Cost.", minimum=0),
        Column("at", TIMESTAMP, "When.", nullable=False),
    ),
    key=("id",),
    order=("id",),
)
GOOD: dict[str, Any] = {
    "id": "1",
    "kind": "token",
    "count": 0,
    "share": -1.0,
    "cost": Decimal("0.00000001"),
    "at": datetime(2024, 1, 1, tzinfo=UTC),
}


def costs(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{**GOOD, **row} for row in rows], schema=COSTS.arrow)


def test_good_rows_pass() -> None:
    result = check_schema(costs({}, {"id": "2", "share": 1.0}), COSTS)
    assert (result.passed, result.problems, result.figures) == (True, (), {"rows": 2})
    assert (result.table, result.name) == ("costs", "schema")


def test_null_is_good_where_it_is_allowed() -> None:
    empty = {"kind": None, "count": None, "share": None, "cost": None}
    assert check_schema(costs(empty), COSTS).passed


@pytest.mark.parametrize("schema", TABLES.values(), ids=TABLES)
def test_a_day_without_rows_is_good(schema: TableSchema) -> None:
    assert check_schema(schema.empty(), schema).passed


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"id": None}, "id: 1 nulls"),
        ({"at": None}, "at: 1 nulls"),
        ({"kind": "gift"}, "kind: not allowed: 1 rows, such as gift"),
        ({"kind": ""}, "kind: not allowed: 1 rows, such as "),
        ({"count": -1}, "count: below 0: 1 rows, such as -1"),
        ({"share": 1.5}, "share: above 1: 1 rows, such as 1.5"),
        ({"share": -1.5}, "share: below -1: 1 rows, such as -1.5"),
        ({"share": float("nan")}, "share: not a finite number: 1 rows, such as nan"),
        ({"cost": Decimal("-0.00000001")}, "cost: below 0: 1 rows, such as -1E-8"),
        ({"id": "2"}, "key id: 1 repeated, such as [{'id': '2'}]"),
    ],
)
def test_each_fault_is_told(row: dict[str, Any], problem: str) -> None:
    result = check_schema(costs({"id": "2"}, row), COSTS)
    assert result.problems == (problem,)
    assert not result.passed


def test_an_infinite_number_is_told() -> None:
    result = check_schema(costs({"share": float("inf")}), COSTS)
    assert "share: not a finite number: 1 rows, such as inf" in result.problems


def test_all_faults_are_told_at_once() -> None:
    result = check_schema(costs({"kind": "gift", "count": -1}, {"kind": "loan"}), COSTS)
    assert result.problems == (
        "kind: not allowed: 2 rows, such as gift, loan",
        "count: below 0: 1 rows, such as -1",
        "key id: 1 repeated, such as [{'id': '1'}]",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        costs({}).drop_columns(["cost"]),
        costs({}).append_column("more", pa.array(["x"])),
        costs({}).select(["kind", "id", "count", "share", "cost", "at"]),
        costs({}).set_column(5, "at", pa.array([0], pa.timestamp("us"))),
        costs({}).set_column(0, pa.field("id", STRING), pa.array(["1"])),
    ],
    ids=["missing", "surplus", "order", "time zone", "nullable"],
)
def test_other_columns_than_the_schemas_are_told(wrong: pa.Table) -> None:
    result = check_schema(wrong, COSTS)
    assert not result.passed
    assert "columns are" in result.problems[0]


def test_rows_without_identity_may_repeat() -> None:
    row = {"source_table": "messages", "reason": "malformed", "payload": "?", "row_hash": "0"}
    table = pa.Table.from_pylist([row, row], schema=QUARANTINE.arrow)
    assert check_schema(table, QUARANTINE).passed


# A label of a whole conversation is of no message, nor is the translation of its title; messages
# may be of no model and cost nothing; few figures are money.
UNTOLD = {
    "categories": {"message_id"},
    "translations": {"message_id"},
    "message_activity": {"model", "currency"},
    "daily_report": {"currency"},
    "weekly_report": {"currency"},
    "monthly_report": {"currency"},
}


@pytest.mark.parametrize("schema", TABLES.values(), ids=TABLES)
def test_keys_and_orders_name_columns_and_keys_are_never_null(schema: TableSchema) -> None:
    assert set(schema.key) | set(schema.order) <= set(schema.names)
    assert {name for name in schema.key if schema.by_name[name].nullable} == UNTOLD.get(
        schema.name, set()
    )
    assert len(set(schema.names)) == len(schema.names)


def test_what_a_source_or_a_run_says_of_itself_is_not_hashed() -> None:
    unhashed = {c.name for table in TABLES.values() for c in table.columns if not c.hashed}
    assert unhashed == {
        "source_created_at",
        "source_updated_at",
        "content_hash",
        "payload",
        "source_key",
        "workflow_run_id",
        "elapsed_seconds",
        "total_tokens",
        "error",
        "translated_at",
    }
    assert MESSAGES.by_name["content"].hashed

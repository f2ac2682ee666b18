"""Whether rows are what their schema says."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.schemas.base import Column, TableSchema

_EXAMPLES = 3


@dataclass(frozen=True)
class CheckResult:
    """What a check of a day's rows found.

    Attributes:
        table: name of the table checked.
        name: name of the check.
        passed: whether all is well.
        problems: what is wrong, in words.
        figures: the numbers it compared.
    """

    table: str
    name: str
    passed: bool
    problems: tuple[str, ...] = ()
    figures: dict[str, int] = field(default_factory=dict)


def check_schema(table: pa.Table, schema: TableSchema) -> CheckResult:
    """Check columns, types, nulls, allowed values, limits and the key of a table."""
    if not table.schema.equals(schema.arrow):
        problem = f"columns are {table.schema}, not {schema.arrow}"
        return CheckResult(schema.name, "schema", passed=False, problems=(problem,))
    problems = [
        problem
        for column in schema.columns
        for problem in _column_problems(table.column(column.name), column)
    ]
    problems += _key_problems(table, schema)
    return CheckResult(
        schema.name,
        "schema",
        passed=not problems,
        problems=tuple(problems),
        figures={"rows": table.num_rows},
    )


def _column_problems(values: pa.ChunkedArray, column: Column) -> list[str]:
    problems = []
    if not column.nullable and values.null_count:
        problems.append(f"{column.name}: {values.null_count} nulls")
    if column.allowed:
        known = pc.is_in(values, pa.array([*column.allowed, None], pa.string()))
        problems += _described(values, pc.invert(known), f"{column.name}: not allowed")
    if pa.types.is_floating(column.type):
        wrong = pc.invert(pc.is_finite(values))
        problems += _described(values, wrong, f"{column.name}: not a finite number")
    if column.minimum is not None:
        wrong = pc.less(values.cast(pa.float64()), column.minimum)
        problems += _described(values, wrong, f"{column.name}: below {column.minimum:g}")
    if column.maximum is not None:
        wrong = pc.greater(values.cast(pa.float64()), column.maximum)
        problems += _described(values, wrong, f"{column.name}: above {column.maximum:g}")
    return problems


def _described(values: pa.ChunkedArray, wrong: pa.ChunkedArray, words: str) -> list[str]:
    found = values.filter(pc.fill_null(wrong, fill_value=False))
    if not len(found):
        return []
    examples = ", ".join(str(v) for v in pc.unique(found)[:_EXAMPLES].to_pylist())
    return [f"{words}: {len(found)} rows, such as {examples}"]


def _key_problems(table: pa.Table, schema: TableSchema) -> list[str]:
    if not schema.key:
        return []
    groups = table.group_by(list(schema.key)).aggregate([([], "count_all")])
    repeated = groups.filter(pc.greater(groups["count_all"], 1))
    if not repeated.num_rows:
        return []
    examples = repeated.select(list(schema.key)).slice(0, _EXAMPLES).to_pylist()
    return [f"key {', '.join(schema.key)}: {repeated.num_rows} repeated, such as {examples}"]

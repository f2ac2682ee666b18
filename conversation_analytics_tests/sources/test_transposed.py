"""Rows transposed into columns hold what the rows hold."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.sources.transposed import Columns

NAMES = st.sampled_from(["a", "b", "c"])
ALIKE = st.lists(NAMES, unique=True).flatmap(
    lambda names: st.lists(st.fixed_dictionaries({name: st.integers() for name in names}))
)


@given(ALIKE | st.lists(st.dictionaries(NAMES, st.none() | st.integers())))
def test_a_column_has_the_value_of_each_row(rows: list[dict[str, Any]]) -> None:
    columns = Columns(rows)
    assert len(columns) == len(rows)
    for name in ("a", "b", "c", "d"):
        assert columns[name] == [row.get(name) for row in rows]
    assert columns.names is None or all(tuple(row) == columns.names for row in rows)


def test_a_column_is_a_list_of_the_callers_own() -> None:
    columns = Columns([{"a": 1}, {"a": 2}])
    columns["a"].clear()
    assert columns["a"] == [1, 2]

"""A page judged column by column is judged as each of its rows by itself."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conversation_analytics.sources import values
from conversation_analytics.sources.base import Page, SourceTable
from conversation_analytics.sources.columns import instants, judge
from conversation_analytics.sources.decode import Decoded, decode
from conversation_analytics.sources.interpret import Interpreter, Keys
from conversation_analytics.sources.mapping import DIFY, PLAIN, FieldMapping
from conversation_analytics.sources.transposed import Columns
from conversation_analytics.sources.values import Unusable
from conversation_analytics_tests.builders import (
    Row,
    conversation,
    dify_conversation,
    dify_message,
    line,
    message,
)
from conversation_analytics_tests.sources.test_interpret import interpreter

ODD: list[Any] = [
    *(None, "", " ", "x", "user", "bot", "1", "0.5", "like", "false", "perhaps", "half \ud83d"),
    *(True, False, 0, 1, -1, 7, 0.5, 1.0, -0.5, 1e12, 1e300, 2**63 - 1, 2**53, 10**400),
    *([], ["part", None], [1], {}, {"a": 1}, {"username": "u2"}, '{"username": "u3"}', "{broken"),
    *("2024-01-02", "2024-01-02 03:04:05+00:00", "2024-01-02T03:04:05.678Z", "05/06/2024"),
    *("0000-12-31 23:00:00-23:59", "9999-12-31 23:00:00-23:59", "20240102", "1704448800"),
]
CASES: list[tuple[FieldMapping, SourceTable, Row]] = [
    (PLAIN, "conversations", conversation(updated_at=None, is_deleted=False)),
    (PLAIN, "messages", message(updated_at=None, is_deleted=0, prompt_tokens=1, cost=0.1)),
    (DIFY, "conversations", dify_conversation()),
    (DIFY, "messages", dify_message()),
]


def one_by_one(reader: Interpreter, table: SourceTable, rows: Iterable[Decoded]) -> list[Any]:
    found: list[Any] = []
    for one in rows:
        try:
            keys: Keys = reader.keys(table, one)
        except Unusable as error:
            found.append((*reader.best_keys(table, one.row), error.reason, error.detail))
        else:
            found.append((*keys, None, None))
    return found


@pytest.mark.parametrize(("mapping", "table", "row"), CASES)
@pytest.mark.parametrize("kind", ["nocodb", "files"])
@given(data=st.data())
def test_a_page_is_judged_as_each_row_by_itself(
    mapping: FieldMapping, table: SourceTable, row: Row, kind: str, data: st.DataObject
) -> None:
    reader = interpreter(
        mapping,
        [row if table == "conversations" else conversation() | dify_conversation()],
        [row if table == "messages" else message() | dify_message()],
        kind=kind,
    )
    changes = st.dictionaries(st.sampled_from([*row, "error"]), st.sampled_from(ODD), max_size=2)
    changed = data.draw(st.lists(changes, max_size=4))
    body = b"\n".join(line(row | change) for change in changed)
    rows = decode(Page(table, 0, body, "jsonl"))

    judged = judge(reader, table, rows, Columns(rows.rows))

    assert list(zip(*judged, strict=True)) == one_by_one(reader, table, rows)


TIMES = st.from_regex(
    r"(0000|0001|2024|9999)-(01|02|12|13)-(01|29|31)([ T]?([0-2][0-9](:[0-6][0-9]){0,2})"
    r"(\.[0-9]{1,9})?( ?(Z|[+-][0-2][0-9](:?[0-6][0-9])?))?)?",
    fullmatch=True,
)


@given(st.lists(TIMES | st.none(), max_size=3))
@example(["0000-12-31 23:59-23:59"])
@example(["2024-01-02T24:00:00Z"])
def test_times_of_a_column_are_those_of_its_values(column: list[str | None]) -> None:
    found, refused = instants([*column])
    for place, value in enumerate(column):
        try:
            assert found[place] == values.instant(value, "created_at")
        except Unusable:
            assert place in refused


NAMES = st.sampled_from(["Id", "CreatedAt", "created", "Äpfel", 'a"b', "zz"])
CELLS = st.none() | st.integers(-9, 9) | st.text() | st.lists(st.text(), max_size=2)


@given(st.lists(st.dictionaries(NAMES, CELLS), max_size=4), st.frozensets(NAMES))
def test_a_row_is_hashed_without_the_columns_its_source_adds(
    rows: list[Row], system: frozenset[str]
) -> None:
    reader = interpreter(PLAIN, [conversation()], [message()])
    table = reader.messages.model_copy(update={"system": system})
    decoded = decode(Page("messages", 0, b"", "nocodb", rows))

    found = table.row_hashes(decoded, Columns(rows), [None] * len(rows))
    whole = table.row_hashes(decoded, Columns(rows), ["wrong_type"] * len(rows))

    def hashed(row: Row) -> str:
        text = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
        return blake2b(text, digest_size=16).hexdigest()

    own = [{name: cell for name, cell in row.items() if name not in system} for row in rows]
    assert found == [hashed(row) for row in own]
    assert whole == [hashed(row) for row in rows]

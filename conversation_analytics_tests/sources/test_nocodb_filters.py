"""Filters as text: the fast grammar where it can carry them, the quoting one where it must."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from conversation_analytics.errors import SourceSchemaError
from conversation_analytics.sources.nocodb import filters
from conversation_analytics.sources.nocodb.filters import Filter

BANGKOK = timezone(timedelta(hours=7))


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (filters.compare("Id", "gt", 5), "(Id,gt,5)"),
        (
            filters.every(filters.compare("Id", "lte", 9), filters.compare("Id", "gt", 5)),
            "(Id,lte,9)~and(Id,gt,5)",
        ),
        (filters.one_of("id", ["a-1"]), "(id,eq,a-1)"),
        (filters.one_of("id", ["a-1", "b 2"]), "(id,in,a-1,b 2)"),
        (filters.one_of("id", ["a,1", "b"]), '@(id,in,"a,1",b)'),
        (filters.one_of("id", ['a"1', "it's"]), """@(id,in,'a"1',"it's")"""),
        (filters.compare("code", "gt", " led"), '@(code,gt," led")'),
        (filters.compare("code", "gt", "trailing "), '@(code,gt,"trailing ")'),
        (filters.compare("code", "gt", "null"), '@(code,gt,"null")'),
        (filters.compare("code", "gt", "日本"), '@(code,gt,"日本")'),
        (filters.compare("a (b)", "gt", 1), '@("a (b)",gt,1)'),
        # what no quotes can hold still fits the grammar that has none
        (filters.compare("code", "gt", "q\"and'q"), "(code,gt,q\"and'q)"),
        (filters.compare("code", "eq", "ends\\"), "(code,eq,ends\\)"),
        (
            filters.at("t", "gte", datetime(2024, 1, 1, 7, tzinfo=BANGKOK)),
            "(t,gte,exactDate,2024-01-01 00:00:00)",
        ),
        (
            filters.either(filters.compare("a", "eq", 1), filters.blank("a")),
            "@(a,eq,1)~or(a,blank)",
        ),
        (
            filters.first_with_value(["a", "b"], lambda name: filters.compare(name, "eq", 1)),
            "@(a,eq,1)~or((a,blank)~and(b,eq,1))",
        ),
        (
            filters.every(
                filters.first_with_value(
                    ["a"], lambda name: filters.compare(name, "eq", 1), or_none=True
                ),
                filters.compare("Id", "gt", 5),
            ),
            "@((a,eq,1)~or(a,blank))~and(Id,gt,5)",
        ),
    ],
)
def test_a_filter_is_written_in_the_simplest_grammar_that_carries_it(
    wanted: Filter, text: str
) -> None:
    assert filters.render(wanted) == text


@pytest.mark.parametrize(
    "wanted",
    [
        filters.compare("code", "gt", "'\"~and(x"),
        filters.compare("code", "gt", "'\"((x"),
        filters.compare("code", "gt", ""),
        filters.compare("a'\"", "gt", 1),
        filters.either(filters.compare("code", "eq", "'\""), filters.blank("code")),
    ],
)
def test_what_no_grammar_can_carry_is_a_clear_error(wanted: Filter) -> None:
    with pytest.raises(SourceSchemaError, match="cannot express the value"):
        filters.render(wanted)


def test_times_are_written_in_utc() -> None:
    clause = filters.at("t", "lt", datetime(2024, 1, 1, tzinfo=UTC))
    assert clause.values == ("exactDate", "2024-01-01 00:00:00")

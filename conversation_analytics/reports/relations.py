"""What happened in a period: the relations that metrics are defined over, in DuckDB.

    conversations ─┬─> conversations ──> spending
    summaries ─────┤
    activity ──────┴─> activity ──> times
    first days ────────────┘

`schemas.metric.RELATIONS` says what their rows are. Those of `COUNTED` have `conversation_id`,
`user_id`, the local `day` on which the row counts, their `place` from 0 on, and a column for each
dimension (`column_of`), never null: `NONE` where the source has no value, `UNKNOWN` where a label
was withheld. The others have the `place` of the row that theirs is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.periods import Period
from conversation_analytics.reports.database import computing
from conversation_analytics.schemas import CATEGORY_SUMMARIES, CONVERSATIONS, MESSAGE_ACTIVITY
from conversation_analytics.schemas.metric import Relation
from conversation_analytics.settings import FIXED_DIMENSIONS
from conversation_analytics.transforms.activity import local_days

NONE: Final = "(none)"
UNKNOWN: Final = "unknown"

COUNTED: Final[tuple[Relation, ...]] = ("conversations", "activity")
"""The relations that all others are made of: in which users are counted."""

DIMENSIONS: Final = FIXED_DIMENSIONS
"""The dimensions there always are; REPORT_DIMENSIONS adds attributes of conversations."""

FIRST_DAYS: Final = pa.schema([("user_id", pa.string()), ("first_day", pa.date32())])
"""The local day of each user's first message ever."""

# A conversation that cost several currencies has its sums in its attributes.
_SPENDING: Final = """
    SELECT place, currency, cost FROM conversations WHERE cost IS NOT NULL
    UNION ALL
    SELECT
        place, nullif(part.key, 'None') AS currency,
        TRY_CAST(part.value AS DECIMAL(20, 8)) AS cost
    FROM (
        SELECT place, unnest(map_entries(
            from_json(attributes -> '/cost_by_currency', '"MAP(VARCHAR, VARCHAR)"')
        )) AS part
        FROM conversations
        WHERE cost IS NULL AND contains(attributes, '"cost_by_currency"')
    )
"""
# Two lists side by side, the shorter one filled up with nulls: each time is there once.
_TIMES: Final = """
    SELECT place, unnest(latency_ms) AS latency_ms, unnest(response_seconds) AS response_seconds
    FROM activity
"""
SOURCES: Final[dict[Relation, str]] = {
    "conversations": "conversations",
    "spending": f"({_SPENDING})",
    "activity": "activity",
    "times": f"({_TIMES})",
}
"""What to select relations from."""

READ: Final[dict[str, list[str]]] = {
    CONVERSATIONS.name: [
        "started_at",
        "conversation_id",
        "user_id",
        "channel",
        "status",
        "model",
        "language",
        "message_count",
        "user_message_count",
        "duration_seconds",
        "first_response_seconds",
        "total_tokens",
        "cost",
        "currency",
        "feedback_score",
        "escalated",
        "attributes",
    ],
    CATEGORY_SUMMARIES.name: [
        "conversation_id",
        "language",
        "topic",
        "intent",
        "sentiment",
        "sentiment_score",
        "sentiment_change",
    ],
    MESSAGE_ACTIVITY.name: [
        "activity_day",
        "conversation_id",
        "user_id",
        "role",
        "model",
        "currency",
        "messages",
        "errors",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "cost",
        "latency_ms",
        "response_seconds",
    ],
}
"""The columns that relations are made of, by table."""


def relations_of(
    period: Period,
    timezone: str,
    dimensions: Sequence[str],
    *,
    conversations: pa.Table,
    summaries: pa.Table,
    activity: pa.Table,
    first_days: pa.Table,
) -> dict[Relation, pa.Table]:
    """The relations of `COUNTED` of a period. In DuckDB, all are selected from `SOURCES`.

    Args:
        period: what is reported; rows of other days count for nothing.
        timezone: whose local days are meant, an IANA name.
        dimensions: names of `DIMENSIONS`, and of attributes of conversations.
        conversations: those that started in the period and those that any of its messages belong
            to, one row each, as `schemas.CONVERSATIONS`.
        summaries: theirs, as `schemas.CATEGORY_SUMMARIES`; of one that is not categorised, none.
        activity: as `schemas.MESSAGE_ACTIVITY`.
        first_days: a table of `FIRST_DAYS`; users who are not there are new.
    """
    made = activity.select(READ[MESSAGE_ACTIVITY.name])
    made = made.filter(within(made["activity_day"], period))
    described = _described(conversations, summaries, made, timezone, period, dimensions)
    return {
        "conversations": _numbered(described.filter(within(described["day"], period))),
        "activity": _numbered(_made(made, described, first_days, period, dimensions)),
    }


def column_of(dimension: str, dimensions: Sequence[str]) -> str:
    """The column of a relation that holds a dimension's values."""
    return f"by_{dimensions.index(dimension)}"


def attribute(path: str, conversation: str = "") -> str:
    """A conversation's value of an attribute, in SQL.

    Args:
        path: `attribute_path`, in SQL.
        conversation: the table's name and a dot, if there are several tables.
    """
    return f"coalesce(nullif({conversation}attributes ->> {path}, ''), '{NONE}')"


def attribute_path(name: str) -> str:
    """Where an attribute is: a JSON pointer (RFC 6901)."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def within(days: pa.ChunkedArray, period: Period) -> pa.ChunkedArray:
    """Which days are of a period."""
    first, last = pa.scalar(period.first, pa.date32()), pa.scalar(period.last, pa.date32())
    return pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last))


def _described(
    conversations: pa.Table,
    summaries: pa.Table,
    activity: pa.Table,
    timezone: str,
    period: Period,
    dimensions: Sequence[str],
) -> pa.Table:
    """The conversations that matter with their labels and values."""
    days = local_days(conversations["started_at"], timezone)
    given = conversations.select(READ[CONVERSATIONS.name]).append_column("day", days)
    went_on = pc.is_in(given["conversation_id"], activity["conversation_id"].combine_chunks())
    given = given.filter(pc.or_(went_on, within(days, period)))
    given = given.rename_columns({"language": "declared_language"})
    # Looked up by Arrow, which takes a tenth of the time of joining texts in DuckDB.
    known = summaries["conversation_id"].combine_chunks()
    place = pc.index_in(given["conversation_id"], known)
    for name in READ[CATEGORY_SUMMARIES.name]:
        if name != "conversation_id":
            given = given.append_column(name, summaries[name].take(place))
    given = given.append_column("categorised", pc.is_valid(place))
    attributes = _attributes(given, [name for name in dimensions if name not in DIMENSIONS])
    for name in dimensions:
        values = attributes[name] if name in attributes else _values(given, name)
        given = given.append_column(column_of(name, dimensions), values)
    return given


def _made(
    activity: pa.Table,
    described: pa.Table,
    first_days: pa.Table,
    period: Period,
    dimensions: Sequence[str],
) -> pa.Table:
    """Activity with who is new, and the values of its conversations; but its own model.

    What a user writes is to whatever model the conversation is with.
    """
    known = pc.index_in(activity["user_id"], first_days["user_id"].combine_chunks())
    first = first_days["first_day"].take(known)
    is_new = pc.fill_null(pc.greater_equal(first, pa.scalar(period.first, pa.date32())), True)
    found = activity.rename_columns({"activity_day": "day"}).append_column("is_new", is_new)
    place = pc.index_in(activity["conversation_id"], described["conversation_id"].combine_chunks())
    for name in dimensions:
        column = column_of(name, dimensions)
        values = described[column].take(place)
        if name == "model":
            asked = pc.if_else(pc.equal(activity["role"], "user"), values, None)
            values = pc.coalesce(_said(activity["model"]), asked)
        found = found.append_column(column, pc.fill_null(values, NONE))
    return found


def _numbered(table: pa.Table) -> pa.Table:
    return table.append_column("place", pa.array(np.arange(len(table))))


def _values(described: pa.Table, dimension: str) -> pa.ChunkedArray:
    """Each conversation's value of one of `DIMENSIONS`."""
    unlabelled = pc.if_else(described["categorised"], UNKNOWN, NONE)
    if dimension == "language":
        declared = _said(described["declared_language"])
        return pc.coalesce(_said(described["language"]), declared, unlabelled)
    if dimension in ("topic", "intent", "sentiment"):
        return pc.coalesce(_said(described[dimension]), unlabelled)
    return pc.fill_null(_said(described[dimension]), NONE)


def _attributes(described: pa.Table, names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    """Each conversation's values of some attributes."""
    if not names:
        return {}
    values = [attribute(f"'{_quoted(attribute_path(name))}'") for name in names]
    with computing(given=described) as db:
        told = db.execute(f"SELECT {', '.join(values)} FROM given").to_arrow_table()  # noqa: S608
    return dict(zip(names, told.columns, strict=True))


def _said(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts, null where empty."""
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _quoted(text: str) -> str:
    """A text inside the quotes of SQL."""
    return text.replace("'", "''")

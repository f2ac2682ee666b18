"""What happened in a period: relations in DuckDB that metrics and comparisons are computed over.

    conversations ─┬─> conversations ──> spending
    summaries ─────┤
    activity ──────┴─> activity ──> times
    first days ────────────┘

Every relation (`schemas.metric.RELATIONS`) has `conversation_id`, `user_id`, the local `day` on
which its row counts, and a column for each dimension (`Facts.column`), never null: `NONE` where
the source has no value, `UNKNOWN` where a label was withheld.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

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

CELLS: Final = pa.schema(
    [
        pa.field("dimension", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("relation", pa.string(), nullable=False),
        pa.field("user_id", pa.string()),
    ]
)
"""Who has which value of which dimension on which day, in which relation."""

LABELS: Final = pa.schema(
    [
        pa.field("dimension", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("label", pa.string()),
    ]
)
"""What a value of a dimension is shown as on a day."""

_DESCRIBED: Final = """
    SELECT
        c.*, s.* EXCLUDE (conversation_id),
        s.conversation_id IS NOT NULL AS categorised,
        {dimensions}
    FROM given_conversations c LEFT JOIN given_summaries s USING (conversation_id)
"""
_ACTIVITY: Final = """
    SELECT
        a.* EXCLUDE (activity_day), a.activity_day AS day,
        coalesce(f.first_day >= $first, true) AS is_new,
        {dimensions}
    FROM given_activity a
    LEFT JOIN described c USING (conversation_id)
    LEFT JOIN given_first_days f ON f.user_id = a.user_id
    WHERE a.activity_day BETWEEN $first AND $last
"""
# A conversation that cost several currencies has its sums in its attributes.
_SPENDING: Final = """
    CREATE TEMP VIEW spending AS
    SELECT conversation_id, user_id, day, currency, cost, {dimensions}
    FROM conversations
    WHERE cost IS NOT NULL
    UNION ALL
    SELECT conversation_id, user_id, day,
        nullif(part.key, 'None') AS currency, TRY_CAST(part.value AS DECIMAL(20, 8)) AS cost,
        {dimensions}
    FROM (
        SELECT *, unnest(map_entries(
            from_json(attributes -> '/cost_by_currency', '"MAP(VARCHAR, VARCHAR)"')
        )) AS part
        FROM conversations
        WHERE cost IS NULL AND contains(attributes, '"cost_by_currency"')
    )
"""
# Two lists side by side, the shorter one filled up with nulls: each time is there once.
_TIMES: Final = """
    CREATE TEMP VIEW times AS
    SELECT conversation_id, user_id, day, {dimensions},
        unnest(latency_ms) AS latency_ms, unnest(response_seconds) AS response_seconds
    FROM activity
    WHERE len(latency_ms) + len(response_seconds) > 0
"""
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


@dataclass(frozen=True)
class Facts:
    """The relations of a period.

    Attributes:
        db: where they are tables, by their names.
        period: the period.
        dimensions: by which its rows can be told apart.
        raw: the relations of `COUNTED`, by the values of the source.
        relations: the same, by labels as soon as there are any.
        answers: to what was asked, by query.
    """

    db: duckdb.DuckDBPyConnection
    period: Period
    dimensions: tuple[str, ...]
    raw: dict[Relation, pa.Table] = field(default_factory=dict)
    relations: dict[Relation, pa.Table] = field(default_factory=dict)
    answers: dict[str, pa.Table] = field(default_factory=dict)

    def column(self, dimension: str) -> str:
        """The column in every relation that holds a dimension's values."""
        return f"by_{self.dimensions.index(dimension)}"

    @property
    def columns(self) -> list[str]:
        """The columns of all dimensions, in their order."""
        return [self.column(dimension) for dimension in self.dimensions]

    def create(self) -> None:
        """Make the relations of the tables that `facts_of` is given."""
        values = [f"{_value(name)} AS {self.column(name)}" for name in self.dimensions]
        own = [
            f"coalesce({_own(name, self)}, '{NONE}') AS {self.column(name)}"
            for name in self.dimensions
        ]
        first, last = self.period.first, self.period.last
        described = self.db.execute(_DESCRIBED.format(dimensions=", ".join(values)))
        conversations = described.to_arrow_table()
        self.db.register("described", conversations)
        activity = self.db.execute(
            _ACTIVITY.format(dimensions=", ".join(own)), {"first": first, "last": last}
        )
        self.raw["activity"] = activity.to_arrow_table()
        self.db.unregister("described")
        days = conversations["day"]
        started = pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last))
        self.raw["conversations"] = conversations.filter(started)
        for relation in COUNTED:
            self._use(relation, self.raw[relation])
        for view in (_SPENDING, _TIMES):
            self.db.execute(view.format(dimensions=", ".join(self.columns)))

    def asked(self, query: str) -> pa.Table:
        """The answer to a query, asked once: a period is compared with two others."""
        if query not in self.answers:
            self.answers[query] = self.db.execute(query).to_arrow_table()
        return self.answers[query]

    def cells(self) -> pa.Table:
        """Who has which value when, by the values of the source: a table of `CELLS`.

        Whoever has a value several times may be there several times.
        """
        parts = [
            _cells(self.raw[relation], dimension, self.column(dimension), relation)
            for relation in COUNTED
            for dimension in self.dimensions
        ]
        return pa.concat_tables(parts)

    def label(self, labels: pa.Table) -> None:
        """Let the relations have labels in place of values, from now on.

        Rows have null in place of a value that the labels leave out, or whose label is null: they
        count in the whole of the period and nowhere else.

        Args:
            labels: a table of `LABELS`, no value twice on a day.
        """
        own = {
            dimension: labels.filter(pc.equal(labels["dimension"], dimension))
            for dimension in self.dimensions
        }
        for relation in COUNTED:
            table = self.raw[relation]
            for dimension, some in own.items():
                column = self.column(dimension)
                labelled = _labelled(table[column], table["day"], some)
                place = table.schema.get_field_index(column)
                table = table.set_column(place, column, labelled)
            self._use(relation, table)
        self.answers.clear()

    def _use(self, relation: Relation, table: pa.Table) -> None:
        self.relations[relation] = table
        self.db.register(relation, table)


@contextmanager
def facts_of(
    period: Period,
    timezone: str,
    *,
    conversations: pa.Table,
    summaries: pa.Table,
    activity: pa.Table,
    first_days: pa.Table,
    attributes: Sequence[str] = (),
) -> Iterator[Facts]:
    """The relations of a period.

    Args:
        period: what is reported; rows of other days count for nothing.
        timezone: whose local days are meant, an IANA name.
        conversations: those that started in the period and those that any of its messages belong
            to, one row each, as `schemas.CONVERSATIONS`.
        summaries: theirs, as `schemas.CATEGORY_SUMMARIES`; of one that is not categorised, none.
        activity: as `schemas.MESSAGE_ACTIVITY`.
        first_days: a table of `FIRST_DAYS`; users who are not there are new.
        attributes: names of attributes of conversations that are dimensions too.
    """
    dimensions = tuple(dict.fromkeys((*DIMENSIONS, *attributes)))
    days = local_days(conversations["started_at"], timezone)
    described = conversations.select(READ[CONVERSATIONS.name]).append_column("day", days)
    with computing(
        given_conversations=described.rename_columns({"language": "declared_language"}),
        given_summaries=summaries.select(READ[CATEGORY_SUMMARIES.name]),
        given_activity=activity.select(READ[MESSAGE_ACTIVITY.name]),
        given_first_days=first_days,
    ) as db:
        facts = Facts(db, period, dimensions)
        facts.create()
        yield facts


def _cells(values: pa.Table, dimension: str, column: str, relation: Relation) -> pa.Table:
    same = [pa.repeat(text, len(values)) for text in (dimension, relation)]
    columns = [same[0], values[column], values["day"], same[1], values["user_id"]]
    return pa.Table.from_arrays(columns, schema=CELLS)


def _labelled(values: pa.ChunkedArray, days: pa.ChunkedArray, labels: pa.Table) -> pa.Array:
    """The label of each value on its day.

    Args:
        values: of a dimension.
        days: of each, the day.
        labels: a table of `LABELS`, of this dimension.
    """
    (names, value), (dates, day) = (_numbered(column) for column in (values, days))
    wanted = [pc.index_in(labels["value"], names), pc.index_in(labels["day"], dates)]
    at_value, at_day = (pc.fill_null(number, -1).to_numpy() for number in wanted)
    there = (at_value >= 0) & (at_day >= 0)
    place = np.full((len(names), len(dates)), -1)
    place[at_value[there], at_day[there]] = np.flatnonzero(there)
    found = place[value, day]
    return labels["label"].combine_chunks().take(pa.array(found, mask=found < 0))


def _numbered(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.int32]]:
    """The values there are, and the number of each row's."""
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy()


def _value(dimension: str) -> str:
    """A conversation's value of a dimension, in SQL."""
    if dimension == "language":
        return f"coalesce(nullif(s.language, ''), nullif(c.declared_language, ''), {_unlabelled()})"
    if dimension in ("topic", "intent", "sentiment"):
        return f"coalesce(nullif(s.{dimension}, ''), {_unlabelled()})"
    if dimension in DIMENSIONS:
        return f"coalesce(nullif(c.{dimension}, ''), '{NONE}')"
    path = _quoted("/" + dimension.replace("~", "~0").replace("/", "~1"))
    return f"coalesce(nullif(c.attributes ->> '{path}', ''), '{NONE}')"


def _unlabelled() -> str:
    return f"CASE WHEN s.conversation_id IS NULL THEN '{NONE}' ELSE '{UNKNOWN}' END"


def _own(dimension: str, facts: Facts) -> str:
    """An activity row's value: that of its conversation, but its own model."""
    return "nullif(a.model, '')" if dimension == "model" else f"c.{facts.column(dimension)}"


def _quoted(text: str) -> str:
    """A text inside the quotes of SQL."""
    return text.replace("'", "''")

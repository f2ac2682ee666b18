"""Why a topic or intent grew or shrank, told from the conversations themselves.

Whoever may read single conversations is shown this, so nothing is pooled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from conversation_analytics.api.deadline import Deadline
from conversation_analytics.api.services import Services
from conversation_analytics.periods import Period
from conversation_analytics.reports.arrays import Numbers
from conversation_analytics.reports.decomposition import Both, Draws, Estimate, holm
from conversation_analytics.reports.page import charts, numbers

_ROWS: Final = 5
# The expressions that reports use, over the rows that conversations are searched in.
_DIMENSIONS: Final = {
    "topic": "coalesce(nullif(c.categories.topic, ''), 'unknown')",
    "intent": "coalesce(nullif(c.categories.intent, ''), 'unknown')",
    "language": "coalesce(nullif(c.categories.language, ''), nullif(c.language, ''), 'unknown')",
    "sentiment": "coalesce(nullif(c.categories.sentiment, ''), 'unknown')",
    "channel": "coalesce(nullif(c.channel, ''), '(none)')",
    "model": "coalesce(nullif(c.model, ''), '(none)')",
}
_READ: Final = ("conversation_id", "user_id", "channel", "model", "language", "categories")
# One user is one draw; a conversation of nobody is one by itself.
_WHO: Final = "coalesce('u' || c.user_id, 'c' || c.conversation_id)"


@dataclass(frozen=True)
class Reason:
    """What a value of another dimension has to do with the change.

    Attributes:
        sure: whether that can be told from chance, all values of the dimension being looked at.
    """

    value: str
    now: int
    before: int
    change: str
    sure: bool
    drawing: Markup


@dataclass(frozen=True)
class Why:
    """What a change is made of.

    Attributes:
        now: conversations of the period.
        before: those of the period before.
        users: who had them.
        users_before: who had those of before.
        by: by dimension, the values that did most.
    """

    now: int
    before: int
    users: int
    users_before: int
    by: dict[str, list[Reason]]

    @property
    def clear(self) -> list[tuple[str, Reason]]:
        """What can be told from chance."""
        return [(name, one) for name, ones in self.by.items() for one in ones if one.sure]


def why(services: Services, period: Period, dimension: str, value: str, deadline: Deadline) -> Why:
    """What the change of a value's conversations since the period before is made of.

    Raises:
        Problem: a day is damaged, or it took too long.
    """
    tables = [
        _rows(services, one, dimension, value, deadline) for one in (period, period.previous())
    ]
    is_now = np.arange(sum(len(one) for one in tables)) < len(tables[0])
    table = pa.concat_tables(tables)
    users = _numbered(table["who"])[1]
    others = [name for name in _DIMENSIONS if name != dimension]
    return Why(
        now=len(tables[0]),
        before=len(tables[1]),
        users=len(np.unique(users[is_now])),
        users_before=len(np.unique(users[~is_now])),
        by={name: _reasons(table[name], users, is_now) for name in others},
    )


def _rows(
    services: Services, period: Period, dimension: str, value: str, deadline: Deadline
) -> pa.Table:
    """Who had the value's conversations, and their values of all dimensions."""
    days = [
        table.select(_READ)
        for day in services.reader.days(period.first, period.last)
        if (table := services.reader.conversations(day)) is not None
    ]
    columns = ", ".join(f"{sql} AS {name}" for name, sql in _DIMENSIONS.items())
    if not days:
        names = ("who", *_DIMENSIONS)
        return pa.table({name: pa.array([], pa.string()) for name in names})
    sql = f"SELECT {_WHO} AS who, {columns} FROM c WHERE {_DIMENSIONS[dimension]} = ?"  # noqa: S608
    return services.database.query(sql, [value], {"c": pa.concat_tables(days)}, deadline)


def _reasons(column: pa.ChunkedArray, users: Numbers, is_now: np.ndarray) -> list[Reason]:
    """The values of a dimension that did most."""
    labels, groups = _numbered(column)
    if len(labels) < 2:
        return []
    draws = Draws(users[is_now], users[~is_now], groups[None], len(labels))
    ones = Both(*(np.ones(own.sum()) for own in (is_now, ~is_now)))
    parts = [part.contribution for part in draws.volume(ones)]
    told = holm([1.0 if part.p is None else part.p for part in parts])
    counts = np.bincount(groups[is_now], minlength=len(labels))
    most = sorted(range(len(labels)), key=lambda n: (-abs(parts[n].value), labels[n]))[:_ROWS]
    reach = max(abs(end) for n in most for end in _ends(parts[n]))
    return [
        Reason(
            value=labels[n],
            now=int(counts[n]),
            before=int(counts[n] - parts[n].value),
            change=numbers.signed(parts[n].value),
            sure=told[n],
            drawing=charts.swing(
                parts[n].value, reach, parts[n].interval, "accent" if told[n] else "noise"
            ),
        )
        for n in most
    ]


def _ends(part: Estimate) -> Sequence[float]:
    return (part.value, *(part.interval or ()))


def _numbered(column: pa.ChunkedArray) -> tuple[list[str], Numbers]:
    """The values there are, and the number of each row's."""
    encoded = pc.dictionary_encode(column).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # of nothing
        return [], np.zeros(0, dtype=np.int64)
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)

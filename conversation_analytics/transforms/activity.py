"""Messages summed up by the local day they were made on: what reports read instead of them."""

from __future__ import annotations

from datetime import date
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.partitions import DayCalendar
from conversation_analytics.schemas.message_activity import MESSAGE_ACTIVITY

_READ: Final = (
    "conversation_id",
    "user_id",
    "role",
    "model",
    "currency",
    "error",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "escalated",
    "latency_ms",
    "response_seconds",
)
_SUMMED: Final = """
    SELECT
        activity_day, conversation_id, min(user_id) AS user_id, role, model, currency,
        count(*) AS messages,
        count(error) AS errors,
        sum(prompt_tokens)::BIGINT AS prompt_tokens,
        sum(completion_tokens)::BIGINT AS completion_tokens,
        coalesce(sum(prompt_tokens) + sum(completion_tokens),
                 sum(prompt_tokens), sum(completion_tokens))::BIGINT AS total_tokens,
        sum(cost) AS cost,
        bool_or(escalated) AS escalated,
        min(made_at) AS first_at,
        max(made_at) AS last_at,
        coalesce(list_sort(list(latency_ms) FILTER (latency_ms IS NOT NULL)), []) AS latency_ms,
        coalesce(list_sort(list(response_seconds) FILTER (response_seconds IS NOT NULL)), [])
            AS response_seconds
    FROM messages
    GROUP BY activity_day, conversation_id, role, model, currency
    ORDER BY activity_day, conversation_id, role, model NULLS LAST, currency NULLS LAST
"""


def message_activity(messages: pa.Table, timezone: str) -> pa.Table:
    """The messages of a day's conversations, summed up by the local day they were made on.

    Args:
        messages: a table of `schemas.MESSAGES`, or its columns that are summed up.
        timezone: whose local days are meant, an IANA name.

    Returns:
        A table of `schemas.MESSAGE_ACTIVITY`, in file order: the same whatever the order of the
        messages.
    """
    created = messages["created_at"]
    read = messages.select(list(_READ))
    read = read.append_column("activity_day", local_days(created, timezone))
    read = read.append_column("made_at", created.cast(pa.int64()))
    with duckdb.connect(config={"threads": 1}) as db:
        db.register("messages", read)
        summed = db.execute(_SUMMED).to_arrow_table()
    return summed.select(MESSAGE_ACTIVITY.names).cast(MESSAGE_ACTIVITY.arrow)


def local_days(times: pa.ChunkedArray, timezone: str) -> pa.Array:
    """The local day of each time, as a date.

    Args:
        times: UTC timestamps in microseconds, none of them null.
        timezone: whose local days are meant, an IANA name.
    """
    if not len(times):
        return pa.array([], pa.date32())
    calendar = DayCalendar(timezone, date(1970, 1, 1))
    ends = pc.min_max(times).as_py()
    first, last = (calendar.day_of(ends[end]) for end in ("min", "max"))
    numbers = DayCalendar(timezone, first).numbers(times.cast(pa.int64()).to_numpy(), last=last)
    return pa.array((numbers + calendar.number(first)).astype(np.int32), pa.int32()).cast(
        pa.date32()
    )

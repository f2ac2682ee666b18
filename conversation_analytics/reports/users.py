"""What each user did: a state for each day, and the sums over all of them.

    message_activity, conversations, category_summaries ─> user_days ─> user_analytics

A changed day is one new state; the sums read states alone, never messages.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.reports.database import computing
from conversation_analytics.schemas import USER_ANALYTICS, USER_DAYS
from conversation_analytics.schemas.base import TableSchema
from conversation_analytics.schemas.users import DAY
from conversation_analytics.storage.encoding import row_hashes

NEW_DAYS: Final = 7
"""A user is new for so many days from the first message on, counted back from the lake's last."""
_ROWS_AT_ONCE: Final = 200_000  # of states, summed up at once

_USER_DAYS = """
WITH said AS (
    SELECT user_id,
        sum(messages) FILTER (role = 'user') AS user_messages,
        sum(errors) AS errors, sum(prompt_tokens) AS prompt_tokens,
        sum(completion_tokens) AS completion_tokens, sum(total_tokens) AS total_tokens,
        list_sort(list(DISTINCT activity_day) FILTER (role = 'user')) AS active_days
    FROM message_activity GROUP BY ALL
), paid AS (
    SELECT user_id, list({'currency': currency, 'cost': cost, 'messages': messages}
        ORDER BY currency) AS costs
    FROM (
        SELECT user_id, currency, sum(cost) AS cost, sum(messages) AS messages
        FROM message_activity WHERE cost IS NOT NULL GROUP BY ALL
    ) GROUP BY ALL
), about AS (
    SELECT user_id, list({'topic': topic, 'conversations': conversations} ORDER BY topic) AS topics
    FROM (
        SELECT user_id, topic, count(*) AS conversations
        FROM conversations JOIN category_summaries USING (conversation_id),
            unnest(topics) AS _(topic)
        GROUP BY ALL
    ) GROUP BY ALL
), had AS (
    SELECT user_id, min(started_at) AS first_seen, max(ended_at) AS last_seen,
        count(*) AS conversations, sum(message_count) AS messages,
        count_if(escalated) AS escalations,
        coalesce(fsum(sentiment_score), 0) AS sentiment_sum,
        count(sentiment_score) AS sentiment_count,
        coalesce(fsum(feedback_score), 0) AS feedback_sum, count(feedback_score) AS feedback_count
    FROM conversations LEFT JOIN category_summaries USING (conversation_id)
    WHERE user_id IS NOT NULL GROUP BY ALL
)
SELECT had.* REPLACE (round(sentiment_sum, 9) AS sentiment_sum, round(feedback_sum, 9)
        AS feedback_sum),
    coalesce(user_messages, 0) AS user_messages, coalesce(errors, 0) AS errors,
    coalesce(prompt_tokens, 0) AS prompt_tokens,
    coalesce(completion_tokens, 0) AS completion_tokens,
    coalesce(total_tokens, 0) AS total_tokens,
    coalesce(active_days, []) AS active_days, coalesce(costs, []) AS costs,
    coalesce(topics, []) AS topics
FROM had LEFT JOIN said USING (user_id) LEFT JOIN paid USING (user_id)
    LEFT JOIN about USING (user_id)
ORDER BY user_id
"""

_USERS = """
WITH states AS (FROM user_days WHERE {which}), paid AS (
    SELECT user_id, arg_min(currency, (-messages, currency)) AS currency,
        arg_min(cost, (-messages, currency)) AS total_cost,
        to_json(map_from_entries(
            list((coalesce(currency, ''), cost::VARCHAR) ORDER BY currency)
        ))::VARCHAR AS costs
    FROM (
        SELECT user_id, one.currency AS currency, sum(one.cost)::DECIMAL(20, 8) AS cost,
            sum(one.messages) AS messages
        FROM states, unnest(costs) AS _(one) GROUP BY ALL
    ) GROUP BY ALL
), about AS (
    SELECT user_id, list(topic ORDER BY conversations DESC, topic)[:5] AS top_topics
    FROM (
        SELECT user_id, one.topic AS topic, sum(one.conversations) AS conversations
        FROM states, unnest(topics) AS _(one) GROUP BY ALL
    ) GROUP BY ALL
), wrote AS (
    SELECT user_id, min(day) AS first_active_day, max(day) AS last_active_day,
        count(DISTINCT day) AS active_days
    FROM (SELECT user_id, unnest(active_days) AS day FROM states) GROUP BY ALL
), sums AS (
    SELECT user_id, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
        sum(conversations) AS conversations, sum(messages) AS messages,
        sum(user_messages) AS user_messages, sum(escalations) AS escalations,
        sum(errors) AS errors, sum(prompt_tokens) AS prompt_tokens,
        sum(completion_tokens) AS completion_tokens, sum(total_tokens) AS total_tokens,
        round(fsum(sentiment_sum) / nullif(sum(sentiment_count), 0), 6) AS avg_sentiment,
        round(fsum(feedback_sum) / nullif(sum(feedback_count), 0), 6) AS avg_feedback
    FROM states GROUP BY ALL
)
SELECT sums.*, first_active_day, last_active_day, coalesce(active_days, 0) AS active_days,
    messages / conversations AS avg_messages_per_conversation,
    coalesce(top_topics, []) AS top_topics, total_cost, currency, coalesce(costs, '{{}}') AS costs
FROM sums LEFT JOIN wrote USING (user_id) LEFT JOIN paid USING (user_id)
    LEFT JOIN about USING (user_id)
ORDER BY user_id
"""


def user_days(
    message_activity: pa.Table, conversations: pa.Table, category_summaries: pa.Table
) -> pa.Table:
    """A day's row of each user, with the columns of `USER_DAYS`.

    Conversations without a user are left out.

    Args:
        message_activity: of the day's messages.
        conversations: that started on the day.
        category_summaries: of these conversations.
    """
    with computing(
        message_activity=message_activity,
        conversations=conversations,
        category_summaries=category_summaries,
    ) as db:
        return _as(USER_DAYS, db.sql(_USER_DAYS))


def user_analytics(states: pa.Table) -> pa.Table:
    """Every user over all days, with the columns of `USER_ANALYTICS`.

    Args:
        states: the rows of `USER_DAYS` of all days.
    """
    newest = _newest(pc.list_flatten(states["active_days"]))
    parts = -(-len(states) // _ROWS_AT_ONCE)
    with computing(user_days=states) as db:
        found = [_users(db, f"hash(user_id) % {parts} = {part}", newest) for part in range(parts)]
    return pa.concat_tables([USER_ANALYTICS.empty(), *found]).sort_by("user_id")


def users_changed(before: pa.Table, changed: pa.Array, states: pa.Table) -> pa.Table:
    """Every user over all days, as `user_analytics`, where only some users have changed.

    Args:
        before: what it was.
        changed: the users that changed.
        states: theirs, of all days.
    """
    others = before.filter(pc.invert(pc.is_in(before["user_id"], changed)))
    days = [others["last_active_day"], pc.list_flatten(states["active_days"])]
    chunks = [chunk for column in days for chunk in column.chunks]
    newest = _newest(pa.chunked_array(chunks, DAY))
    with computing(user_days=states) as db:
        found = _users(db, "true", newest)
    return pa.concat_tables([_aged(others, newest), found]).sort_by("user_id")


def _users(db: duckdb.DuckDBPyConnection, which: str, newest: date | None) -> pa.Table:
    """Some users of `user_days` over all days."""
    query = _USERS.format(which=which)
    return _hashed(_with_new(_as(USER_ANALYTICS, db.sql(query)), newest))


def _aged(users: pa.Table, newest: date | None) -> pa.Table:
    """Users as they were, but new only if they still are."""
    now = _with_new(users, newest)
    same = pc.equal(now["is_new"], users["is_new"])
    return pa.concat_tables([users.filter(same), _hashed(now.filter(pc.invert(same)))])


def _with_new(users: pa.Table, newest: date | None) -> pa.Table:
    """Users with `is_new` as of the last day on which anybody wrote."""
    if newest is None:
        is_new: Any = pa.repeat(False, len(users))
    else:
        since = newest - timedelta(days=NEW_DAYS)
        is_new = pc.fill_null(pc.greater(users["first_active_day"], since), fill_value=False)
    return _with(users, "is_new", is_new)


def _hashed(users: pa.Table) -> pa.Table:
    return _with(users, "content_hash", pa.array(row_hashes(users, USER_ANALYTICS), pa.string()))


def _with(users: pa.Table, name: str, values: Any) -> pa.Table:
    place = USER_ANALYTICS.names.index(name)
    return users.set_column(place, USER_ANALYTICS.arrow.field(place), values)


def _newest(days: pa.ChunkedArray) -> date | None:
    newest: date | None = pc.max(days).as_py()
    return newest


def _as(schema: TableSchema, found: duckdb.DuckDBPyRelation) -> pa.Table:
    """A result with exactly the columns of a schema; hashes are left to be filled in."""
    table = found.to_arrow_table()
    columns = [
        table[name].cast(field.type)
        if name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for name, field in zip(schema.names, schema.arrow, strict=True)
    ]
    return pa.table(columns, schema=schema.arrow)

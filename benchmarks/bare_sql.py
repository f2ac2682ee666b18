"""What reports of days are measured against: their aggregates as SQL over the lake's files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import duckdb

from conversation_analytics.schemas.formula import Mean, Quantile, Ratio
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics.storage.layout import ALL_DAYS, Layout

# The dimensions of reports, told alike; the lake has no attributes and no empty texts.
_OWN: Final = {
    "language": "coalesce(s.language, c.language, '(none)')",
    "topic": "coalesce(s.topic, 'unknown')",
    "intent": "coalesce(s.intent, 'unknown')",
    "sentiment": "coalesce(s.sentiment, 'unknown')",
    "channel": "coalesce(c.channel, '(none)')",
    "model": "coalesce(c.model, '(none)')",
    "status": "coalesce(c.status, '(none)')",
}
_WHY: Final = [f"by_{name}" for name in ("topic", "intent", "language", "channel", "model")]
_COLUMNS: Final = [f"by_{name}" for name in _OWN]
_VALUES: Final = ", ".join(f"{own} AS by_{name}" for name, own in _OWN.items())
_OF_CONVERSATION: Final = ", ".join(f"c.by_{name}" for name in _OWN if name != "model")

_TABLES: Final = f"""
    CREATE OR REPLACE TEMP TABLE described AS
    SELECT
        c.* EXCLUDE (language, content_hash, filename), s.* EXCLUDE (conversation_id, content_hash),
        s.conversation_id IS NOT NULL AS categorised, {_VALUES}, c.filename = '{{own}}' AS started
    FROM read_parquet({{conversations}}, filename = true) c
    LEFT JOIN read_parquet({{category_summaries}}) s USING (conversation_id);
    CREATE OR REPLACE TEMP VIEW conversations AS FROM described WHERE started;
    CREATE OR REPLACE TEMP VIEW spending AS FROM conversations WHERE cost IS NOT NULL;
    CREATE OR REPLACE TEMP TABLE activity AS
    SELECT a.*, coalesce(f.first_active_day >= DATE '{{day}}', true) AS is_new, {_OF_CONVERSATION},
        coalesce(a.model, CASE WHEN a.role = 'user' THEN c.by_model END, '(none)') AS by_model
    FROM read_parquet({{message_activity}}) a
    LEFT JOIN described c USING (conversation_id)
    LEFT JOIN users f ON f.user_id = a.user_id
    WHERE activity_day = DATE '{{day}}';
    CREATE OR REPLACE TEMP VIEW times AS
    SELECT user_id, {", ".join(_COLUMNS)},
        unnest(latency_ms) AS latency_ms, unnest(response_seconds) AS response_seconds
    FROM activity
"""


def bare_reports(folder: Path, days: list[date]) -> float:
    """Aggregate the days one by one: every figure of their reports; how many messages there are."""
    return _aggregated(folder, days, [*_figures()])


def bare_reports_and_users(folder: Path, days: list[date]) -> float:
    """The same, and the sums by user and label that tell why a day was unlike the one before."""
    return _aggregated(folder, days, [*_figures(), *_sums()])


def _aggregated(folder: Path, days: list[date], queries: list[str]) -> float:
    layout, messages = Layout(), 0.0
    with duckdb.connect(config={"threads": 1}) as db:  # its CPU time is what counts
        users = folder / layout.file("user_analytics", ALL_DAYS)
        db.execute(f"CREATE TABLE users AS SELECT user_id, first_active_day FROM '{users}'")
        for day in days:
            paths = {
                table: [
                    str(path)
                    for one in (day - timedelta(days=1), day)
                    if (path := folder / layout.file(table, one)).exists()
                ]
                for table in ("conversations", "category_summaries", "message_activity")
            }
            db.execute(_TABLES.format(day=day, own=paths["conversations"][-1], **paths))
            for query in queries:
                found = db.execute(query).to_arrow_table()
                if "messages" in found.column_names:
                    messages += found["messages"].to_pylist()[found["value"].to_pylist().index("")]
    return messages


def _figures() -> Iterator[str]:
    """Every metric of the whole and of each value of each dimension, with the users behind it."""
    for relation in ("conversations", "spending", "activity", "times"):
        for priced in (False, True):
            metrics = [
                f"({metric.sql})::DOUBLE AS {metric.name}"
                for metric in METRICS.values()
                if metric.relation == relation and metric.per_currency == priced
            ]
            if metrics:
                yield f"""
                    SELECT place, value, {"currency" if priced else "count(DISTINCT user_id)"},
                        {", ".join(metrics)}
                    FROM (
                        SELECT *, unnest({[*range(len(_COLUMNS) + 1)]}) AS place,
                            unnest(['', {", ".join(_COLUMNS)}]) AS value
                        FROM {relation}
                    )
                    WHERE {"cost IS NOT NULL" if priced else "true"}
                    GROUP BY place, value {", currency" if priced else ""}
                """


def _sums() -> Iterator[str]:
    """What headline metrics are made of, by user and by labels."""
    for relation in ("conversations", "activity"):
        sums = [
            f"{metric.formula.top.sql}, {metric.formula.bottom.sql}"
            if isinstance(metric.formula, Ratio | Mean)
            else metric.sql
            for metric in METRICS.values()
            if metric.headline
            and metric.relation == relation
            and not isinstance(metric.formula, Quantile)
        ]
        yield f"""
            SELECT user_id, {", ".join([*_WHY, *sums])} FROM {relation}
            GROUP BY user_id, {", ".join(_WHY)}
        """

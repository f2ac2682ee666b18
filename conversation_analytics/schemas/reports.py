"""What reports say, as tables: every figure in one long table, and models side by side."""

from __future__ import annotations

import pyarrow as pa

from conversation_analytics.schemas.base import INTEGER, REAL, STRING, Column, TableSchema
from conversation_analytics.schemas.metric import Metric
from conversation_analytics.schemas.metrics import METRICS

MODEL_METRICS = (
    "assistant_messages",
    "errors",
    "error_rate",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "response_p50_seconds",
    "response_p95_seconds",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "conversations",
    "escalation_rate",
    "sentiment_negative_share",
    "sentiment_mean",
    "abstention_share_language",
    "abstention_share_topic",
    "abstention_share_intent",
    "abstention_share_sentiment",
)
"""What models are compared by, besides cost."""


def _figure(metric: Metric) -> Column:
    whole = metric.additive and not metric.per_currency
    return Column(metric.name, INTEGER if whole else REAL, metric.description)


FIGURES = TableSchema(
    name="figures",
    description="One row a figure of a report: of the whole period, and of every value of every "
    "dimension.",
    columns=(
        Column(
            "dimension",
            STRING,
            "What the period's rows are told apart by; empty for the whole.",
            nullable=False,
            categorical=True,
        ),
        Column(
            "value",
            STRING,
            "Which of them the figure is of; empty for the whole.",
            nullable=False,
            categorical=True,
        ),
        Column(
            "metric",
            STRING,
            "What it tells: a name of [the metrics](metrics.md).",
            nullable=False,
            categorical=True,
        ),
        Column("currency", STRING, "Its currency; null unless it is money.", categorical=True),
        Column("figure", REAL, "The figure; null where there is nothing to measure."),
        Column(
            "users",
            INTEGER,
            "Distinct users of the value: of the conversations started, or of the messages made, "
            "whichever the metric is made of.",
            nullable=False,
            minimum=0,
        ),
    ),
    key=("dimension", "value", "metric", "currency"),
    order=("dimension", "value", "metric", "currency"),
    hashes=(),
)

MODEL_PERFORMANCE = TableSchema(
    name="model_performance",
    description="One row a model: its messages made in the period, and the conversations with it "
    "that started then.",
    columns=(
        Column("model", STRING, "The model.", nullable=False),
        Column("users", INTEGER, "Distinct users of its messages.", nullable=False, minimum=0),
        *[_figure(METRICS[name]) for name in MODEL_METRICS],
        Column(
            "cost",
            pa.list_(pa.struct([("currency", STRING), ("cost", REAL)])),
            "Price of its messages, by currency.",
            nullable=False,
        ),
    ),
    key=("model",),
    order=("model",),
    hashes=(),
)

"""Changes are those of the metrics, by values that mean the same in both periods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from conversation_analytics.periods import parse_period
from conversation_analytics.reports.change import WHY_DIMENSIONS, as_document, changes
from conversation_analytics.reports.facts import LABELS
from conversation_analytics.reports.measure import measure
from conversation_analytics.reports.pooling import OTHER
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics_tests.reports.talks import Talk, facts

NOW, BEFORE = parse_period("daily", "2024-01-02"), parse_period("daily", "2024-01-01")
Labels = dict[str, str | None]


def why(
    now: Sequence[Talk],
    before: Sequence[Talk],
    *,
    now_labels: Labels | None = None,
    before_labels: Labels | None = None,
) -> dict[str, Any]:
    """The document of changes; labels are of topics, and of what is there besides."""
    sides = []
    for period, talks, labels in ((NOW, now, now_labels), (BEFORE, before, before_labels)):
        one = facts(period, talks)
        if labels is not None:
            rows = [
                {"dimension": "topic", "value": value, "day": period.first, "label": label}
                for value, label in labels.items()
            ]
            one = one.labelled(pa.Table.from_pylist(rows, schema=LABELS))
        sides.append(one)
    return as_document(changes(*sides))


def many(count: int, start: int = 0, **more: Any) -> list[Talk]:
    return [Talk(f"u{start + number}", **more) for number in range(count)]


def contributions(found: dict[str, Any], dimension: str = "topic") -> dict[str, float]:
    return {one["value"]: one["contribution"] for one in found["by"][dimension]}


def test_figures_are_those_that_are_measured() -> None:
    before = many(30, cost="0.25", currency="USD", latency=80, wait=2)
    now = [*many(40, cost="0.1", currency="USD"), *many(9, start=50, escalated=True, topic="bills")]
    found = why(now, before)
    for period, talks, side in ((NOW, now, "now"), (BEFORE, before, "before")):
        figures = measure(facts(period, talks)).to_pylist()
        rows = [row for row in figures if row["dimension"] == ""]
        for row in rows:
            if METRICS[row["metric"]].headline and row["metric"] != "cost":
                assert found[row["metric"]][side] == row["figure"]
            elif row["metric"] == "cost":
                assert found["cost"][row["currency"]][side] == row["figure"]
    assert set(found) == {metric.name for metric in METRICS.values() if metric.headline}


def test_contributions_to_rates_and_volumes_add_up_in_every_dimension() -> None:
    before = [*many(30, topic="orders"), *many(10, start=20, topic="bills", escalated=True)]
    now = [
        *many(20, topic="orders", channel="app", escalated=True),
        *many(25, start=10, topic="bills"),
        *many(9, topic="new", errors=1),
    ]
    found = why(now, before)
    for metric in ("conversations", "messages", "total_tokens", "escalation_rate", "error_rate"):
        for dimension in ("topic", "channel"):
            parts = contributions(found[metric], dimension)
            assert sum(parts.values()) == pytest.approx(found[metric]["change"], abs=1e-9)


def test_mix_and_rate_are_told_apart() -> None:
    """Bills were and are escalated always, orders never: only shares changed."""
    before = [*many(30, topic="orders"), *many(10, start=40, topic="bills", escalated=True)]
    now = [*many(20, topic="orders"), *many(20, start=40, topic="bills", escalated=True)]
    found = why(now, before)["escalation_rate"]
    assert found["change"] == pytest.approx(0.25)
    for part in found["by"]["topic"]:
        assert part["rate"] == pytest.approx(0)
        assert part["mix"] > 0
    assert set(found["by"]) <= set(WHY_DIMENSIONS)


def test_a_value_that_is_pooled_in_one_period_is_pooled_in_both() -> None:
    before = [*many(30, topic="orders"), *many(3, start=40, topic="bills")]
    now = [*many(30, topic="orders"), *many(9, start=40, topic="bills"), *many(8, topic="new")]
    found = why(
        now,
        before,
        now_labels={"orders": "orders", "bills": "bills", "new": "new"},
        before_labels={"orders": "orders", "bills": OTHER},
    )
    assert contributions(found["conversations"]) == {"new": 8, OTHER: 6, "orders": 0}


def test_what_is_in_no_breakdown_counts_as_other() -> None:
    before = [*many(30, topic="orders"), *many(3, start=40, topic="bills")]
    found = why(
        before,
        before,
        now_labels={"orders": "orders", "bills": None},
        before_labels={"orders": "orders", "bills": OTHER},
    )
    assert contributions(found["conversations"]) == {OTHER: 0, "orders": 0}


def test_a_dimension_with_one_value_explains_nothing() -> None:
    found = why(many(30), many(20))
    assert found["conversations"]["by"] == {}


def test_money_is_told_by_currency() -> None:
    before = many(20, cost="1", currency="USD")
    now = [*many(20, cost="2", currency="USD"), *many(5, start=30, cost="100", currency="THB")]
    found = why(now, before)["cost"]
    assert set(found) == {"THB", "USD"}
    assert (found["USD"]["now"], found["USD"]["before"]) == (40, 20)
    assert found["USD"]["distinguishable"]
    assert (found["THB"]["now"], found["THB"]["before"], found["THB"]["change"]) == (
        500,
        None,
        None,
    )


def test_where_nothing_was_measured_nothing_changed() -> None:
    found = why(many(9), [])
    assert (found["conversations"]["before"], found["conversations"]["change"]) == (0, 9)
    for metric in ("escalation_rate", "first_response_p95_seconds", "total_tokens"):
        one = found[metric]
        assert (one["before"], one["change"], one["interval"]) == (None, None, None)
        assert not one["distinguishable"]
        assert one["by"] == {}


def test_conversations_of_nobody_are_draws_by_themselves() -> None:
    nobody = [Talk(None)] * 60
    assert why(nobody, nobody[:20])["conversations"]["distinguishable"]
    somebody = [Talk("u1")] * 60
    assert not why(somebody, somebody[:20])["conversations"]["distinguishable"]

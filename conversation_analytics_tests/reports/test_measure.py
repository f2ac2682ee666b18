"""Every figure of a report against loops over plain rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.periods import GRAINS, Period, parse_period, period_of
from conversation_analytics.reports.database import computing
from conversation_analytics.reports.facts import LABELS, facts_of
from conversation_analytics.reports.measure import measure, model_performance
from conversation_analytics.reports.relations import DIMENSIONS, SOURCES, relations_of
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics.schemas.reports import FIGURES, MODEL_PERFORMANCE
from conversation_analytics.schemas.validation import check_schema
from conversation_analytics.transforms.activity import message_activity
from conversation_analytics_tests.reports.figures_oracle import (
    Figure,
    Key,
    Label,
    as_it_is,
    expected,
)
from conversation_analytics_tests.reports.frames import (
    ATTRIBUTES,
    World,
    conversation,
    message,
    summary,
    worlds,
)

DAY = period_of("daily", date(2024, 1, 31))
NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)
periods = st.builds(
    period_of, st.sampled_from(GRAINS), st.dates(date(2024, 1, 28), date(2024, 2, 3))
)
zones = st.sampled_from(["UTC", "Asia/Bangkok", "America/New_York"])
examples = settings(max_examples=30, deadline=None)


def figures_of(
    world: World,
    period: Period = DAY,
    zone: str = "UTC",
    attributes: Sequence[str] = (),
    labels: Label | None = None,
) -> pa.Table:
    activity = message_activity(world.message_table, zone)
    dimensions = (*DIMENSIONS, *attributes)
    counted = relations_of(period, zone, dimensions, activity=activity, **world.tables)
    facts = facts_of(period, dimensions, counted)
    if labels is not None:
        shown = [
            {"dimension": name, "value": value, "day": day, "label": labels(name, value, day)}
            for name, cells in facts.cells().items()
            for value in cells.values
            for day in cells.days
        ]
        # What is left out is as good as null.
        kept = [cell for n, cell in enumerate(shown) if n % 2 or cell["label"] is not None]
        facts = facts.labelled(pa.Table.from_pylist(kept, LABELS))
    return measure(facts)


def by_key(figures: pa.Table) -> dict[Key, tuple[float | None, int]]:
    return {
        (row["dimension"], row["value"], row["metric"], row["currency"]): (
            row["figure"],
            row["users"],
        )
        for row in figures.to_pylist()
    }


def same(found: float | None, wanted: Figure) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return found == pytest.approx(float(wanted), rel=1e-9, abs=1e-9)


def assert_same(
    found: Mapping[Key, tuple[float | None, int]], wanted: Mapping[Key, tuple[Figure, int]]
) -> None:
    assert set(found) == set(wanted)
    wrong = {
        key: (found[key], wanted[key])
        for key in found
        if not same(found[key][0], wanted[key][0]) or found[key][1] != wanted[key][1]
    }
    assert wrong == {}


def hide_some(dimension: str, value: str, day: date) -> str | None:
    """A label that depends on all there is to depend on."""
    which = (len(value) + day.day + len(dimension)) % 4
    return {0: "(other)", 1: None}.get(which, value)


@examples
@given(worlds(), periods, zones)
def test_every_figure_is_what_its_definition_says(world: World, period: Period, zone: str) -> None:
    found = figures_of(world, period, zone, ATTRIBUTES)
    assert_same(by_key(found), expected(world, period, zone, ATTRIBUTES))


@examples
@given(worlds(), periods, zones)
def test_values_are_shown_as_their_labels_and_those_without_are_left_out(
    world: World, period: Period, zone: str
) -> None:
    found = figures_of(world, period, zone, labels=hide_some)
    assert_same(by_key(found), expected(world, period, zone, label=hide_some))


@settings(max_examples=10, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_labels_that_are_the_values_change_nothing_nor_does_the_order_of_rows(
    world: World, random: Any
) -> None:
    figures = figures_of(world)
    assert figures_of(world, labels=as_it_is).equals(figures)
    shuffled = World(
        random.sample(world.conversations, len(world.conversations)),
        random.sample(world.summaries, len(world.summaries)),
        random.sample(world.messages, len(world.messages)),
        world.first_days,
    )
    assert_same(by_key(figures_of(shuffled)), by_key(figures))


@settings(max_examples=4, deadline=None)
@given(worlds(), zones, st.sampled_from(["2024-W05", "2024-01"]))
def test_what_is_additive_adds_up_from_days_to_longer_periods(
    world: World, zone: str, key: str
) -> None:
    period = parse_period("weekly" if "W" in key else "monthly", key)
    used = {row["created_at"].date() for row in world.messages}
    used |= {row["started_at"].date() for row in world.conversations}
    near = [day for day in period.days if any(abs((day - one).days) <= 1 for one in used)]
    sums: dict[Key, float] = {}
    for day in near:
        for found, (figure, _) in by_key(figures_of(world, period_of("daily", day), zone)).items():
            if METRICS[found[2]].additive:
                sums[found] = sums.get(found, 0) + (figure or 0)
    whole = by_key(figures_of(world, period, zone))
    for found, (figure, _) in whole.items():
        if METRICS[found[2]].additive:
            assert same(sums.get(found, 0), figure or 0), found


@settings(max_examples=5, deadline=None)
@given(worlds())
def test_rows_are_what_their_schema_says_and_in_order(world: World) -> None:
    figures = figures_of(world)
    found = check_schema(figures, FIGURES)
    assert found.passed, found.problems
    keys = list(by_key(figures))
    assert keys == sorted(keys, key=lambda key: (*key[:3], key[3] or ""))


def test_a_period_without_anything_counts_nothing_and_measures_nothing() -> None:
    found = by_key(figures_of(World([], [], [], {})))
    assert {key[:2] for key in found} == {("", "")}
    assert {key[2] for key, (figure, _) in found.items() if figure == 0} == {
        name for name, metric in METRICS.items() if metric.counts
    }
    assert {figure for figure, _ in found.values()} == {0, None}


def test_money_is_summed_up_as_money_and_each_currency_by_itself() -> None:
    """As floats, a million times a tenth of a cent comes to something else."""
    said = [
        message(f"m{n}", "c1", NOON, "assistant", cost=Decimal("0.00100001"), currency=currency)
        for n in range(1000)
        for currency in ("USD", "JPY")
    ]
    found = by_key(figures_of(World([conversation("c1", NOON)], [], said, {})))
    assert found["", "", "cost", "USD"][0] == 1.00001
    assert found["", "", "cost", "JPY"][0] == 1.00001
    assert ("", "", "cost", None) not in found


def test_messages_of_older_conversations_count_on_their_own_day() -> None:
    older = conversation("c1", datetime(2023, 5, 1, tzinfo=UTC), channel="web")
    world = World([older], [summary("c1", topic="billing")], [message("m1", "c1", NOON)], {})
    found = by_key(figures_of(world))
    assert found["", "", "conversations", None][0] == 0
    assert found["topic", "billing", "messages", None][0] == 1
    assert found["topic", "billing", "escalation_rate", None][0] is None


def test_users_are_active_with_the_model_that_they_talk_to() -> None:
    said = [message("m1", "c1", NOON), message("m2", "c1", NOON, "assistant", model="gpt")]
    found = by_key(figures_of(World([conversation("c1", NOON, model="gpt")], [], said, {})))
    assert found["model", "gpt", "active_users", None][0] == 1
    assert ("model", "(none)", "messages", None) not in found


@pytest.mark.parametrize(
    ("first_day", "new"),
    [(DAY.first, 1), (date(2024, 1, 30), 0), (None, 1)],
    ids=["today", "before", "unheard of"],
)
def test_users_are_new_in_the_period_of_their_first_message(
    first_day: date | None, new: int
) -> None:
    world = World(
        [conversation("c1", NOON)],
        [],
        [message("m1", "c1", NOON), message("m2", "c1", NOON, "assistant")],
        {} if first_day is None else {"u1": first_day},
    )
    found = by_key(figures_of(world))
    assert found["", "", "active_users", None][0] == 1
    assert found["", "", "new_users", None][0] == new
    assert found["", "", "returning_users", None][0] == 1 - new


@pytest.mark.parametrize(
    ("change", "improving", "worsening"),
    [(0.2, 1, 0), (0.19, 0, 0), (-0.19, 0, 0), (-0.2, 0, 1), (None, None, None)],
)
def test_a_sentiment_improves_or_worsens_by_a_fifth_at_least(
    change: float | None, improving: int | None, worsening: int | None
) -> None:
    world = World([conversation("c1", NOON)], [summary("c1", sentiment_change=change)], [], {})
    found = by_key(figures_of(world))
    assert found["", "", "sentiment_improving_share", None][0] == improving
    assert found["", "", "sentiment_worsening_share", None][0] == worsening


def test_models_are_put_side_by_side() -> None:
    answer = {"model": "gpt", "latency_ms": 10.0, "cost": Decimal("0.5"), "currency": "USD"}
    world = World(
        [conversation("c1", NOON, model="gpt", escalated=True), conversation("c2", NOON)],
        [],
        [
            message("m1", "c1", NOON),
            message("m2", "c1", NOON, "assistant", **answer),
            message("m3", "c1", NOON, "assistant", **answer, error="boom"),
        ],
        {},
    )
    figures = figures_of(world)
    table = model_performance(figures)
    assert check_schema(table, MODEL_PERFORMANCE).passed
    none, gpt = table.to_pylist()
    assert (none["model"], none["conversations"], none["error_rate"]) == ("(none)", 1, None)
    assert (gpt["model"], gpt["users"], gpt["assistant_messages"]) == ("gpt", 1, 2)
    assert (gpt["error_rate"], gpt["latency_p99_ms"], gpt["escalation_rate"]) == (0.5, 10.0, 1.0)
    assert gpt["cost"] == [{"currency": "USD", "cost": 1.0}]


@settings(max_examples=10, deadline=None)
@given(worlds(), periods, zones)
def test_every_figure_of_the_whole_is_what_its_sql_says(
    world: World, period: Period, zone: str
) -> None:
    """SQL is what docs show, and what others may compute with."""
    found = by_key(figures_of(world, period, zone))
    activity = message_activity(world.message_table, zone)
    counted = relations_of(period, zone, DIMENSIONS, activity=activity, **world.tables)
    with computing(**counted) as db:
        for name, metric in METRICS.items():
            money = "coalesce(currency, '(none)')" if metric.per_currency else "NULL"
            paid = "WHERE cost IS NOT NULL GROUP BY ALL" if metric.per_currency else ""
            told = db.execute(
                f"SELECT {money}, ({metric.sql})::DOUBLE FROM {SOURCES[metric.relation]} {paid}"
            ).fetchall()
            figures = {key[3]: one[0] for key, one in found.items() if key[:3] == ("", "", name)}
            assert set(figures) == {currency for currency, _ in told}, name
            for currency, figure in told:
                assert same(figures[currency], figure), name

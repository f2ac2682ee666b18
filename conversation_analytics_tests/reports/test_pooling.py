"""Nothing that reports say of a value, in whatever grain or by subtraction, is of few users."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.periods import Grain, parse_period
from conversation_analytics.reports.facts import LABELS
from conversation_analytics.reports.measure import measure
from conversation_analytics.reports.pooling import OTHER, POOLED, labels_in, pool
from conversation_analytics_tests.reports.lakes import (
    DAYS,
    RELATIONS,
    Lake,
    conversation,
    is_small,
    labels,
    lakes,
    published,
    published_grain_by_grain,
    random_lake,
    told_by_subtraction,
    whole,
)
from conversation_analytics_tests.reports.talks import Talk, facts

ks = st.integers(1, 5)
MON = DAYS[0]


def of_users(value: str, day: int, users: range) -> list[tuple[str, date, str, str | None]]:
    return [row for user in users for row in conversation(value, day, f"u{user}", 1)]


@given(lakes, ks)
@settings(max_examples=60)
def test_every_number_of_a_value_is_of_enough_users_or_none(lake: Lake, k: int) -> None:
    sets = published(labels(pool(lake.cells(), k)))
    values = [cells for name, cells in sets.items() if name[1] == "value"]  # type: ignore[index]
    for relation in RELATIONS:
        users = lake.users(relation)
        for cells in values:
            found = set[str | None]().union(*(users.get(cell, set()) for cell in cells))
            assert not 0 < len(found) < k


@given(lakes, ks)
@settings(max_examples=60)
def test_no_sums_and_differences_tell_of_fewer_users(lake: Lake, k: int) -> None:
    sets = published(labels(pool(lake.cells(), k)))
    for relation in RELATIONS:
        assert told_by_subtraction(sets.values(), lake.users(relation), k) == []


@pytest.mark.parametrize("seed", range(80))
def test_an_attack_on_a_random_lake_finds_nothing(seed: int) -> None:
    lake, k = random_lake(seed), 2 + seed % 4
    sets = published(labels(pool(lake.cells(), k)))
    for relation in RELATIONS:
        assert told_by_subtraction(sets.values(), lake.users(relation), k) == []


def test_the_attack_finds_what_pooling_each_period_by_itself_tells() -> None:
    """If it did not, its failing elsewhere would say nothing."""
    broken = 0
    for seed in range(20):
        lake, k = random_lake(seed), 2 + seed % 4
        sets = published_grain_by_grain(lake, k)
        users = lake.users("conversations")
        assert not any(is_small(users, cells, k) for cells in sets.values())
        # One subtraction is enough: what a week has of a value less what its days have.
        broken += any(
            is_small(users, one - other, k)
            for one in sets.values()
            for other in sets.values()
            if other < one
        )
    assert broken >= 10


def test_the_attack_sees_through_rows_and_columns_of_hidden_cells() -> None:
    """a of Monday = a of the week; so b of Monday = the pool of Monday − that."""
    cells = {
        ("a", DAYS[0]): {"1", "2", "3"},
        ("b", DAYS[0]): {"4"},
        ("b", DAYS[1]): {"5", "6", "7"},
    }
    users = {cell: set[str | None](of) for cell, of in cells.items()}
    a, b, later = cells
    sets = [frozenset({a}), frozenset({a, b}), frozenset({b, later})]
    assert frozenset({b}) in told_by_subtraction(sets, users, 3)


@given(lakes, ks)
@settings(max_examples=40)
def test_days_weeks_and_months_decide_alike(lake: Lake, k: int) -> None:
    together = labels(pool(lake.cells(), k))
    for number in range(3):
        for period in {whole(day)[number] for day in DAYS}:
            some = lake.during(day for day in DAYS if whole(day)[number] == period)
            if some.rows:
                alone = labels(pool(some.cells(), k))
                keep = slice(0, 1) if number == 0 else slice(0, 2)
                for cell, found in alone.items():
                    assert found[keep] == together[cell][keep]


@given(lakes, ks, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_neither_the_order_of_rows_nor_the_names_of_users_decide(
    lake: Lake, k: int, random: np.random.RandomState
) -> None:
    found = pool(lake.cells(), k)
    order = list(range(len(lake.rows)))
    random.shuffle(order)
    assert pool(lake.cells(order), k).equals(found)
    renamed = tuple(
        (value, day, relation, user and f"{9 - int(user[1:])}u")
        for value, day, relation, user in lake.rows
    )
    assert pool(Lake(renamed).cells(), k).equals(found)


@given(lakes)
@settings(max_examples=20)
def test_one_user_is_enough_if_the_setting_says_so(lake: Lake) -> None:
    for (value, _), found in labels(pool(lake.cells(), 1)).items():
        assert found == (value, value)


def test_a_value_of_few_users_on_a_day_is_pooled_with_the_smallest_other() -> None:
    rows = [*of_users("a", 0, range(2)), *of_users("b", 0, range(5)), *of_users("c", 0, range(9))]
    found = labels(pool(Lake(tuple(rows)).cells(), 3))
    assert {value: label for (value, _), label in found.items()} == {
        "a": (OTHER, OTHER),
        "b": (OTHER, OTHER),
        "c": ("c", "c"),
    }


def test_a_day_whose_pool_would_be_the_whole_has_no_breakdown() -> None:
    rows = [*of_users("a", 0, range(2)), *of_users("b", 0, range(5))]
    found = labels(pool(Lake(tuple(rows)).cells(), 3))
    assert [daily for daily, _ in found.values()] == [None, None]


def test_a_day_of_few_users_is_left_out_of_wider_breakdowns_too() -> None:
    rows = [*of_users("a", 0, range(2)), *of_users("a", 1, range(4)), *of_users("b", 1, range(9))]
    found = labels(pool(Lake(tuple(rows)).cells(), 3))
    assert found["a", DAYS[0]] == (None, None)
    assert found["a", DAYS[1]] == ("a", "a")


def test_a_value_of_few_users_every_day_is_shown_in_the_week() -> None:
    rows = [
        row
        for day in range(3)
        for row in (
            *of_users("rare", day, range(2 * day, 2 * day + 2)),
            *of_users("b", day, range(20, 24)),
            *of_users("c", day, range(9)),
        )
    ]
    found = labels(pool(Lake(tuple(rows)).cells(), 3))
    assert {found["rare", day] for day in DAYS[:3]} == {(OTHER, "rare")}
    assert {found["b", day] for day in DAYS[:3]} == {(OTHER, "b")}


def test_users_that_are_not_known_count_as_one() -> None:
    named = [("b", MON, relation, f"u{n}") for relation in RELATIONS for n in range(9)]
    nameless = [("a", MON, relation, None) for relation in RELATIONS]
    few = [("a", MON, relation, "u1") for relation in RELATIONS]
    more = [("c", MON, relation, f"u{n}") for relation in RELATIONS for n in range(3)]
    found = labels(pool(Lake((*named, *nameless, *few, *more)).cells(), 3))
    assert found["a", MON] == (OTHER, OTHER)
    assert found["c", MON] == (OTHER, OTHER)
    enough = labels(pool(Lake((*named, *nameless, *few, *more)).cells(), 2))
    assert enough["a", MON] == ("a", "a")


def test_a_row_that_is_there_twice_is_one() -> None:
    lake = Lake((*of_users("a", 0, range(2)), *of_users("b", 0, range(9))))
    assert pool(lake.cells([*range(len(lake.rows))] * 2), 3).equals(pool(lake.cells(), 3))


def test_dimensions_do_not_know_of_each_other() -> None:
    cells = Lake((*of_users("a", 0, range(4)), *of_users("b", 0, range(9)))).cells()
    found = pool(cells | {"channel": cells["topic"]}, 3)
    assert found["dimension"].to_pylist() == ["channel"] * 2 + ["topic"] * 2
    assert found.schema.equals(POOLED)


def test_nothing_gives_nothing() -> None:
    assert pool(Lake(()).cells(), 3).equals(POOLED.empty_table())
    assert pool({}, 3).equals(POOLED.empty_table())


@pytest.mark.parametrize(("grain", "key"), [("daily", "2024-01-01"), ("weekly", "2024-W01")])
def test_figures_by_these_labels_are_of_enough_users(grain: Grain, key: str) -> None:
    topics = ["a"] * 25 + ["b"] * 12 + ["c"] * 4 + ["d"] * 2
    channels = ["web"] * 41 + ["app"] * 2
    talks = [
        Talk(f"u{n}", topic, channel)
        for n, (topic, channel) in enumerate(zip(topics, channels, strict=True))
    ]
    one = facts(parse_period(grain, key), talks)
    found = labels_in(pool(one.cells(), 5), grain)
    assert found.schema.equals(LABELS)
    figures = measure(one.labelled(found)).to_pylist()
    shown = {(row["dimension"], row["value"]) for row in figures if row["dimension"]}
    assert {value for dimension, value in shown if dimension == "topic"} == {"a", "b", OTHER}
    assert {value for dimension, value in shown if dimension == "channel"} <= {OTHER}
    counted = [row for row in figures if row["metric"] in ("conversations", "messages")]
    assert not [row for row in counted if row["dimension"] and 0 < row["users"] < 5]

"""What a run may spend, what it has spent, and what it would spend."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.dify.budget import Budget, Spending
from conversation_analytics.dify.estimate import EstimatingAsker
from conversation_analytics.dify.rates import Rates
from conversation_analytics.dify.records import Call
from conversation_analytics.storage import failpoints
from conversation_analytics.storage.failpoints import handling
from conversation_analytics_tests.dify import faults
from conversation_analytics_tests.dify.askers import (
    LEFT_OUT,
    WORKFLOW,
    Killed,
    Killer,
    MemoryStore,
    answered,
    asker_of,
    echoing,
    question,
    questions,
    statuses,
)
from conversation_analytics_tests.services.dify_contract import PRICE, TOKENS

NOW = datetime(2026, 1, 31, 9, 45, tzinfo=UTC)
COST = Decimal(PRICE)


def ended(price: str | None = None, tokens: int | None = None, **changes: Any) -> Call:
    values = {"state": "ended", "keys": ("a",), "answers": {"a": 1}, "currency": "USD", **changes}
    cost = None if price is None else Decimal(price)
    return Call(asked_at=NOW, until=NOW, price=cost, total_tokens=tokens, **values)


# --- Limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, 1, 7])
def test_no_more_calls_are_made_than_allowed_however_many_go_on_at_once(most: int) -> None:
    dify, store, asked = echoing(seconds=0.01), MemoryStore(), questions(20)
    replies = asker_of(dify, store, budget=Budget(most), max_concurrency=8).ask(asked)
    assert dify.starts == most
    assert statuses(replies) == {"succeeded": most, "pending": 20 - most} or most == 0
    errors = {one.error for one in replies.values() if one.status == "pending"}
    assert errors == {
        f"not asked: DIFY_MAX_CALLS_PER_RUN={most} is reached. Raise it, or run again, to go on."
    }


def test_the_next_run_goes_on_where_the_budget_ended() -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(20)
    for run in range(1, 5):
        replies = asker_of(dify, store, budget=Budget(5), max_concurrency=8).ask(asked)
        assert dify.starts == 5 * run
    assert answered(replies, asked)


def test_several_askers_share_a_budget() -> None:
    dify, budget = echoing(seconds=0.01), Budget(11)
    with ThreadPoolExecutor(3) as pool:
        asks = [
            pool.submit(asker_of(dify, MemoryStore(), budget=budget).ask, questions(20))
            for _ in range(3)
        ]
    assert sum(statuses(one.result())["succeeded"] for one in asks) == dify.starts == 11


def test_calls_of_which_nothing_came_leave_their_place_to_others() -> None:
    dify = echoing()
    dify.faults.extend([faults.turned_down(429, "too_many_requests")] * 3)
    asker = asker_of(dify, MemoryStore(), budget=Budget(5), max_concurrency=8, max_retries=0)
    replies = asker.ask(questions(20))
    assert dify.starts == 5
    assert statuses(replies) == {"succeeded": 5, "pending": 15}


def test_a_limit_leaves_what_was_paid_before_to_be_read_back() -> None:
    dify, store, asked = echoing(seconds=60), MemoryStore(), questions(2)
    dify.faults.append(faults.cut_before_event(2))
    asker_of(dify, store, run_timeout=0.05).ask(asked[:1])
    for run in dify.runs.values():
        run.end()
    replies = asker_of(dify, store, budget=Budget(0)).ask(asked)
    assert answered(replies, asked[:1])
    assert (replies[asked[1].key].status, dify.starts) == ("pending", 1)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_cost_is_limited_but_for_the_calls_under_way(concurrency: int) -> None:
    dify, limit = echoing(), COST * 10
    asker = asker_of(
        dify, MemoryStore(), budget=Budget(max_cost=limit), max_concurrency=concurrency
    )
    replies = asker.ask(questions(40))
    assert dify.starts == 10
    assert asker.budget.spending.cost == {"USD": limit}
    [error] = {one.error for one in replies.values() if one.status == "pending"}
    assert error
    assert error.startswith(f"not asked: DIFY_MAX_COST={limit} is reached, with {limit} USD spent")


def test_what_calls_cost_in_earlier_runs_is_expected_of_the_first() -> None:
    dify, store = echoing(), MemoryStore()
    asker_of(dify, store).ask(questions(3))
    asked = [question(f"other {number}") for number in range(9)]
    limited = asker_of(dify, store, budget=Budget(max_cost=COST * 2), max_concurrency=8)
    assert statuses(limited.ask(asked)) == {"succeeded": 2, "pending": 7}


@given(
    prices=st.lists(st.integers(0, 50), min_size=1, max_size=60),
    limit=st.integers(1, 500),
    at_once=st.integers(1, 8),
)
def test_the_limit_of_cost_is_overshot_at_most_by_the_calls_under_way(
    prices: list[int], limit: int, at_once: int
) -> None:
    budget, under_way, left, made = Budget(max_cost=Decimal(limit)), 0, list(prices), []
    while left or under_way:
        while left and under_way < at_once and budget.reserve("w") is None:
            under_way += 1
            made.append(left.pop())
        if not under_way:
            break
        budget.settle("w", ended(str(made[-under_way])))
        under_way -= 1
    spent = budget.spending.cost.get("USD", Decimal())
    assert spent == sum(made)
    assert spent <= limit + at_once * max(prices)
    assert not left or spent + max(prices) > limit


def test_each_currency_has_the_limit_to_itself() -> None:
    budget = Budget(max_cost=Decimal(10))
    for currency in ("USD", "THB", "USD"):
        assert budget.reserve("w") is None
        budget.settle("w", ended("4", currency=currency))
    assert budget.spending.cost == {"USD": 8, "THB": 4}
    assert "DIFY_MAX_COST=10 is reached, with 8 USD spent" in (budget.reserve("w") or "")


# --- What a run has spent ---------------------------------------------------------------------


def test_a_run_is_told_what_it_spent() -> None:
    dify, store = echoing(), MemoryStore()
    asker = asker_of(dify, store, batch_size=2, max_concurrency=1)
    asker.ask([*questions(3), question(LEFT_OUT)])
    dify.faults.append(faults.lost(faults.RESET))
    asker.ask([question("x")])
    asker.ask(questions(3))
    assert asker.budget.spending == Spending(
        calls=4,
        answered=4,
        failed=1,
        lost=1,
        possibly_repeated=1,
        unpriced=1,
        tokens=3 * TOKENS,
        cost={"USD": 3 * COST},
    )


def test_the_cost_of_a_run_that_was_read_back_is_told_from_its_tokens() -> None:
    dify = echoing()
    asker = asker_of(dify, MemoryStore(), max_concurrency=1)
    dify.faults.append(faults.cut_before_event(2))
    asker.ask([question("nothing to tell it from yet")])
    assert (asker.budget.spending.unpriced, asker.budget.spending.cost) == (1, {})
    asker.ask(questions(1))
    dify.faults.append(faults.cut_before_event(2))
    asker.ask([question("read back")])
    assert (asker.budget.spending.unpriced, asker.budget.spending.cost) == (1, {"USD": 2 * COST})


# --- What it would spend ----------------------------------------------------------------------


def estimated(store: MemoryStore, asked: list[Any], **changes: Any) -> dict[str, Any]:
    asker = EstimatingAsker(store, WORKFLOW, **{"batch_size": 1, **changes})
    asker.ask(asked)
    asker.ask(asked[:1])  # counts once
    found = asker.estimate
    return {name: getattr(found, name) for name in found.__slots__}


def test_without_calls_to_learn_from_an_estimate_says_so() -> None:
    assert estimated(MemoryStore(), questions(5), batch_size=2) == {
        "questions": 5,
        "answered": 0,
        "failed": 0,
        "under_way": 0,
        "to_pay": 5,
        "calls": 3,
        "tokens": None,
        "cost": None,
        "reason": f"no calls of {WORKFLOW} in the last 60 days to learn from",
    }


def test_an_estimate_is_what_asking_then_comes_to() -> None:
    dify, store = echoing(), MemoryStore()
    asker_of(dify, store, batch_size=3).ask(questions(6))
    asked = [*questions(6), *(question(f"new {number}") for number in range(9))]
    found = estimated(store, asked, batch_size=3)
    asker = asker_of(dify, store, batch_size=3)
    asker.ask(asked)
    spent = asker.budget.spending
    assert (found["answered"], found["to_pay"]) == (6, 9)
    assert (found["calls"], found["tokens"], found["cost"], found["reason"]) == (
        spent.calls,
        spent.tokens,
        spent.cost,
        None,
    )


def test_an_estimate_tells_what_is_under_way_and_what_has_failed_for_good() -> None:
    dify, store = echoing(), MemoryStore()
    asker_of(dify, store, max_attempts=1).ask([question(LEFT_OUT)])
    with handling(Killer(failpoints.DIFY_RESULT)), pytest.raises(Killed):
        asker_of(dify, store).ask(questions(1))
    found = estimated(store, [question(LEFT_OUT), *questions(1)], max_attempts=1)
    assert (found["failed"], found["under_way"], found["to_pay"]) == (1, 1, 0)
    assert (found["calls"], found["tokens"], found["cost"], found["reason"]) == (0, 0, {}, None)


def test_an_estimate_pays_and_writes_nothing() -> None:
    dify, store = echoing(), MemoryStore()
    asker_of(dify, store).ask(questions(2))
    before, calls = dict(store.objects), len(dify.calls)
    estimated(store, questions(9))
    assert (store.objects, len(dify.calls)) == (before, calls)


def test_what_dify_did_not_tell_is_named() -> None:
    store = MemoryStore()
    asker_of(echoing(), store).ledger.new_call(ended(tokens=10).changed(asked_at=datetime.now(UTC)))
    found = estimated(store, questions(3))
    assert (found["tokens"], found["cost"]) == (30, None)
    assert found["reason"] == f"Dify told no price of the latest calls of {WORKFLOW}"


def test_rates_are_means_over_the_calls_that_told() -> None:
    rates = Rates.of([ended("0.3", 100, keys=("a", "b")), ended(None, 50), ended("0.1", None)])
    assert rates.tokens_of_questions(6) == 300
    assert rates.cost_of_calls(1) == {"USD": Decimal("0.2")}
    assert rates.cost_of_questions(3) == {"USD": Decimal("0.4")}
    assert Rates().cost_of_calls(1) == {}

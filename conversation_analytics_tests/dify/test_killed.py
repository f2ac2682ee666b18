"""Whenever a process ends, the next one pays no more than is documented and loses no result."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.storage import failpoints
from conversation_analytics.storage.failpoints import handling
from conversation_analytics.storage.store import LocalStore
from conversation_analytics_tests.dify import faults
from conversation_analytics_tests.dify.askers import (
    WORST,
    Killed,
    Killer,
    MemoryStore,
    answered,
    asker_of,
    at_once,
    echoing,
    paid,
    question,
    questions,
    statuses,
)
from conversation_analytics_tests.dify.asking_processes import KILLED, Place, Task, ask_at_once
from conversation_analytics_tests.services.dify_contract import DifyContract, Fault

AT_ONCE = {"idle_timeout": 0.1}


def test_a_process_that_is_killed_costs_no_more_than_documented(
    served_echo: tuple[DifyContract, str], tmp_path: Path
) -> None:
    dify, url = served_echo
    tasks = [Task([moment], 1.0, fatal=moment) for moment in WORST]
    assert ask_at_once(Place(url, LocalStore(tmp_path)), *tasks) == [KILLED] * len(WORST)
    asked = [question(moment) for moment in WORST]
    assert answered(asker_of(dify, LocalStore(tmp_path)).ask(asked), asked)
    assert paid(dify) == Counter(WORST)


def test_processes_that_ask_the_same_at_once_pay_once(
    served_echo: tuple[DifyContract, str], tmp_path: Path
) -> None:
    dify, url = served_echo
    texts = [one.content["text"] for one in questions(12)]
    assert ask_at_once(Place(url, LocalStore(tmp_path)), *[Task(texts)] * 3) == [0, 0, 0]
    assert paid(dify) == Counter(texts)


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("moment", WORST)
@pytest.mark.parametrize("number", [1, 2])
def test_only_calls_of_that_moment_are_paid_for_again(
    moment: str, batch_size: int, number: int
) -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(12)
    changes = {"batch_size": batch_size, "max_concurrency": 3, **AT_ONCE}
    with handling(Killer(moment, number)), pytest.raises(Killed):
        asker_of(dify, store, **changes).ask(asked)
    assert answered(asker_of(dify, store, **changes).ask(asked), asked)
    assert max(paid(dify).values()) <= 2
    assert dify.starts <= 12 / batch_size + 3
    assert len(paid(dify)) == 12


def test_killed_before_any_write_to_the_disk(tmp_path: Path) -> None:
    for number in range(1, 99):
        dify, store, asked = echoing(), LocalStore(tmp_path / str(number)), questions(2)
        try:
            with handling(Killer(failpoints.TEMPORARY, number)):
                asker_of(dify, store, max_concurrency=1, idle_timeout=0.02).ask(asked)
        except Killed:
            assert answered(asker_of(dify, store, idle_timeout=0.02).ask(asked), asked)
            assert dify.starts <= 3, "one call can be in the moment before its run is known"
        else:
            assert number > 8, "there are four writes a call"
            return


# --- What is under way elsewhere --------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3])
def test_askers_of_the_same_moment_pay_once(batch_size: int) -> None:
    dify, store, asked = echoing(seconds=0.01), MemoryStore(), questions(20)
    askers = [asker_of(dify, store, batch_size=batch_size, idle_timeout=0.5) for _ in range(3)]
    found = at_once(*(lambda a=asker: a.ask(asked) for asker in askers))
    assert all(answered(replies, asked) for replies in found)
    assert set(paid(dify).values()) == {1}


def slow_to_begin(seconds: float) -> Fault:
    def answer(start: faults.Start) -> httpx.Response:
        response = start()
        Event().wait(seconds)
        return response

    return answer


def test_a_call_that_is_slow_to_begin_is_not_taken_for_that_of_a_dead_process() -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(1)
    dify.faults.append(slow_to_begin(0.6))
    askers = [asker_of(dify, store, idle_timeout=0.2) for _ in range(2)]
    found = at_once(*(lambda a=asker: a.ask(asked) for asker in askers))
    assert all(answered(replies, asked) for replies in found)
    assert dify.starts == 1


def test_what_a_dead_process_may_have_paid_is_repeated_only_after_its_time() -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(1)
    with handling(Killer(failpoints.DIFY_STARTED)), pytest.raises(Killed):
        asker_of(dify, store, idle_timeout=0.5).ask(asked)
    begun = datetime.now(UTC)
    asker = asker_of(dify, store)
    assert answered(asker.ask(asked), asked)
    assert datetime.now(UTC) - begun > timedelta(seconds=0.3)
    assert asker.budget.spending.possibly_repeated == 1


def test_a_repetition_whose_process_dies_too_is_not_repeated() -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(1)
    for _ in range(2):
        with handling(Killer(failpoints.DIFY_STARTED)), pytest.raises(Killed):
            asker_of(dify, store, **AT_ONCE).ask(asked)
    [reply] = asker_of(dify, store, **AT_ONCE).ask(asked).values()
    assert (reply.status, dify.starts) == ("failed", 2)
    assert "its process was stopped" in (reply.error or "")


def test_a_run_that_dify_never_ends_is_given_up_after_a_day() -> None:
    dify, store, asked = echoing(seconds=10**6), MemoryStore(), questions(1)
    dify.faults.append(faults.cut_before_event(2))
    asker = asker_of(dify, store, run_timeout=0.02)
    asker.ask(asked)
    [(id_, call)] = asker.ledger.histories([asked[0].key])[asked[0].key].calls
    for hours, status in ((23, "pending"), (25, "failed")):
        then = datetime.now(UTC) - timedelta(hours=hours)
        asker.ledger.write(id_, call.changed(asked_at=then))
        [reply] = asker.ask(asked).values()
        assert (reply.status, dify.starts) == (status, 1)


# --- All of it together -----------------------------------------------------------------------

FAULTS: dict[str, Fault] = {
    "none": lambda start: start(),
    "unreachable": faults.unreachable,
    "busy": faults.turned_down(429, "too_many_requests"),
    "refused": faults.turned_down(400, "invalid_param"),
    "quota": faults.turned_down(429, "rate_limit_error"),
    "lost": faults.lost(faults.RESET),
    "504": faults.gateway_timeout,
    "cut": faults.cut_before_event(2),
    "model error": faults.changed(
        lambda body: [
            body.split(b"\n\n")[0]
            + b'\n\ndata: {"event": "error", "code": "completion_request_error", "status": 400}\n\n'
        ]
    ),
}
asks = st.tuples(
    st.lists(st.sampled_from(sorted(FAULTS)), max_size=6),
    st.none() | st.tuples(st.sampled_from(sorted(WORST)), st.integers(1, 4)),
    st.integers(1, 5),
)


@settings(max_examples=40)
@given(rounds=st.lists(asks, min_size=1, max_size=4), max_attempts=st.integers(1, 3))
def test_whatever_happens_each_question_has_an_end_and_a_bound(
    rounds: list[tuple[list[str], tuple[str, int] | None, int]], max_attempts: int
) -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(5)
    changes = {"max_attempts": max_attempts, "idle_timeout": 0.02, "max_retries": 0}
    known: dict[str, Any] = {}
    for met, kill, batch_size in [*rounds, ([], None, 5), ([], None, 5)]:
        dify.faults.clear()
        dify.faults.extend(FAULTS[name] for name in met)
        asker = asker_of(dify, store, batch_size=batch_size, max_concurrency=2, **changes)
        try:
            with handling(Killer(*kill) if kill else lambda name: None):
                replies = asker.ask(asked)
        except Killed:
            continue
        assert replies.keys() == {one.key for one in asked}
        for reply in replies.values():
            assert (reply.value is not None) == (reply.status == "succeeded")
            assert reply.error or reply.status == "succeeded"
        assert known.items() <= replies.items(), "an answer stays as it is"
        known = {key: reply for key, reply in replies.items() if reply.status == "succeeded"}
        assert max(paid(dify).values(), default=0) <= max_attempts
    assert statuses(replies)["pending"] == 0
    assert answered(replies, [one for one in asked if one.key in known])

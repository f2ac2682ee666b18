"""Questions are answered, in batches, and what is known is never paid for again."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import httpx
import pytest

from conversation_analytics.dify.asking import NoAsker
from conversation_analytics.errors import (
    DifyAccessDenied,
    DifyAppUnusable,
    DifyError,
    StoreUnavailable,
)
from conversation_analytics.storage.store import LocalStore
from conversation_analytics_tests.dify import faults
from conversation_analytics_tests.dify.askers import (
    DEADLY,
    LEFT_OUT,
    MemoryStore,
    answered,
    asker_of,
    echoing,
    interrupted,
    paid,
    question,
    questions,
    statuses,
)
from conversation_analytics_tests.services.dify_contract import TOKENS, Fault, Problem

UNREACHABLE = faults.unreachable
BUSY = faults.turned_down(429, "too_many_requests", "Too many requests.")
REFUSED = faults.turned_down(400, "invalid_param", "text is too long")
FAILED = faults.changed(
    lambda body: [
        body.split(b"\n\n")[0]
        + b'\n\ndata: {"event": "error", "code": "completion_request_error", '
        b'"message": "the model is down", "status": 400}\n\n'
    ]
)
LOST = faults.lost(faults.RESET)


def test_every_question_gets_its_own_answer(tmp_path: Path) -> None:
    dify, asked = echoing(), questions(30)
    replies = asker_of(dify, LocalStore(tmp_path), batch_size=4).ask(asked)
    assert list(replies) == [one.key for one in asked]
    assert answered(replies, asked)
    assert dify.starts == 8


def test_what_is_known_is_not_paid_for_again(tmp_path: Path) -> None:
    dify, asked = echoing(), questions(10)
    first = asker_of(dify, LocalStore(tmp_path), batch_size=3).ask(asked)
    again = asker_of(dify, LocalStore(tmp_path), batch_size=5).ask([*asked, question("new")])
    assert {key: again[key] for key in first} == first
    assert set(paid(dify).values()) == {1}
    assert len(paid(dify)) == 11


def test_a_question_that_is_asked_twice_at_once_is_paid_for_once() -> None:
    dify = echoing()
    replies = asker_of(dify, MemoryStore()).ask([question("a"), question("b"), question("a")])
    assert (len(replies), dify.starts) == (2, 2)


def test_nothing_is_asked_for_no_questions() -> None:
    dify = echoing()
    assert asker_of(dify, MemoryStore()).ask([]) == {}
    assert dify.calls == []


def test_a_reply_tells_what_its_run_was_and_took() -> None:
    dify = echoing()
    asked = [question("short"), question("a text that is longer"), question("")]
    replies = asker_of(dify, MemoryStore(), batch_size=3).ask(asked)
    assert {reply.run_id for reply in replies.values()} == set(dify.runs)
    assert {reply.elapsed_seconds for reply in replies.values()} == {1.25}
    tokens = [replies[one.key].total_tokens or 0 for one in asked]
    assert sum(tokens) == TOKENS
    assert tokens[1] > tokens[0] > tokens[2]
    assert all(reply.answered_at for reply in replies.values())


def test_a_call_has_so_many_characters_and_a_longer_text_is_asked_alone() -> None:
    dify = echoing()
    sizes = {"a": 30, "b": 30, "c": 30, "d": 200, "e": 30, "f": 30}
    asked = [question(letter * size) for letter, size in sizes.items()]
    replies = asker_of(dify, MemoryStore(), batch_size=9, batch_characters=100).ask(asked)
    assert answered(replies, asked)
    together = [len(run.inputs["text"].split("\n")) for run in dify.runs.values()]
    assert sorted(together) == [1, 1, 2, 2]


def test_no_more_calls_are_made_at_once_than_allowed() -> None:
    dify = echoing(seconds=0.02, most_active=3)
    asked = questions(12)
    assert answered(asker_of(dify, MemoryStore(), max_concurrency=3).ask(asked), asked)
    assert ("POST", "/workflows/run") in dify.calls
    assert len(dify.calls) == dify.starts


def test_oddly_written_answers_are_kept_as_they_are() -> None:
    dify, store, asked = echoing(), MemoryStore(), [question("x \0 🦜")]
    dify.faults.append(faults.changed(lambda body: [body.replace(b"<x", rb"half \ud83d")]))
    first = asker_of(dify, store).ask(asked)
    assert first[asked[0].key].value == "half \ud83d \0 🦜>"
    assert asker_of(dify, store).ask(asked) == first


def test_without_a_workflow_everything_stays_pending() -> None:
    asked = questions(2)
    replies = NoAsker("set DIFY_API_KEY").ask(asked)
    assert {(one.status, one.error) for one in replies.values()} == {
        ("pending", "set DIFY_API_KEY")
    }
    assert replies.keys() == {one.key for one in asked}


# --- Attempts ---------------------------------------------------------------------------------


def test_what_has_no_usable_answer_is_asked_again_later_and_only_so_often() -> None:
    dify, store, asked = echoing(), MemoryStore(), [question(f"{LEFT_OUT} 1")]
    errors, given_up = [], []
    for _ in range(5):
        [reply] = asker_of(dify, store, max_attempts=3).ask(asked).values()
        assert reply.status == "failed"
        errors.append(reply.error or "")
        given_up.append(reply.given_up)
    assert dify.starts == 3
    assert given_up == [False, False, True, True, True]
    assert errors[2] == errors[4]
    assert errors[0] == "the workflow left this question out."
    assert "3 calls brought no usable answer" in errors[4]
    assert "raise DIFY_MAX_ATTEMPTS" in errors[4]
    asker_of(dify, store, max_attempts=4).ask(asked)
    assert dify.starts == 4


def test_answers_of_a_call_count_although_it_has_none_to_other_questions() -> None:
    dify = echoing(status="partial-succeeded")
    asked = [question("a"), question(LEFT_OUT), question("b")]
    replies = asker_of(dify, MemoryStore(), batch_size=3).ask(asked)
    assert answered(replies, [asked[0], asked[2]])
    assert replies[asked[1].key].status == "failed"


def test_a_deadly_text_takes_fewer_with_it_each_time() -> None:
    dify, store = echoing(), MemoryStore()
    asked = [question(DEADLY), *questions(15)]
    found = [
        statuses(asker_of(dify, store, batch_size=16).ask(asked))["succeeded"] for _ in range(3)
    ]
    assert found == [0, 12, 15]
    assert paid(dify)[DEADLY] == 3


def test_an_app_of_which_nothing_was_started_costs_no_attempt() -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(1)
    for _ in range(5):
        dify.faults.extend([UNREACHABLE, BUSY])
        [reply] = asker_of(dify, store, max_retries=1, max_attempts=1).ask(asked).values()
        assert reply.status == "pending"
        assert "Too many requests" in (reply.error or "")
    assert answered(asker_of(dify, store, max_attempts=1).ask(asked), asked)


def test_inputs_that_dify_does_not_take_are_tried_again_only_so_often() -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(1)
    for _ in range(4):
        dify.faults.append(REFUSED)
        [reply] = asker_of(dify, store, max_attempts=2).ask(asked).values()
        assert reply.status == "failed"
        assert "text is too long" in (reply.error or "")
    assert (len(dify.calls), dify.starts) == (2, 0)


# --- When there is no use in going on ---------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "error"),
    [
        (Problem(401, "unauthorized", "wrong key"), DifyAccessDenied),
        (Problem(400, "provider_not_initialize", "no model"), DifyAppUnusable),
    ],
)
def test_what_only_people_can_repair_is_raised_before_more_is_tried(
    problem: Problem, error: type[DifyError]
) -> None:
    dify, store = echoing(problem=problem), MemoryStore()
    with pytest.raises(error):
        asker_of(dify, store, max_concurrency=2).ask(questions(50))
    assert len(dify.calls) <= 4
    dify.app.problem = None
    asked = questions(50)
    assert answered(asker_of(dify, store, max_attempts=1).ask(asked), asked)


def test_calls_under_way_are_recorded_before_an_error_is_raised() -> None:
    dify, store = echoing(seconds=0.1), MemoryStore()
    denied = faults.turned_down(401, "unauthorized", "withdrawn")
    dify.faults.extend([lambda start: start(), lambda start: start(), denied])
    with pytest.raises(DifyAccessDenied):
        asker_of(dify, store, max_concurrency=3).ask(questions(9))
    calls = len(dify.calls)
    assert dify.starts == 2
    known = [one for one in questions(9) if one.content["text"] in paid(dify)]
    assert answered(asker_of(dify, store).ask(known), known)
    assert len(dify.calls) == calls


@pytest.mark.parametrize(
    "fault",
    [faults.turned_down(429, "rate_limit_error", "quota used up"), UNREACHABLE],
    ids=["quota", "unreachable"],
)
def test_what_may_be_well_again_later_leaves_the_rest_pending(fault: Fault) -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(50)
    dify.faults.extend([fault] * 200)
    replies = asker_of(dify, store, max_concurrency=2, max_retries=0).ask(asked)
    assert statuses(replies) == {"pending": 50}
    assert all("Dify at" in (reply.error or "") for reply in replies.values())
    assert len(dify.calls) <= 4
    dify.faults.clear()
    assert answered(asker_of(dify, store, max_attempts=1).ask(asked), asked)


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        (BUSY, "pending", "Too many requests"),
        (REFUSED, "failed", "text is too long"),
        (FAILED, "failed", "the model is down"),
    ],
    ids=["busy", "refused", "failed"],
)
def test_when_one_call_after_the_other_brings_nothing_no_more_are_made(
    fault: Fault, status: str, reason: str
) -> None:
    dify = echoing()
    dify.faults.extend([fault] * 200)
    replies = asker_of(dify, MemoryStore(), max_concurrency=2, max_retries=0).ask(questions(50))
    assert 8 <= len(dify.calls) <= 9
    assert statuses(replies)[status] >= 8
    assert statuses(replies)["pending"] >= 41
    assert all(reason in (reply.error or "") for reply in replies.values())
    [unasked] = {reply.error for reply in replies.values()} - {
        reply.error for reply in list(replies.values())[:8]
    }
    assert "calls in a row answered nothing" in (unasked or "")


def test_a_busy_moment_leaves_only_its_questions_pending() -> None:
    dify = echoing()
    dify.faults.append(BUSY)
    replies = asker_of(dify, MemoryStore(), max_retries=0).ask(questions(20))
    assert statuses(replies) == {"succeeded": 19, "pending": 1}


# --- Answers that get lost --------------------------------------------------------------------


def test_a_call_whose_answer_is_lost_is_repeated_once_and_marked() -> None:
    dify, asked = echoing(), questions(1)
    dify.faults.append(LOST)
    asker = asker_of(dify, MemoryStore())
    assert answered(asker.ask(asked), asked)
    assert dify.starts == 2
    assert (asker.budget.spending.lost, asker.budget.spending.possibly_repeated) == (1, 1)


def test_a_repetition_that_is_lost_too_is_not_repeated() -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(1)
    dify.faults.extend([LOST] * 9)
    for _ in range(3):
        [reply] = asker_of(dify, store, max_attempts=9).ask(asked).values()
        assert reply.status == "failed"
        assert "asked twice, and both times whether a run was started" in (reply.error or "")
        assert "DIFY_TRANSLATE_VERSION" in (reply.error or "")
        assert reply.given_up
    assert dify.starts == 2


def test_a_lost_call_is_not_repeated_where_one_call_is_all_that_is_allowed() -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(1)
    dify.faults.append(LOST)
    [reply] = asker_of(dify, store, max_attempts=1).ask(asked).values()
    assert (reply.status, dify.starts) == ("failed", 1)


def test_a_proxy_before_a_dify_that_is_down_uses_up_nothing() -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(50)
    bad_gateway = faults.instead_of_a_start(502, faults.LOGIN_PAGE)
    for _ in range(4):
        dify.faults.extend([bad_gateway] * 50)
        dify.read_faults.extend([bad_gateway] * 50)
        replies = asker_of(dify, store, max_concurrency=2, max_retries=0).ask(asked)
        assert statuses(replies) == {"pending": 50}
    dify.faults.clear()
    dify.read_faults.clear()
    assert answered(asker_of(dify, store).ask(asked), asked)


def test_a_run_that_goes_on_is_pending_and_its_result_taken_later() -> None:
    dify, store, asked = echoing(seconds=60), MemoryStore(), questions(1)
    dify.faults.append(faults.cut_before_event(2))
    [reply] = asker_of(dify, store, run_timeout=0.05).ask(asked).values()
    assert (reply.status, reply.run_id) == ("pending", *dify.runs)
    [reply] = asker_of(dify, store, run_timeout=0.05).ask(asked).values()
    assert (reply.status, reply.run_id) == ("pending", *dify.runs)
    for run in dify.runs.values():
        run.end()
    assert answered(asker_of(dify, store).ask(asked), asked)
    assert dify.starts == 1


def test_a_run_that_dify_has_forgotten_is_paid_for_again_later() -> None:
    dify, store, asked = echoing(seconds=60), MemoryStore(), questions(1)
    dify.faults.append(faults.cut_before_event(2))
    asker_of(dify, store, run_timeout=0.05).ask(asked)
    dify.runs.clear()
    [reply] = asker_of(dify, store).ask(asked).values()
    assert (reply.status, dify.starts) == ("failed", 0)
    dify.app.seconds = 0
    assert answered(asker_of(dify, store).ask(asked), asked)


# --- Interruptions ----------------------------------------------------------------------------


def test_ctrl_c_loses_no_result_and_starts_nothing_more() -> None:
    dify, store, started = echoing(seconds=0.3), MemoryStore(), threading.Event()

    def begin(start: faults.Start) -> httpx.Response:
        response = start()
        started.set()
        return response

    dify.faults.append(begin)
    with pytest.raises(KeyboardInterrupt), interrupted(started):
        asker_of(dify, store, max_concurrency=2).ask(questions(9))
    assert dify.starts <= 2
    known = [one for one in questions(9) if one.content["text"] in paid(dify)]
    dify.app.problem = Problem(500, "internal_server_error", "must not be asked")
    assert answered(asker_of(dify, store).ask(known), known)


class Failing(MemoryStore):
    """Cannot write what has some words in it."""

    words: bytes = b"\0"

    def put(self, key: str, data: bytes) -> None:
        if self.words in data:
            raise StoreUnavailable("the disk is full")
        super().put(key, data)


def test_a_run_whose_id_cannot_be_written_down_is_not_paid_for_twice() -> None:
    dify, store, asked = echoing(), Failing(), questions(1)
    store.words = b'"state": "started"'
    assert answered(asker_of(dify, store).ask(asked), asked)
    store.words = b"\0"
    assert answered(asker_of(dify, store).ask(asked), asked)
    assert dify.starts == 1


def test_a_result_that_cannot_be_written_down_is_read_back_later() -> None:
    dify, store, asked = echoing(), Failing(), questions(3)
    store.words = b'"state": "ended"'
    with pytest.raises(StoreUnavailable):
        asker_of(dify, store, max_concurrency=1).ask(asked)
    store.words = b"\0"
    assert answered(asker_of(dify, store).ask(asked), asked)
    assert paid(dify) == Counter({one.content["text"]: 1 for one in asked})

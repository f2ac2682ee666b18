"""What a call gives, and what it tells while it goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pytest

from conversation_analytics.dify import WorkflowRun
from conversation_analytics.errors import DifyBusy, DifyUnavailable
from conversation_analytics_tests.dify import faults
from conversation_analytics_tests.dify.clients import INPUTS, OUTPUTS, client_of, run
from conversation_analytics_tests.services.dify_contract import TOKENS, App, DifyContract

each_mode = pytest.mark.parametrize("mode", ["streaming", "blocking"])


# --- What a run ends as -----------------------------------------------------------------------


@each_mode
def test_a_run_tells_its_result_and_how_it_was_had(mode: str) -> None:
    dify = DifyContract()
    told = run(dify, mode=mode)
    [started] = dify.runs.values()
    assert told == WorkflowRun(
        run_id=started.run_id,
        task_id=started.task_id,
        status="succeeded",
        outputs=OUTPUTS,
        elapsed_seconds=1.25,
        total_tokens=TOKENS,
        total_price=Decimal("0.00042") if mode == "streaming" else None,
        currency="USD" if mode == "streaming" else None,
        obtained="streamed" if mode == "streaming" else "blocking",
    )
    assert told.succeeded
    assert told.is_over


@each_mode
@pytest.mark.parametrize("status", ["failed", "stopped", "partial-succeeded", "paused"])
def test_a_run_that_did_not_succeed_is_a_result_too(mode: str, status: str) -> None:
    told = run(DifyContract(App(status=status)), mode=mode)
    assert (told.status, told.succeeded, told.is_over) == (status, False, True)


@each_mode
def test_a_workflow_that_fails_tells_why(mode: str) -> None:
    def fails(inputs: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("the model answered nonsense")

    told = run(DifyContract(App(fails)), mode=mode)
    assert (told.status, told.error, told.outputs) == ("failed", "the model answered nonsense", {})


def test_a_run_that_waits_for_a_person_is_not_waited_for() -> None:
    def pause(body: bytes) -> list[bytes]:
        [first, *_] = body.split(b"\n\n")
        ids = orjson.loads(first.removeprefix(b"data: "))
        paused = {**ids, "event": "workflow_paused", "data": {"status": "paused"}}
        return [first + b"\n\ndata: " + orjson.dumps(paused) + b"\n\n"]

    dify = DifyContract()
    told = run(dify, faults.changed(pause))
    assert (told.status, told.run_id, told.obtained) == ("paused", *dify.runs, "streamed")


def test_prices_of_all_nodes_are_added_up() -> None:
    def twice(body: bytes) -> list[bytes]:
        parts = body.split(b"\n\n")
        [priced] = [part for part in parts if b"total_price" in part]
        return [priced + b"\n\n" + body]

    assert run(DifyContract(), faults.changed(twice)).total_price == Decimal("0.00084")


def test_outputs_that_an_older_version_tells_as_text_are_read() -> None:
    def as_text(start: Callable[[], httpx.Response]) -> httpx.Response:
        details = start().json()
        return httpx.Response(200, json={**details, "outputs": orjson.dumps(OUTPUTS).decode()})

    dify = DifyContract()
    dify.read_faults.append(as_text)
    assert run(dify, faults.cut_before_event(2)).outputs == OUTPUTS


def test_outputs_may_hold_half_a_surrogate_pair_even_as_text() -> None:
    dify = DifyContract()
    body = b'{"id": "r", "status": "succeeded", "outputs": "{\\"text\\": \\"\\ud83d\\"}"}'
    dify.read_faults.append(lambda start: httpx.Response(200, content=body))
    assert run(dify, faults.cut_before_event(2)).outputs == {"text": "\ud83d"}


@pytest.mark.parametrize("value", [None, True, "many", [], "NaN", "inf"])
def test_figures_that_are_none_are_left_out(value: object) -> None:
    def odd(body: bytes) -> list[bytes]:
        odd_value = orjson.dumps(value)
        return [
            body.replace(b'"total_tokens":150', b'"total_tokens":' + odd_value)
            .replace(b'"elapsed_time":1.25', b'"elapsed_time":' + odd_value)
            .replace(b'"total_price":"0.00042"', b'"total_price":' + odd_value)
        ]

    told = run(DifyContract(), faults.changed(odd))
    assert told.outputs == OUTPUTS
    assert (told.total_tokens, told.elapsed_seconds, told.total_price) == (None, None, None)


# --- Ids are told early -----------------------------------------------------------------------


def test_the_run_is_told_before_any_other_event_and_once() -> None:
    told: list[str] = []
    dify = DifyContract()
    with client_of(dify) as client:
        client.run_workflow(
            INPUTS,
            "user",
            on_started=lambda run_id, task_id: told.append(f"{run_id} {task_id}"),
            on_event=lambda event: told.append(event.kind),
        )
    [started] = dify.runs.values()
    assert told[:2] == [f"{started.run_id} {started.task_id}", "workflow_started"]
    assert len(set(told)) >= 6
    assert sum(started.run_id in one for one in told) == 1


def test_a_blocking_call_tells_its_run_when_it_is_over() -> None:
    told: list[tuple[str, str | None]] = []
    dify = DifyContract()
    with client_of(dify) as client:
        client.run_workflow(
            INPUTS,
            "user",
            response_mode="blocking",
            on_started=lambda *ids: told.append(ids),
        )
    [started] = dify.runs.values()
    assert told == [(started.run_id, started.task_id)]


def test_the_run_is_known_from_any_event_that_names_it() -> None:
    dify = DifyContract()
    late = faults.changed(lambda body: [b"\n\n".join(body.split(b"\n\n")[2:4]) + b"\n\n"])
    assert run(dify, late).outputs == OUTPUTS
    assert dify.starts == 1


@pytest.mark.parametrize("error", [OSError("full"), DifyUnavailable("down"), DifyBusy("busy")])
@pytest.mark.parametrize("told", ["on_started", "on_event"])
def test_an_error_of_the_caller_passes_and_nothing_is_started_again(
    told: str, error: Exception
) -> None:
    dify = DifyContract()

    def fails(*_: object) -> None:
        raise error

    with client_of(dify) as client, pytest.raises(type(error)) as raised:
        client.run_workflow(INPUTS, "user", **{told: fails})  # type: ignore[arg-type]
    assert raised.value is error
    assert (dify.starts, len(dify.calls)) == (1, 1)


# --- Limits -----------------------------------------------------------------------------------


def test_calls_are_not_started_faster_than_allowed() -> None:
    began = time.monotonic()
    with client_of(DifyContract(), calls_per_minute=1200) as client:
        for _ in range(3):
            client.run_workflow(INPUTS, "user")
    assert time.monotonic() - began >= 0.1


def test_dify_is_left_alone_for_as_long_as_it_asks() -> None:
    began = time.monotonic()
    run(DifyContract(), faults.turned_down(429, "too_many_requests", retry_after="1"))
    assert time.monotonic() - began >= 1


def test_no_more_runs_go_on_at_once_than_are_allowed() -> None:
    lock = threading.Lock()
    now, most = 0, 0

    def count(inputs: dict[str, Any]) -> dict[str, Any]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait(timeout=60)  # for as many as are allowed
        with lock:
            now -= 1
        return inputs

    together = threading.Barrier(3)
    dify = DifyContract(App(count))
    with client_of(dify, max_concurrency=3) as client, ThreadPoolExecutor(12) as threads:
        told = list(threads.map(lambda n: client.run_workflow({"text": n}, "user"), range(24)))
    assert [one.outputs["text"] for one in told] == list(range(24))
    assert most == 3


def test_an_app_that_takes_fewer_runs_gets_them_one_after_the_other_and_is_paid_once_each() -> None:
    dify = DifyContract(App(seconds=0.01, most_active=2))
    with (
        client_of(dify, max_concurrency=6, max_retries=50, retry_delay=0.005) as client,
        ThreadPoolExecutor(6) as threads,
    ):
        told = list(threads.map(lambda n: client.run_workflow({"text": n}, "user"), range(12)))
    assert [one.outputs["text"] for one in told] == [f"<{n}>" for n in range(12)]
    assert dify.starts == 12

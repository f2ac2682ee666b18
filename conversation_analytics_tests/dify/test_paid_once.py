"""No run is paid for twice: what may have been started is never started again."""

from __future__ import annotations

import contextlib

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.errors import (
    DifyAccessDenied,
    DifyBusy,
    DifyCallRefused,
    DifyError,
    DifyOutcomeUnknown,
    DifyRunNotFound,
    DifyRunUnfinished,
    DifyUnavailable,
)
from conversation_analytics_tests.dify import faults
from conversation_analytics_tests.dify.clients import OUTPUTS, client_of, run
from conversation_analytics_tests.services.dify_contract import App, DifyContract, Fault, Problem

each_mode = pytest.mark.parametrize("mode", ["streaming", "blocking"])
cut = faults.cut_before_event(2)

NOTHING_STARTED: dict[str, Fault] = {
    "unreachable": faults.unreachable,
    "429 of Dify": faults.turned_down(429, "too_many_requests", "Too many requests."),
    "429 of a proxy": faults.instead_of_a_start(429, "error code: 1015"),
    "429 with seconds to wait": faults.turned_down(429, "too_many_requests", retry_after="0"),
    "429 with a date to wait for": faults.turned_down(
        429, retry_after="Sun, 06 Nov 1994 08:49:37 GMT"
    ),
    "429 with nonsense to wait for": faults.turned_down(429, retry_after="later"),
    "408": faults.instead_of_a_start(408, ""),
    "425": faults.instead_of_a_start(425, ""),
    "503 with seconds to wait": faults.instead_of_a_start(503, "down", retry_after="0"),
    "429 cut short": faults.turned_down_and_cut_after(10, 429),
    "too many requests as an event": faults.instead_of_a_start(
        200,
        'data: {"event": "error", "code": "too_many_requests", "status": 429}\n\n',
        content_type="text/event-stream",
    ),
}


@each_mode
@pytest.mark.parametrize("fault", NOTHING_STARTED.values(), ids=NOTHING_STARTED.keys())
def test_a_call_of_which_nothing_came_is_made_again(fault: Fault, mode: str) -> None:
    dify = DifyContract()
    assert run(dify, fault, fault, mode=mode).outputs == OUTPUTS
    assert dify.starts == 1
    assert len(dify.calls) == 3


@pytest.mark.parametrize(
    ("fault", "error"),
    [(faults.unreachable, DifyUnavailable), (NOTHING_STARTED["429 of Dify"], DifyBusy)],
)
def test_it_is_made_again_so_often_and_no_more(fault: Fault, error: type[DifyError]) -> None:
    dify = DifyContract()
    with pytest.raises(error):
        run(dify, *[fault] * 9, max_retries=2)
    assert (len(dify.calls), dify.starts) == (3, 0)


def test_a_longer_pause_than_is_bearable_is_told_at_once() -> None:
    dify = DifyContract()
    with pytest.raises(DifyBusy) as raised:
        run(dify, faults.turned_down(429, "too_many_requests", retry_after="3600"))
    assert raised.value.retry_after == 3600
    assert len(dify.calls) == 1


OUTCOME_UNKNOWN: dict[str, Fault] = {
    "reset before the answer": faults.lost(faults.RESET),
    "silence": faults.lost(httpx.ReadTimeout("timed out")),
    "hung up before the answer": faults.lost(faults.HUNG_UP),
    "the request cut off": faults.lost(httpx.WriteError("broken pipe")),
    "500": faults.instead(500),
    "500 of Dify": faults.instead(500, '{"code": "internal_server_error", "status": 500}'),
    "502": faults.instead(502, faults.LOGIN_PAGE),
    "503 without a word": faults.instead(503),
    "504": faults.gateway_timeout,
    "HTML with 200": faults.instead(200, faults.LOGIN_PAGE, content_type="text/html"),
    "nothing with 200": faults.instead(200),
    "an empty stream": faults.instead(200, content_type="text/event-stream"),
    "HTML as a stream": faults.instead(200, faults.LOGIN_PAGE, content_type="text/event-stream"),
    "JSON of something else": faults.instead(200, '{"msg": "ok"}', content_type="application/json"),
    "ids that are none": faults.instead(
        200,
        '{"workflow_run_id": 7, "task_id": [], "data": {"status": "succeeded"}}',
        content_type="application/json",
    ),
    "a list": faults.instead(200, "[]", content_type="application/json"),
    "pings alone": faults.pings_only(0.01, events=0),
    "an error event of the server": faults.instead(
        200, 'data: {"event": "error", "status": 500}\n\n', content_type="text/event-stream"
    ),
}


@each_mode
@pytest.mark.parametrize("fault", OUTCOME_UNKNOWN.values(), ids=OUTCOME_UNKNOWN.keys())
def test_a_call_that_may_have_been_paid_is_never_made_again(fault: Fault, mode: str) -> None:
    dify = DifyContract()
    with pytest.raises(DifyOutcomeUnknown, match="cannot be told") as raised:
        run(dify, fault, mode=mode, run_timeout=0.1)
    assert raised.value.run_id is None
    assert (dify.starts, len(dify.calls)) == (1, 1)


def test_a_blocking_call_that_its_gateway_gives_up_on_is_never_made_again() -> None:
    dify = DifyContract(App(seconds=60), gateway_seconds=0.05)
    with pytest.raises(DifyOutcomeUnknown, match="504"):
        run(dify, mode="blocking")
    assert dify.starts == 1


READ_BACK: dict[str, Fault] = {
    "its end": faults.cut_before_event(3),
    "a reset": faults.cut_before_event(3, faults.RESET),
    "silence": faults.cut_before_event(3, httpx.ReadTimeout("timed out")),
    "the last event without its end": faults.changed(lambda body: [body[:-1]]),
    "garbage for the last event": faults.changed(
        lambda body: [body.replace(b'"workflow_finished"', b'"workflow_finished')]
    ),
    "a result without a status": faults.changed(
        lambda body: [body.replace(b'"status":"succeeded"', b'"state":"succeeded"')]
    ),
    "a result of a run that goes on": faults.changed(
        lambda body: [
            body.replace(b'"status":"succeeded","inputs"', b'"status":"running","inputs"')
        ]
    ),
    "bytes that are no UTF-8": faults.changed(lambda body: [body.replace(b"<", b"\xff")]),
    "an error event of the server": faults.changed(
        lambda body: [body.split(b"\n\n")[0] + b'\n\ndata: {"event": "error", "status": 500}\n\n']
    ),
    "pings alone": faults.pings_only(0.02),
}


@pytest.mark.parametrize("fault", READ_BACK.values(), ids=READ_BACK.keys())
def test_a_run_that_is_known_is_read_back(fault: Fault) -> None:
    dify = DifyContract()
    told = run(dify, fault, run_timeout=0.1)
    assert (told.run_id, told.outputs, told.obtained) == (*dify.runs, OUTPUTS, "read_back")
    assert told.task_id == dify.runs[told.run_id].task_id
    assert dify.starts == 1


# --- Reading back -----------------------------------------------------------------------------


def test_a_run_that_goes_on_is_waited_for() -> None:
    def look(start: faults.Start) -> httpx.Response:
        return start()

    def look_at_its_end(start: faults.Start) -> httpx.Response:
        for started in dify.runs.values():
            started.end()
        return start()

    dify = DifyContract(App(seconds=60))
    dify.read_faults.extend([look, look, look_at_its_end])
    told = run(dify, cut)
    assert (told.status, told.outputs, dify.starts) == ("succeeded", OUTPUTS, 1)
    assert len(dify.calls) == 4


LOOKS: dict[str, Fault] = {
    "unreachable": faults.unreachable,
    "500": faults.turned_down(500, "internal_server_error"),
    "504": faults.instead_of_a_start(504, faults.LOGIN_PAGE),
    "429": faults.turned_down(429, "too_many_requests"),
    "HTML": faults.instead_of_a_start(200, faults.LOGIN_PAGE),
    "cut short": faults.body_cut_after(20),
    "not there yet": faults.turned_down(404, "not_found", "Workflow run not found."),
    "not there yet in an older version": faults.instead_of_a_start(200, '{"id": null}'),
    "outputs without names": faults.instead_of_a_start(
        200, '{"id": "r", "status": "succeeded", "outputs": ["text"]}'
    ),
    "outputs that are none": faults.instead_of_a_start(
        200, '{"id": "r", "status": "succeeded", "outputs": "{"}'
    ),
}


@pytest.mark.parametrize("fault", LOOKS.values(), ids=LOOKS.keys())
def test_a_look_that_fails_is_repeated(fault: Fault) -> None:
    dify = DifyContract()
    dify.read_faults.extend([fault, fault])
    told = run(dify, cut)
    assert (told.outputs, dify.starts) == (OUTPUTS, 1)


QUICK = (READ_BACK.keys() | OUTCOME_UNKNOWN.keys()) - {"pings alone"}


@settings(max_examples=100)
@given(
    before=st.lists(st.sampled_from(sorted(NOTHING_STARTED)), max_size=3),
    broken=st.sampled_from(sorted(QUICK)),
    looks=st.lists(st.sampled_from(sorted(LOOKS)), max_size=3),
)
def test_whatever_comes_together_nothing_is_paid_twice_and_nothing_known_is_lost(
    before: list[str], broken: str, looks: list[str]
) -> None:
    dify = DifyContract()
    dify.read_faults.extend(LOOKS[name] for name in looks)
    met = [NOTHING_STARTED[name] for name in before]
    if broken in READ_BACK:
        assert run(dify, *met, READ_BACK[broken]).outputs == OUTPUTS
    else:
        with pytest.raises(DifyOutcomeUnknown):
            run(dify, *met, OUTCOME_UNKNOWN[broken])
    assert dify.starts == 1


def test_a_run_that_does_not_end_in_time_is_left_for_later() -> None:
    dify = DifyContract(App(seconds=60))
    with pytest.raises(DifyRunUnfinished, match=r"is running after 0\.05 s") as raised:
        run(dify, faults.pings_only(0.01), run_timeout=0.05)
    [started] = dify.runs.values()
    assert (raised.value.run_id, raised.value.task_id) == (started.run_id, started.task_id)
    assert len(dify.calls) == 2, "time that the stream took is not given again"
    started.end()
    with client_of(dify) as client:
        assert client.wait_for_run(started.run_id).outputs == OUTPUTS
    assert dify.starts == 1


def test_a_run_that_cannot_be_read_is_left_for_later() -> None:
    dify = DifyContract()
    dify.read_faults.extend([faults.unreachable] * 9)
    with pytest.raises(DifyRunUnfinished, match=r"cannot be read: .*cannot be reached") as raised:
        run(dify, cut)
    assert (raised.value.run_id, dify.starts) == (*dify.runs, 1)


def test_a_run_that_is_not_there_is_looked_for_only_so_often() -> None:
    dify = DifyContract()
    with (
        client_of(dify) as client,
        pytest.raises(DifyRunNotFound, match="has no run a%2Fb") as raised,
    ):
        client.wait_for_run("a%2Fb")
    assert raised.value.run_id == "a%2Fb"
    assert len(dify.calls) == 4


def test_older_versions_have_other_words_for_a_run_that_is_not_there() -> None:
    dify = DifyContract()
    nothing = '{"id": null, "status": null, "outputs": null}'
    dify.read_faults.extend([faults.instead_of_a_start(200, nothing)] * 9)
    with client_of(dify) as client, pytest.raises(DifyRunNotFound):
        client.read_run("r")


@pytest.mark.parametrize("odd", ["r?x=1", "r#x", "r/x", "../r"])
def test_no_id_leads_to_another_address(odd: str) -> None:
    dify = DifyContract()
    with client_of(dify) as client:
        with pytest.raises(DifyRunNotFound):
            client.read_run(odd)
        with contextlib.suppress(DifyCallRefused):  # no task of Dify's has such an id
            client.stop(odd, "user")
    assert dify.calls == [
        ("GET", f"/workflows/run/{odd}"),
        ("POST", f"/workflows/tasks/{odd}/stop"),
    ]


def test_a_run_can_be_looked_at_while_it_goes_on() -> None:
    dify = DifyContract(App(seconds=60))
    with client_of(dify) as client:
        with pytest.raises(DifyRunUnfinished) as raised:
            run(dify, cut, run_timeout=0.02)
        assert raised.value.run_id
        told = client.read_run(raised.value.run_id)
    assert (told.status, told.is_over, told.obtained) == ("running", False, "read_back")


def test_a_key_that_was_withdrawn_meanwhile_is_told() -> None:
    dify = DifyContract()
    dify.read_faults.append(faults.turned_down(401, "unauthorized"))
    with pytest.raises(DifyAccessDenied):
        run(dify, cut)


def test_a_run_that_a_proxy_hides_is_told() -> None:
    dify = DifyContract()
    dify.read_faults.append(faults.instead_of_a_start(404, faults.LOGIN_PAGE))
    with pytest.raises(DifyCallRefused, match="DIFY_BASE_URL"):
        run(dify, cut)


def test_an_error_event_of_a_run_ends_it_and_names_it() -> None:
    problem = Problem(400, "completion_request_error", "the model does not answer")
    dify = DifyContract(App(broken=problem))
    with pytest.raises(DifyError, match="the model does not answer") as raised:
        run(dify)
    assert (raised.value.run_id, dify.starts) == (*dify.runs, 1)


def test_a_run_is_not_started_again_because_its_model_is_busy() -> None:
    dify = DifyContract(App(broken=Problem(429, "too_many_requests", "busy")))
    with pytest.raises(DifyBusy) as raised:
        run(dify)
    assert (raised.value.run_id, dify.starts) == (*dify.runs, 1)


# --- Time -------------------------------------------------------------------------------------


def test_a_trickle_of_bytes_that_are_no_event_is_not_waited_for() -> None:
    dify = DifyContract(App(seconds=60))
    with pytest.raises(DifyOutcomeUnknown):
        run(dify, faults.byte_by_byte(pause=0.01), run_timeout=0.1)

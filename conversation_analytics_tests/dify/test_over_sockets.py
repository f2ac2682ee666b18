"""The same promises over real connections, which break in ways of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from conversation_analytics.dify import LocalFile
from conversation_analytics.errors import (
    DifyAccessDenied,
    DifyAppUnusable,
    DifyOutcomeUnknown,
    DifyRunUnfinished,
)
from conversation_analytics_tests.dify import faults
from conversation_analytics_tests.dify.clients import INPUTS, client_of
from conversation_analytics_tests.dify.streams import MANY_SCRIPTS, STREAMS
from conversation_analytics_tests.services.dify_contract import (
    KEY,
    App,
    DifyContract,
    Fault,
    Problem,
)
from conversation_analytics_tests.services.dify_server import start_dify

OUTPUTS = {"text": f"<{MANY_SCRIPTS}>"}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[DifyContract, str]]:
    dify = DifyContract()
    with start_dify(dify) as url:
        yield dify, url


@pytest.fixture
def dify(served: tuple[DifyContract, str]) -> DifyContract:
    """The contract behind the server, as new."""
    dify, _ = served
    fresh = DifyContract()
    vars(dify).update(vars(fresh))
    return dify


@pytest.fixture
def url(served: tuple[DifyContract, str]) -> str:
    return served[1]


STREAMED: dict[str, Fault] = {
    "byte by byte": faults.byte_by_byte(0),
    **{name: faults.changed(lambda b, s=stream: [s(b)]) for name, stream in STREAMS.items()},  # type: ignore[misc]
    **{f"split at {at}": faults.split_at(at) for at in range(1, 2000, 199)},
}
READ_BACK: dict[str, Fault] = {
    **{f"ended before event {n}": faults.cut_before_event(n) for n in range(1, 7)},
    **{f"hung up at event {n}": faults.cut_before_event(n, faults.HUNG_UP) for n in range(1, 7)},
}
UNKNOWN: dict[str, Fault] = {
    "ended at once": faults.cut_after(0),
    "hung up within the first event": faults.cut_after(100, faults.HUNG_UP),
    "reset before the answer": faults.lost(faults.RESET),
    "hung up before the answer": faults.lost(faults.HUNG_UP),
    "504": faults.gateway_timeout,
    "502": faults.instead(502, faults.LOGIN_PAGE),
    "HTML with 200": faults.instead(200, faults.LOGIN_PAGE, content_type="text/html"),
}


@pytest.mark.parametrize("fault", STREAMED.values(), ids=STREAMED.keys())
def test_a_stream_that_is_whole_in_the_end_is_followed(
    dify: DifyContract, url: str, fault: Fault
) -> None:
    dify.faults.append(fault)
    with client_of(url) as client:
        told = client.run_workflow({"text": MANY_SCRIPTS}, "user")
    assert (told.obtained, told.outputs, dify.starts) == ("streamed", OUTPUTS, 1)


@pytest.mark.parametrize("fault", READ_BACK.values(), ids=READ_BACK.keys())
def test_a_run_whose_stream_breaks_off_is_read_back(
    dify: DifyContract, url: str, fault: Fault
) -> None:
    dify.faults.append(fault)
    with client_of(url) as client:
        told = client.run_workflow({"text": MANY_SCRIPTS}, "user")
    assert (told.obtained, told.outputs, dify.starts) == ("read_back", OUTPUTS, 1)


@pytest.mark.parametrize("at", range(50, 2000, 190))
def test_a_reset_which_may_also_swallow_what_came_before_it_loses_nothing(
    dify: DifyContract, url: str, at: int
) -> None:
    started: list[str] = []
    dify.faults.append(faults.cut_after(at, faults.RESET))
    with client_of(url) as client:
        try:
            told = client.run_workflow(
                {"text": MANY_SCRIPTS}, "user", on_started=lambda run_id, _: started.append(run_id)
            )
        except DifyOutcomeUnknown:
            assert not started
        else:
            assert started == [told.run_id]
            assert told.outputs == OUTPUTS
    assert dify.starts == 1


@pytest.mark.parametrize("fault", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_a_call_whose_run_is_not_known_is_left_to_the_caller(
    dify: DifyContract, url: str, fault: Fault
) -> None:
    dify.faults.append(fault)
    with client_of(url) as client, pytest.raises(DifyOutcomeUnknown):
        client.run_workflow(INPUTS, "user")
    assert (dify.starts, len(dify.calls)) == (1, 1)


@pytest.mark.parametrize("at", range(0, 400, 50))
def test_a_blocking_answer_that_is_cut_short_is_left_to_the_caller(
    dify: DifyContract, url: str, at: int
) -> None:
    dify.faults.append(faults.body_cut_after(at))
    with client_of(url) as client, pytest.raises(DifyOutcomeUnknown):
        client.run_workflow(INPUTS, "user", response_mode="blocking")
    assert (dify.starts, len(dify.calls)) == (1, 1)


def test_a_gateway_that_gives_up_on_a_blocking_call_does_not_end_its_run(
    dify: DifyContract, url: str
) -> None:
    dify.app.seconds, dify.gateway_seconds = 60, 0.05
    with client_of(url) as client:
        with pytest.raises(DifyOutcomeUnknown, match="504"):
            client.run_workflow(INPUTS, "user", response_mode="blocking")
        [run] = dify.runs.values()
        assert client.read_run(run.run_id).status == "running"
        run.end()
        assert client.wait_for_run(run.run_id).outputs == {"text": "<hello>"}
    assert dify.starts == 1


def test_a_run_goes_on_when_its_client_has_gone(dify: DifyContract, url: str) -> None:
    dify.app.seconds = 60
    dify.faults.append(faults.pings_only(0.01))
    with client_of(url, run_timeout=0.05) as client, pytest.raises(DifyRunUnfinished) as raised:
        client.run_workflow(INPUTS, "user")
    [run] = dify.runs.values()
    run.end()
    with client_of(url) as client:
        assert client.wait_for_run(run.run_id).outputs == {"text": "<hello>"}
    assert (raised.value.run_id, dify.starts) == (run.run_id, 1)


SILENT: dict[str, Fault] = {
    "silence": faults.silence(2.5),
    "pings alone": faults.pings_only(0.05),
}
SILENT_AT_ONCE: dict[str, Fault] = {
    "silence": faults.silence(2.5, events=0),
    "pings alone": faults.pings_only(0.05, events=0),
}


@pytest.mark.parametrize("fault", SILENT.values(), ids=SILENT.keys())
def test_a_stream_that_tells_nothing_more_is_not_waited_for(
    dify: DifyContract, url: str, fault: Fault
) -> None:
    dify.faults.append(fault)
    with client_of(url, idle_timeout=1.0, run_timeout=1.0) as client:
        told = client.run_workflow(INPUTS, "user")
    assert (told.obtained, dify.starts) == ("read_back", 1)


@pytest.mark.parametrize("fault", SILENT_AT_ONCE.values(), ids=SILENT_AT_ONCE.keys())
def test_a_stream_that_tells_nothing_at_all_is_not_waited_for(
    dify: DifyContract, url: str, fault: Fault
) -> None:
    dify.faults.append(fault)
    client = client_of(url, idle_timeout=1.0, run_timeout=1.0)
    with client, pytest.raises(DifyOutcomeUnknown):
        client.run_workflow(INPUTS, "user")
    assert dify.starts == 1


def test_pings_keep_a_run_alive_for_longer_than_the_idle_timeout(
    dify: DifyContract, url: str
) -> None:
    dify.app.seconds, dify.ping_seconds = 2.5, 0.2
    with client_of(url, idle_timeout=2.0) as client:
        assert client.run_workflow(INPUTS, "user").obtained == "streamed"


def test_an_event_of_ten_megabytes_comes_through(dify: DifyContract, url: str) -> None:
    text = "ก" * 3_400_000
    dify.app.workflow = lambda inputs: {"text": text}
    with client_of(url) as client:
        told = client.run_workflow(INPUTS, "user")
    assert told.obtained == "streamed"
    assert told.outputs["text"] == text


def test_files_are_uploaded_and_runs_are_stopped(
    dify: DifyContract, url: str, tmp_path: Path
) -> None:
    path = tmp_path / "ไฟล์.txt"
    path.write_bytes(bytes(range(256)))
    dify.app.seconds, dify.ping_seconds = 60, 0.05
    with client_of(url) as client:
        told = client.run_workflow(
            {"text": "x", "file": LocalFile(path)},
            "user",
            on_started=lambda run_id, task_id: client.stop(task_id or "", "user"),
        )
    assert told.status == "stopped"
    assert [content for _, content in dify.files.values()] == [path.read_bytes()]


def test_keys_of_several_apps_are_told_apart(dify: DifyContract, url: str) -> None:
    chat, closed = "app-of-a-chat", "app-that-is-closed"
    dify.apps |= {chat: App(mode="chat"), closed: App(problem=Problem(403, "forbidden", "No."))}
    for key, error in (
        (chat, DifyAppUnusable),
        (closed, DifyAccessDenied),
        ("app-x", DifyAccessDenied),
    ):
        with client_of(url, api_key=key) as client, pytest.raises(error):
            client.run_workflow(INPUTS, "user")
    assert dify.starts == 0


def test_many_threads_share_a_client(dify: DifyContract, url: str) -> None:
    dify.app.seconds = 0.01
    with client_of(url, max_concurrency=8) as client, ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda n: client.run_workflow({"text": n}, "user"), range(80)))
    assert [one.outputs["text"] for one in told] == [f"<{n}>" for n in range(80)]
    assert dify.starts == 80


# --- Connections ------------------------------------------------------------------------------


def test_calls_one_after_the_other_share_a_connection(dify: DifyContract, url: str) -> None:
    with client_of(url) as client:
        for _ in range(5):
            client.run_workflow(INPUTS, "user")
    assert (dify.starts, dify.connections) == (5, 1)


def test_calls_at_once_take_a_connection_each_and_keep_it(dify: DifyContract, url: str) -> None:
    dify.app.seconds = 0.02
    with client_of(url, max_concurrency=4) as client, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: client.run_workflow({"text": n}, "user"), range(40)))
    assert dify.starts == 40
    assert dify.connections <= 4


def test_what_a_server_tells_after_the_result_is_passed_over(dify: DifyContract, url: str) -> None:
    more = b'event: tts_message_end\n\ndata: {"event": "workflow_finished", "data": {}}\n\n'
    dify.faults.extend([faults.changed(lambda body: [body, more])] * 3)
    with client_of(url) as client:
        told = [client.run_workflow(INPUTS, "user") for _ in range(3)]
    assert [one.obtained for one in told] == ["streamed"] * 3
    assert (dify.starts, dify.connections) == (3, 1)


@pytest.mark.parametrize("silent", [0.0, 1.0])
def test_a_stream_that_never_ends_after_its_result_is_left(
    dify: DifyContract, url: str, silent: float
) -> None:
    hung_up = threading.Event()
    dify.faults.append(faults.kept_open(hung_up, silent=silent))
    with client_of(url) as client:
        told = [client.run_workflow(INPUTS, "user") for _ in range(2)]
    assert hung_up.wait(10)
    assert [one.obtained for one in told] == ["streamed"] * 2
    assert (dify.starts, dify.connections) == (2, 2)


def test_a_stream_that_breaks_after_its_result_has_told_it(dify: DifyContract, url: str) -> None:
    dify.faults.append(faults.cut_before_event(7, faults.HUNG_UP))
    with client_of(url) as client:
        told = [client.run_workflow(INPUTS, "user") for _ in range(2)]
    assert [one.obtained for one in told] == ["streamed"] * 2
    assert dify.connections == 2


class Recording(httpx.HTTPTransport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return super().handle_request(request)


def test_the_key_is_sent_in_its_header_alone(dify: DifyContract, url: str) -> None:
    network = Recording()
    with client_of(url, transport=network) as client:
        client.run_workflow(INPUTS, "user")
    [request] = network.sent
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(request.url)
    assert KEY.encode() not in request.read()


def test_streams_are_asked_for_uncompressed_so_that_nobody_holds_them_back(
    dify: DifyContract, url: str
) -> None:
    network = Recording()
    with client_of(url, transport=network) as client:
        client.run_workflow(INPUTS, "user")
    assert network.sent[0].headers["accept-encoding"] == "identity"

"""Wherever a stream is cut up or cut off, its run is paid for once and its result is had.

Three streams are cut up at every byte, and cut off at every event.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from conversation_analytics.dify import DifyClient, WorkflowRun
from conversation_analytics.errors import DifyOutcomeUnknown
from conversation_analytics_tests.dify.clients import client_of
from conversation_analytics_tests.dify.faults import HUNG_UP, RESET, changed, then
from conversation_analytics_tests.dify.streams import MANY_SCRIPTS, STREAMS, Stream, as_it_is
from conversation_analytics_tests.services.dify_contract import App, DifyContract

INPUTS = {"text": MANY_SCRIPTS}
OUTPUTS = {"text": MANY_SCRIPTS[::-1], "parts": [1, 2.5, None, {"é": "ü"}]}

RUN = ("POST", "/workflows/run")
ENDS = (None, RESET, HUNG_UP, httpx.ReadTimeout("timed out"))

each_stream = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())


class Calls:
    """Calls of one workflow, and what its server and client tell of them."""

    def __init__(self, stream: Stream) -> None:
        self.dify = DifyContract(App(lambda inputs: OUTPUTS))
        self.client: DifyClient = client_of(self.dify)
        self.stream = stream
        self.kinds: list[str] = []
        self.started: list[tuple[str, str | None]] = []

    def run(self, spoil: Callable[[bytes], list[bytes]] = lambda body: [body]) -> WorkflowRun:
        self.dify.faults.append(changed(lambda body: spoil(self.stream(body))))
        return self.go()

    def run_cut_off(self, size: int, error: httpx.HTTPError | None) -> WorkflowRun:
        self.dify.faults.append(changed(lambda body: then(self.stream(body)[:size], error)))
        return self.go()

    def go(self) -> WorkflowRun:
        self.kinds.clear()
        self.started.clear()
        return self.client.run_workflow(
            INPUTS,
            "user",
            on_started=lambda run_id, task_id: self.started.append((run_id, task_id)),
            on_event=lambda event: self.kinds.append(event.kind),
        )

    @property
    def last_run(self) -> tuple[str, str]:
        run = list(self.dify.runs.values())[-1]
        return run.run_id, run.task_id


def length_of(stream: Stream) -> int:
    """Bytes in the stream; ids have always the same length."""
    lengths: list[int] = []
    Calls(stream).run(lambda body: lengths.append(len(body)) or [body])  # type: ignore[func-returns-value]
    return lengths[0]


def cuts(stream: Stream) -> list[int]:
    """Where to cut it off: after every byte of the plain one, around the ends of others' lines."""
    places: set[int] = set()

    def note(body: bytes) -> list[bytes]:
        ends = [at for at, byte in enumerate(body) if byte in b"\r\n"]
        around = (at + by for at in ends for by in (-1, 0, 1))
        places.update(range(len(body)) if stream is as_it_is else around)
        return [body]

    Calls(stream).run(note)
    # A whole line less the last line end may do for the last event.
    return sorted(places)[:-2]


@each_stream
def test_a_stream_in_two_parts_is_the_whole_stream(
    stream: Stream, record_property: Callable[[str, int], None]
) -> None:
    calls = Calls(stream)
    calls.run()
    kinds = list(calls.kinds)
    offsets = range(length_of(stream) + 1)
    for offset in offsets:
        run = calls.run(lambda body, at=offset: [p for p in (body[:at], body[at:]) if p])  # type: ignore[misc]
        assert (run.run_id, run.task_id) == calls.last_run
        assert (run.obtained, run.outputs, calls.kinds) == ("streamed", OUTPUTS, kinds)
        assert calls.started == [calls.last_run]
    assert calls.dify.starts == len(offsets) + 1
    record_property("streams split", len(offsets))


@each_stream
def test_a_stream_that_is_cut_off_loses_no_result_and_is_never_paid_again(
    stream: Stream, record_property: Callable[[str, int], None]
) -> None:
    calls = Calls(stream)
    places = cuts(stream)
    unknown = []
    for number, size in enumerate(places):
        try:
            run = calls.run_cut_off(size, ENDS[number % len(ENDS)])
        except DifyOutcomeUnknown:
            assert not calls.started
            unknown.append(size)
        else:
            assert (run.run_id, run.outputs) == (calls.last_run[0], OUTPUTS)
            assert (run.status, run.obtained) == ("succeeded", "read_back")
            assert calls.started == [calls.last_run]
    assert unknown == places[: len(unknown)], "once its run is known it stays so"
    assert unknown[-1] < places[-1] / 4, "the first event names it"
    assert calls.dify.starts == calls.dify.calls.count(RUN) == len(places)
    record_property("streams cut off", len(places))


@each_stream
def test_a_stream_may_come_byte_by_byte(stream: Stream) -> None:
    calls = Calls(stream)
    run = calls.run(lambda body: [bytes([byte]) for byte in body])
    assert (run.obtained, run.outputs) == ("streamed", OUTPUTS)

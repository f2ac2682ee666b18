"""A proxy before the real NocoDB, on a real socket, that spoils the answers it is told to spoil.

What a question is, its path and query say: asked again it is the same question, so a fault can be
put on one page of a reading whatever else happens.
"""

from __future__ import annotations

import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from conversation_analytics_tests.services.http_server import serving

FOREVER = sys.maxsize
PASSED_ON = ("content-type", "date")

Fault = Callable[["Exchange"], None]


@dataclass
class Plan:
    """What to spoil, and what came of it.

    Attributes:
        question: The question whose answers are spoiled, however many rows it asks for.
        fault: What is done to them; null spoils none.
        times: How many of them are still to be spoiled.
        spoiled: How many were spoiled.
        asked: Every question, in order, repetitions included.
        truths: Body of the true answer to each question.
    """

    question: str = ""
    fault: Fault | None = None
    times: int = 0
    spoiled: int = 0
    asked: list[str] = field(default_factory=list)
    truths: dict[str, bytes] = field(default_factory=dict)

    def next_fault(self, question: str) -> Fault | None:
        """Take note of a question; tells what to do to its answer."""
        self.asked.append(question)
        if _without_limit(question) != _without_limit(self.question) or not self.times:
            return None
        self.times -= 1
        self.spoiled += 1
        return self.fault

    def truth_before(self, question: str) -> bytes:
        """The true answer to the question before this one on the same path; empty if none."""
        path = question.partition("?")[0]
        return next(
            (
                truth
                for asked, truth in reversed(self.truths.items())
                if asked != question and asked.partition("?")[0] == path
            ),
            b"",
        )


class FaultProxy:
    """Passes GET requests on to NocoDB, and spoils some answers.

    Attributes:
        base_url: Its address, without a trailing slash.
    """

    def __init__(self, base_url: str, upstream: httpx.Client, page_cap: int) -> None:
        self.base_url = base_url
        self._upstream = upstream
        self._page_cap = page_cap
        self._plan = Plan()
        self._lock = threading.Lock()

    def be_faithful(self) -> Plan:
        """Spoil nothing from now on."""
        self._plan = Plan()
        return self._plan

    def spoil(self, question: str, fault: Fault, *, times: int = 1) -> Plan:
        """Let a fault loose on the answers to a question, the first few times it is asked."""
        self._plan = Plan(question, fault, times)
        return self._plan

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        plan = self._plan  # that of the reading that asks, though it may have given up by now
        question = handler.path
        truth = self.ask(question, token=handler.headers["xc-token"])
        with self._lock:
            fault = plan.next_fault(question)
            plan.truths[question] = truth.content
            exchange = Exchange(self, handler, plan, truth, plan.truth_before(question))
        (fault or Exchange.send_truth)(exchange)

    def ask(self, question: str, *, token: str) -> httpx.Response:
        """NocoDB's true answer, of at most as many rows as the cap allows."""
        url = httpx.URL(question)
        if "limit" in url.params:
            limit = min(int(url.params["limit"]), self._page_cap)
            url = url.copy_set_param("limit", limit)
        return self._upstream.get(url, headers={"xc-token": token})


@dataclass(frozen=True)
class Exchange:
    """A request and the true answer to it, for a fault to do something else with.

    Attributes:
        proxy: The proxy that was asked.
        handler: The request and its connection.
        plan: The plan that was in force when it came.
        truth: NocoDB's answer.
        before: Body of the true answer to the question before on the same path; empty if none.
    """

    proxy: FaultProxy
    handler: BaseHTTPRequestHandler
    plan: Plan
    truth: httpx.Response
    before: bytes

    @property
    def question(self) -> str:
        """The path and query that were asked for."""
        return self.handler.path

    def send_truth(self) -> None:
        """Answer as NocoDB did."""
        self.send(self.truth.content, status=self.truth.status_code)

    def send(
        self, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer with a body; headers take the place of NocoDB's and of the right length."""
        sent = {name: self.truth.headers[name] for name in PASSED_ON if name in self.truth.headers}
        sent |= headers or {}
        if "transfer-encoding" not in sent:
            sent.setdefault("content-length", str(len(body)))
        self.handler.send_response_only(status)
        for name, value in sent.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def ask(self, question: str) -> httpx.Response:
        """NocoDB's true answer to another question."""
        return self.proxy.ask(question, token=self.handler.headers["xc-token"])

    def hang_up(self) -> None:
        """Close the connection in an orderly way once the answer is out."""
        self.handler.close_connection = True

    def reset(self) -> None:
        """Break the connection so that the other side sees it reset."""
        linger_not = struct.pack("ii", 1, 0)
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        self.handler.connection.close()
        self.hang_up()

    def wait_for_hang_up(self) -> None:
        """Say nothing until the other side has had enough."""
        self.handler.connection.recv(1)
        self.hang_up()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for its headers to be acknowledged
    timeout = 60  # seconds an idle connection is kept
    server: _Server

    def do_GET(self) -> None:
        self.server.answer(self)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    """Keeps what went wrong in its threads for the one who stops it."""

    daemon_threads = False  # closing waits for them
    answer: Callable[[BaseHTTPRequestHandler], None]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.errors: list[BaseException] = []

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exception()
        if error and not isinstance(error, ConnectionError):  # a reader may hang up at any time
            self.errors.append(error)


@contextmanager
def start_fault_proxy(nocodb_url: str, *, page_cap: int) -> Iterator[FaultProxy]:
    """Run a proxy before a NocoDB until the block ends.

    Args:
        nocodb_url: NocoDB's address.
        page_cap: Most rows an answer has, as a server is set up to do.

    Raises:
        ExceptionGroup: The proxy itself failed.
    """
    with (
        httpx.Client(base_url=nocodb_url, timeout=60, trust_env=False) as upstream,
        _Server() as server,
    ):
        proxy = FaultProxy(f"http://127.0.0.1:{server.server_port}", upstream, page_cap)
        server.answer = proxy.answer
        with serving(server, "fault proxy"):
            yield proxy
    if server.errors:
        raise BaseExceptionGroup("the fault proxy failed", server.errors)


def _without_limit(question: str) -> str:
    return re.sub(r"(?<=[?&])limit=\d+", "", question)

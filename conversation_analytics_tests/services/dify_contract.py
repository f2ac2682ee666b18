"""Dify's Service API for workflow apps as it is published, with workflows that are functions.

It answers `httpx.Request`s, so it can stand behind `httpx.MockTransport` in the same process or
behind sockets (`dify_server`). A run goes on whether or not anybody listens, and is paid for when
it starts.

Sources: https://docs.dify.ai/en/api-reference (its guides on streaming and errors, and the pages of
the endpoints), and dify#23502, #25452, #31253 for what happens in the field.
"""

from __future__ import annotations

import email
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

import httpx
import orjson

Inputs = dict[str, Any]
Event = dict[str, Any]
# Does something else with a call: it may start the run and spoil the answer, or turn it down.
Fault = Callable[[Callable[[], httpx.Response]], httpx.Response]

PING = b"event: ping\n\n"
KEY = "app-a-key-that-stays-secret"
CREATED_AT = 1_705_407_629
GATEWAY_TIMEOUT = "<html><head><title>504 Gateway Time-out</title></head></html>"
TOKENS = 150
PRICE = "0.00042"


@dataclass(eq=False)
class Problem(Exception):
    """An error in the envelope that Dify puts all of them in."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def envelope(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "status": self.status}

    def response(self) -> httpx.Response:
        return httpx.Response(self.status, json=self.envelope, headers=dict(self.headers))


@dataclass
class App:
    """An app, known by its key.

    Attributes:
        workflow: Makes outputs of inputs; an exception of it fails the run.
        mode: What kind of app it is; only `workflow` can be run.
        needed: Inputs without which a call is turned down.
        seconds: How long a run takes.
        status: What a run that worked ends as.
        problem: Turns down every call.
        broken: Ends every stream as soon as its run is known.
        most_active: Most runs at once; 0 for any number.
    """

    workflow: Callable[[Inputs], Inputs] = lambda inputs: {"text": f"<{inputs.get('text')}>"}
    mode: str = "workflow"
    needed: tuple[str, ...] = ("text",)
    seconds: float = 0.0
    status: str = "succeeded"
    problem: Problem | None = None
    broken: Problem | None = None
    most_active: int = 0


@dataclass
class Run:
    """A run, which is over as soon as its time has come.

    Attributes:
        ends_at: When that is, by the monotonic clock.
    """

    run_id: str
    task_id: str
    app: App
    inputs: Inputs
    user: str
    status: str
    outputs: Inputs
    error: str | None
    ends_at: float

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.ends_at

    def end(self) -> None:
        """Let it be over now."""
        self.ends_at = time.monotonic()

    def details(self) -> dict[str, Any]:
        """What `GET /workflows/run/{id}` tells."""
        over = self.is_over
        return {
            "id": self.run_id,
            "workflow_id": "7c3e33d4-2a8b-4e5f-9b1a-d3c6e8f12345",
            "status": self.status if over else "running",
            "inputs": self.inputs,
            "outputs": self.outputs if over else {},
            "error": self.error if over else None,
            "total_steps": 3 if over else 0,
            "total_tokens": TOKENS if over else 0,
            "created_at": CREATED_AT,
            "finished_at": CREATED_AT + 1 if over else None,
            "elapsed_time": 1.25 if over else 0.0,
        }

    def event(self, kind: str, data: Mapping[str, Any] | None = None, **more: Any) -> Event:
        """An event about the run."""
        ids = {"task_id": self.task_id, "workflow_run_id": self.run_id}
        return {"event": kind, **ids, **more, **({} if data is None else {"data": data})}

    def first_events(self) -> list[Event]:
        start = {"id": "n1", "node_id": "start", "node_type": "start", "title": "Start"}
        model = {"id": "n2", "node_id": "llm", "node_type": "llm", "title": "Translate"}
        return [
            self.event("workflow_started", {"id": self.run_id, "inputs": self.inputs}),
            self.event("node_started", {**start, "index": 1}),
            self.event("node_finished", {**start, "index": 1, "status": "succeeded"}),
            self.event("node_started", {**model, "index": 2}),
        ]

    def last_events(self) -> list[Event]:
        metadata = {"total_tokens": TOKENS, "total_price": PRICE, "currency": "USD"}
        model = {"id": "n2", "node_id": "llm", "node_type": "llm", "title": "Translate"}
        return [
            self.event("text_chunk", {"text": "…", "from_variable_selector": ["llm", "text"]}),
            self.event(
                "node_finished",
                {**model, "index": 2, "status": self.status, "execution_metadata": metadata},
            ),
            self.event("workflow_finished", self.details()),
        ]


class DifyContract:
    """The API.

    Attributes:
        apps: Apps by key.
        runs: Every run that was started, which is to say paid for, by its id.
        files: Uploaded files by id: their name and content.
        calls: Method and path of everything asked for, in order.
        connections: How many were opened, where it stands behind sockets.
        faults: What the next calls to run a workflow are met with, first to last.
        read_faults: The same for the next looks at a run.
        upload_faults: The same for the next uploads.
        ping_seconds: Time between two pings; published are 10.
        gateway_seconds: Time after which the gateway gives up on a blocking call.
    """

    def __init__(
        self,
        app: App | None = None,
        *,
        ping_seconds: float = 10.0,
        gateway_seconds: float = 60.0,
    ) -> None:
        self.apps = {KEY: app or App()}
        self.runs: dict[str, Run] = {}
        self.files: dict[str, tuple[str, bytes]] = {}
        self.calls: list[tuple[str, str]] = []
        self.connections = 0
        self.faults: deque[Fault] = deque()
        self.read_faults: deque[Fault] = deque()
        self.upload_faults: deque[Fault] = deque()
        self.ping_seconds = ping_seconds
        self.gateway_seconds = gateway_seconds
        self._lock = threading.Lock()

    @property
    def app(self) -> App:
        return self.apps[KEY]

    @property
    def starts(self) -> int:
        """How many runs were paid for."""
        return len(self.runs)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; the answer's body is still to be read, as one over a network is."""
        path = request.url.path.removeprefix("/v1")
        with self._lock:
            self.calls.append((request.method, path))
        try:
            return _unread(self._answer(request, path))
        except Problem as problem:
            return _unread(problem.response())

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:
        app = self._authorized(request)
        match request.method, path.strip("/").split("/"):
            case "POST", ["workflows", "run"]:
                return _met(self.faults, lambda: self._run(app, request))
            case "GET", ["workflows", "run", run_id]:
                return _met(self.read_faults, lambda: self._details(app, run_id))
            case "POST", ["workflows", "tasks", task_id, "stop"]:
                return self._stop(app, task_id, request)
            case "POST", ["files", "upload"]:
                return _met(self.upload_faults, lambda: self._upload(request))
        raise Problem(404, "not_found", "The requested URL was not found on the server.")

    def _authorized(self, request: httpx.Request) -> App:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise Problem(
                401,
                "unauthorized",
                "Authorization header must be provided and start with 'Bearer'",
            )
        if key not in self.apps:
            raise Problem(401, "unauthorized", f"Access token {key} is invalid")
        return self.apps[key]

    def _run(self, app: App, request: httpx.Request) -> httpx.Response:
        body = _json(request)
        user, inputs = body.get("user"), body.get("inputs")
        _check_mode(app)
        if app.problem:
            raise app.problem
        if not user:
            raise Problem(400, "invalid_param", "Arg user must be provided.")
        if not isinstance(inputs, dict):
            raise Problem(400, "invalid_param", "Missing required parameter in the JSON body")
        if body.get("response_mode") not in ("streaming", "blocking"):
            raise Problem(400, "invalid_param", "response_mode is not a valid choice")
        for name in app.needed:
            if name not in inputs:
                raise Problem(400, "invalid_param", f"{name} is required in input form")
        run = self._start(app, inputs, user)
        return self._stream(run) if body["response_mode"] == "streaming" else self._block(run)

    def _start(self, app: App, inputs: Inputs, user: str) -> Run:
        outputs, error, status = {}, None, app.status
        try:
            outputs = app.workflow(inputs)
        except ValueError as failed:
            error, status = str(failed), "failed"
        now = time.monotonic()
        ids = str(uuid.uuid4()), str(uuid.uuid4())
        run = Run(*ids, app, inputs, user, status, outputs, error, now + app.seconds)
        with self._lock:
            if 0 < app.most_active <= sum(not run.is_over for run in self.runs.values()):
                raise Problem(
                    429, "too_many_requests", "Too many requests. Please try again later."
                )
            self.runs[run.run_id] = run
        return run

    def _stream(self, run: Run) -> httpx.Response:
        return event_stream(self._told(run))

    def _told(self, run: Run) -> Iterator[bytes]:
        first, *others = run.first_events()
        yield sse(first)
        if run.app.broken:
            yield sse(run.event("error", **run.app.broken.envelope))
            return
        for event in others:
            yield sse(event)
        while not run.is_over:
            time.sleep(max(0, min(self.ping_seconds, run.ends_at - time.monotonic())))
            if not run.is_over:
                yield PING
        for event in run.last_events():
            yield sse(event)

    def _block(self, run: Run) -> httpx.Response:
        left = run.ends_at - time.monotonic()
        time.sleep(max(0, min(left, self.gateway_seconds)))
        if not run.is_over:
            return httpx.Response(504, html=GATEWAY_TIMEOUT)
        ids = {"task_id": run.task_id, "workflow_run_id": run.run_id}
        return httpx.Response(200, json={**ids, "data": run.details()})

    def _details(self, app: App, run_id: str) -> httpx.Response:
        _check_mode(app)
        run = self.runs.get(run_id)
        if run is None or run.app is not app:
            raise Problem(404, "not_found", "Workflow run not found.")
        return httpx.Response(200, json=run.details())

    def _stop(self, app: App, task_id: str, request: httpx.Request) -> httpx.Response:
        _check_mode(app)
        user = _json(request).get("user")
        if not user:
            raise Problem(400, "invalid_param", "Arg user must be provided.")
        for run in self.runs.values():
            if (run.task_id, run.user) == (task_id, user) and not run.is_over:
                run.status, run.outputs = "stopped", {}
                run.end()
        return httpx.Response(200, json={"result": "success"})

    def _upload(self, request: httpx.Request) -> httpx.Response:
        parts = _form(request)
        files = [part for part in parts if part.get_param("name", header=_HEADER) == "file"]
        if not files:
            raise Problem(400, "no_file_uploaded", "Please upload your file.")
        if len(files) > 1:
            raise Problem(400, "too_many_files", "Only one file is allowed.")
        name, content = files[0].get_filename(), files[0].get_payload(decode=True)
        if not name:
            raise Problem(400, "filename_not_exists_error", "The filename does not exist.")
        if name.endswith(".exe"):
            raise Problem(415, "unsupported_file_type", "File type not allowed.")
        assert isinstance(content, bytes)
        if len(content) > 1_000_000:
            raise Problem(413, "file_too_large", "File size exceeded.")
        file_id = str(uuid.uuid4())
        self.files[file_id] = (name, content)
        told = {"id": file_id, "name": name, "size": len(content), "created_at": CREATED_AT}
        return httpx.Response(201, json=told)


class ByteStream(httpx.SyncByteStream):
    """A body that comes in chunks; making the next may take time or break the connection."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


def event_stream(chunks: Iterator[bytes]) -> httpx.Response:
    """An answer with a stream of events."""
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    return httpx.Response(200, headers=headers, stream=ByteStream(chunks))


def sse(event: Event) -> bytes:
    """An event as Dify writes it."""
    return b"data: " + orjson.dumps(event) + b"\n\n"


def _met(faults: deque[Fault], answer: Callable[[], httpx.Response]) -> httpx.Response:
    try:
        fault = faults.popleft()
    except IndexError:
        return answer()
    return fault(answer)


def _unread(response: httpx.Response) -> httpx.Response:
    if not response.is_stream_consumed:
        return response
    chunks = iter([response.content] if response.content else [])
    return httpx.Response(response.status_code, headers=response.headers, stream=ByteStream(chunks))


def _check_mode(app: App) -> None:
    if app.mode != "workflow":
        message = "Please check if your app mode matches the right API route."
        raise Problem(400, "not_workflow_app", message)


def _json(request: httpx.Request) -> dict[str, Any]:
    try:
        found = orjson.loads(request.read())
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Problem(400, "bad_request", "Invalid JSON payload received or payload is empty.")
    return found


_HEADER = "content-disposition"


def _form(request: httpx.Request) -> list[Message]:
    """The parts of a form; MIME and multipart forms (RFC 7578) share their syntax."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + request.read()).get_payload()
    assert isinstance(parts, list)
    return [part for part in parts if isinstance(part, Message)]

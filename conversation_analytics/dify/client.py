"""Runs the workflow of one Dify app, and has its result however the answer gets lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import httpx

from conversation_analytics.dify.answers import Answer, BadAnswer, json_object
from conversation_analytics.dify.connection import AnswerLost, Connection
from conversation_analytics.dify.events import Event, event_of
from conversation_analytics.dify.files import (
    FileInput,
    LocalFile,
    UploadedFile,
    type_of,
    with_files,
)
from conversation_analytics.dify.runs import OnStarted, Progress, WorkflowRun
from conversation_analytics.errors import (
    DifyBusy,
    DifyCallRefused,
    DifyOutcomeUnknown,
    DifyRunNotFound,
    DifyRunUnfinished,
    DifyUnavailable,
)

T = TypeVar("T")

ResponseMode = Literal["streaming", "blocking"]
OnEvent = Callable[[Event], None]

_ENDING = ("workflow_finished", "workflow_paused")


class DifyClient:
    """The workflow of one app; safe to use from several threads.

    What a call may cost: it is sent again only if it was turned down or never sent. From the moment
    its run is known, which with streaming is its first event, the run is read back by its id and
    never started again. Otherwise `DifyOutcomeUnknown` leaves that to the caller.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        key_name: str = "DIFY_API_KEY",
        max_retries: int = 5,
        retry_delay: float = 1.0,
        idle_timeout: float = 60.0,
        run_timeout: float = 1_200.0,
        poll_interval: float = 2.0,
        max_concurrency: int = 8,
        calls_per_minute: float | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Set up without any I/O.

        Args:
            base_url: address of the Service API, with ``/v1``.
            api_key: the app's key.
            key_name: the setting that the key is from, for messages.
            max_retries: how often a request is sent again at most.
            retry_delay: seconds before the second try; doubles with every further one.
            idle_timeout: seconds to wait for the next byte; well above the 10 between two pings.
            run_timeout: seconds a run may take, waiting for it to be read back included. A blocking
                call gives no sign of life in between, so only this ends it.
            poll_interval: seconds between two looks at a run that is read back.
            max_concurrency: most runs at once.
            calls_per_minute: most runs started in a minute; null for any number.
            transport: replaces the network, for tests.

        Raises:
            DifyAccessDenied: the key holds characters no HTTP header can carry.
            SettingsError: the address is none, or holds credentials.
        """
        self._connection = Connection(
            base_url=base_url,
            api_key=api_key,
            key_name=key_name,
            max_retries=max_retries,
            retry_delay=retry_delay,
            calls_per_minute=calls_per_minute,
            transport=transport,
        )
        self._idle_timeout = idle_timeout
        self._run_timeout = run_timeout
        self._poll_interval = poll_interval
        self._slots = threading.BoundedSemaphore(max_concurrency)

    def __repr__(self) -> str:
        return f"DifyClient({self.location!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def location(self) -> str:
        """The address of the API, which holds no credentials."""
        return self._connection.location

    @property
    def idle_timeout(self) -> float:
        """Seconds after which a call that gives no sign of life is given up."""
        return self._idle_timeout

    @property
    def run_timeout(self) -> float:
        """Seconds a run may take."""
        return self._run_timeout

    def run_workflow(
        self,
        inputs: Mapping[str, Any],
        user: str,
        *,
        files: Sequence[FileInput] = (),
        response_mode: ResponseMode = "streaming",
        on_started: OnStarted | None = None,
        on_event: OnEvent | None = None,
    ) -> WorkflowRun:
        """Run the workflow once, and wait for its result.

        Args:
            inputs: values of the start node's variables by name; files are `FileInput`.
            user: whom Dify counts the call for.
            files: files for workflows of the older kind, which take them beside their inputs.
            response_mode: how Dify answers. A blocking call is cut off by proxies after one or two
                minutes, and its run cannot be found again then.
            on_started: told the run's id and, if known, its task's as soon as they are known,
                before anything else is done; once.
            on_event: told every event of the stream.

        Returns:
            The run when it is over, whatever its status.

        Raises:
            DifyUnavailable: nothing was started: Dify cannot be reached.
            DifyBusy: nothing was started: Dify takes no more calls.
            DifyRunUnfinished: the run did not end in time or cannot be read back yet.
            DifyOutcomeUnknown: the answer was lost before the run was known.
            DifyError: any other refusal; ``run_id`` says whether a run was started.
        """
        with self._slots:
            progress = Progress(on_started)
            body = self._body(inputs, user, files, response_mode)
            streaming = response_mode == "streaming"
            try:
                return self._connection.ask(
                    "POST",
                    "/workflows/run",
                    content=body,
                    headers={"content-type": "application/json"},
                    read=lambda answer: self._result(answer, progress, on_event),
                    repeatable=False,
                    idle_seconds=self._idle_timeout if streaming else self._run_timeout,
                    seconds=self._run_timeout,
                )
            except AnswerLost as error:
                if progress.run_id is None:
                    raise DifyOutcomeUnknown(
                        f"Dify at {self.location} {error}, before it named a run: whether one was "
                        "started and has to be paid for cannot be told, but the app's logs in "
                        "Dify show it. If this happens always, check DIFY_BASE_URL."
                    ) from error
                return self._wait(progress, progress.run_id)

    def read_run(self, run_id: str) -> WorkflowRun:
        """Look at a run once; it may be still running.

        Raises:
            DifyRunNotFound: Dify does not know it.
            DifyError: it cannot be read.
        """
        return self._look(Progress(run_id=run_id), run_id)

    def wait_for_run(self, run_id: str) -> WorkflowRun:
        """Read back a run that was started before, waiting until it is over.

        Raises:
            DifyRunNotFound: Dify does not know it.
            DifyRunUnfinished: it did not end in time, or cannot be read for now.
            DifyError: it cannot be read at all.
        """
        return self._wait(Progress(run_id=run_id), run_id)

    def stop(self, task_id: str, user: str) -> None:
        """Stop a run that streams; what it has cost by then is paid.

        Args:
            task_id: its task, as told to ``on_started``.
            user: the user it was started for.

        Raises:
            DifyError: it could not be told to stop.
        """
        self._ask(
            "POST",
            f"/workflows/tasks/{quote(task_id, safe='')}/stop",
            read=lambda answer: json_object(answer.read()),
            json={"user": user},
        )

    def upload(self, file: LocalFile, user: str) -> UploadedFile:
        """Upload a file, for calls of the same user.

        Raises:
            DifyCallRefused: it cannot be read here, or Dify takes no such file.
            DifyError: it could not be uploaded.
        """
        try:
            content = file.path.read_bytes()
        except OSError as error:
            raise DifyCallRefused(
                f"{file.path} cannot be read ({error.strerror}): name a file that this user may "
                "read."
            ) from error
        file_id = self._ask(
            "POST",
            "/files/upload",
            read=_file_id,
            data={"user": user},
            files={"file": (file.path.name, content)},
        )
        return UploadedFile(file_id, file.type or type_of(file.path.name))

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _ask(self, method: str, path: str, *, read: Callable[[Answer], T], **content: Any) -> T:
        """Ask for something that costs nothing."""
        return self._connection.ask(
            method,
            path,
            read=read,
            repeatable=True,
            idle_seconds=self._idle_timeout,
            seconds=self._run_timeout,
            **content,
        )

    def _body(
        self,
        inputs: Mapping[str, Any],
        user: str,
        files: Sequence[FileInput],
        response_mode: ResponseMode,
    ) -> bytes:
        def upload(file: LocalFile) -> UploadedFile:
            return self.upload(file, user)

        body = {
            "inputs": with_files(inputs, upload),
            "response_mode": response_mode,
            "user": user,
            **(with_files({"files": files}, upload) if files else {}),
        }
        try:
            return json.dumps(body, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise DifyCallRefused(
                f"The inputs cannot be sent to Dify: {error}. Give texts, whole or finite numbers, "
                "truth values, files, and lists and objects of them."
            ) from error

    def _result(self, answer: Answer, progress: Progress, on_event: OnEvent | None) -> WorkflowRun:
        """The run that a successful answer tells of, also if it is not of the mode asked for."""
        if not answer.is_stream:
            return self._blocking(answer.read(), progress)
        events = answer.events()
        for event in events:
            progress.note(event)
            if on_event:
                on_event(event)
            if event.kind == "error":
                raise self._connection.refused(
                    event.payload, run_id=progress.run_id, task_id=progress.task_id
                )
            # A result whose bytes were no UTF-8 is read back instead.
            if event.kind in _ENDING and not event.damaged:
                run = progress.run(event.data, obtained="streamed")
                answer.finish(events)
                return run
        if answer.beginning.lstrip().startswith(b"{"):  # JSON that says it is a stream
            return self._blocking(answer.beginning, progress)
        raise BadAnswer("a stream that ends without a result")

    def _blocking(self, body: bytes, progress: Progress) -> WorkflowRun:
        found = json_object(body)
        details = found.get("data")
        if not isinstance(details, dict):
            raise self._connection.refused(found, run_id=None, task_id=None)
        progress.note(event_of(found))
        return progress.run(details, obtained="blocking")

    def _look(self, progress: Progress, run_id: str) -> WorkflowRun:
        def read(answer: Answer) -> WorkflowRun | None:
            details = json_object(answer.read())
            if not details.get("id"):  # how older versions answer for a run that is not there
                return None
            return progress.run(details, obtained="read_back")

        path = f"/workflows/run/{quote(run_id, safe='')}"
        try:
            found = self._ask("GET", path, read=read)
        except DifyCallRefused as error:
            if error.code != "not_found":
                raise
            found = None
        if found is None:
            raise DifyRunNotFound(
                f"Dify at {self.location} has no run {run_id}: it is of another app, or its logs "
                "were cleared.",
                run_id=run_id,
                task_id=progress.task_id,
            )
        return found

    def _wait(self, progress: Progress, run_id: str) -> WorkflowRun:
        """Look at a run until it is over; it may show up only a while after it was started."""
        end = (progress.started_at or time.monotonic()) + self._run_timeout
        missed = 0
        while True:
            state = "is not there yet"
            try:
                run = self._look(progress, run_id)
                if run.is_over:
                    return run
                state = f"is {run.status}"
            except DifyRunNotFound:
                missed += 1
                if missed > self._connection.max_retries:
                    raise
            except (DifyBusy, DifyUnavailable) as error:
                raise self._unfinished(f"cannot be read: {error}", progress, run_id) from error
            if time.monotonic() + self._poll_interval > end:
                raise self._unfinished(f"{state} after {self._run_timeout:g} s.", progress, run_id)
            time.sleep(self._poll_interval)

    def _unfinished(self, what: str, progress: Progress, run_id: str) -> DifyRunUnfinished:
        return DifyRunUnfinished(
            f"Run {run_id} of Dify at {self.location} was started and {what} It can be read back "
            "later by its id without being paid for again.",
            run_id=run_id,
            task_id=progress.task_id,
        )


def _file_id(answer: Answer) -> str:
    file_id = json_object(answer.read()).get("id")
    if not isinstance(file_id, str) or not file_id:
        raise BadAnswer("a file without an id")
    return file_id

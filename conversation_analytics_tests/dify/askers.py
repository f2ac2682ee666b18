"""Questions whose answers are easy to foresee, and those who ask them."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from conversation_analytics.dify.asking import PaidAsker
from conversation_analytics.dify.questions import Question, Reply, Unanswered
from conversation_analytics.dify.runs import WorkflowRun
from conversation_analytics.storage import failpoints
from conversation_analytics.storage.encoding import digest
from conversation_analytics_tests.dify.clients import client_of
from conversation_analytics_tests.services.dify_contract import App, DifyContract

WORKFLOW = "echo-1"
# How often a text is paid for altogether if the process ends at that moment.
WORST = {
    failpoints.DIFY_INTENT: 1,
    failpoints.DIFY_CLAIM: 1,
    failpoints.DIFY_CALL: 1,
    failpoints.DIFY_STARTED: 2,
    failpoints.DIFY_RESULT: 1,
}
LEFT_OUT = "left out"
DEADLY = "deadly"


class Echo:
    """Asks for several texts at once; the answer to a text depends on its place among them."""

    workflow = WORKFLOW

    def inputs(self, questions: Sequence[Question]) -> Mapping[str, Any]:
        return {"text": "\n".join(question.content["text"] for question in questions)}

    def answers(self, run: WorkflowRun, questions: Sequence[Question]) -> Mapping[str, Any]:
        if "text" not in run.outputs:
            return {one.key: Unanswered(run.error or "no output") for one in questions}
        lines = run.outputs["text"].split("\n")
        pairs = zip(questions, lines, strict=True)
        return {question.key: line for question, line in pairs if line != LEFT_OUT}


def echo(inputs: dict[str, Any]) -> dict[str, Any]:
    """The workflow: fails for deadly texts, and has no answer to texts that it leaves out."""
    lines = inputs["text"].split("\n")
    if any(line.startswith(DEADLY) for line in lines):
        raise ValueError("the model died")
    return {"text": "\n".join(LEFT_OUT if LEFT_OUT in line else f"<{line}>" for line in lines)}


def echoing(**changes: Any) -> DifyContract:
    """A Dify that has the workflow."""
    return DifyContract(App(workflow=echo, **changes))


def question(text: str) -> Question:
    return Question(digest(text.encode()), {"text": text})


def questions(count: int) -> list[Question]:
    return [question(f"text {number}") for number in range(count)]


def asker_of(dify: DifyContract | str, store: Any, **changes: Any) -> PaidAsker:
    """An asker for one text a call, and a client that does not wait for long."""
    of_client = ("idle_timeout", "run_timeout", "max_retries", "retry_delay", "calls_per_minute")
    client = {name: changes.pop(name) for name in of_client if name in changes}
    options = {"user": "user", "batch_size": 1, "max_concurrency": 4, **changes}
    return PaidAsker(store, client_of(dify, **client), Echo(), **options)


def paid(dify: DifyContract) -> Counter[str]:
    """How many runs were started for each text."""
    runs = list(dify.runs.values())
    return Counter(text for run in runs for text in run.inputs["text"].split("\n"))


def answered(replies: Mapping[str, Reply], asked: Iterable[Question]) -> bool:
    """Whether every question has its own answer."""
    return all(
        (replies[one.key].status, replies[one.key].value)
        == ("succeeded", f"<{one.content['text']}>")
        for one in asked
    )


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    """Do things at the same moment."""
    barrier = threading.Barrier(len(tasks))

    def begin(task: Callable[[], Any]) -> Any:
        barrier.wait(10)
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(begin, tasks))


def statuses(replies: Mapping[str, Reply]) -> Counter[str]:
    return Counter(reply.status for reply in replies.values())


class MemoryStore:
    """Objects in this process; implements `ObjectStore`.

    Args:
        conditional: Whether creating is one step, or a look followed by a put.
    """

    url = "memory"

    def __init__(self, *, conditional: bool = True) -> None:
        self.conditional = conditional
        self.objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    def put_all(self, objects: Sequence[tuple[str, bytes]]) -> None:
        self.objects.update(objects)

    def create(self, key: str, data: bytes) -> bool:
        with self._lock:
            return self.objects.setdefault(key, data) is data

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key in list(self.objects) if key.startswith(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.objects.pop(key, None)

    def discard_abandoned(self, folder: str) -> None:
        pass


class Killed(BaseException):
    """Stands for the end of the process."""


class Killer:
    """Ends whatever reaches a failpoint the nth time, and everything after it."""

    def __init__(self, name: str, number: int = 1) -> None:
        self._name = name
        self._left = number
        self.is_dead = False

    def __call__(self, name: str) -> None:
        self._left -= name == self._name
        self.is_dead |= self._left <= 0 and name == self._name
        if self.is_dead:
            raise Killed(name)


@contextmanager
def interrupted(condition: threading.Event) -> Iterator[None]:
    """Send this process a SIGINT as soon as something has happened, and handle it as Python does.

    Tests of Dagster may have left it another way of handling one.
    """

    def send() -> None:
        condition.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        sender.join()
        signal.signal(signal.SIGINT, before)

"""A process that loads exports, and that a load kills or stops at a failpoint.

Started as ``python -m conversation_analytics_tests.chaos.victim`` it has everything imported and
nothing opened; each load runs in a fork of it, which is as good as a fresh process and starts at
once. It speaks lines of JSON: a load comes in, what became of it goes out.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from conversation_analytics.categorization.days import labeller_for
from conversation_analytics.compute.runner import InProcessRunner
from conversation_analytics.settings import Settings, load_settings
from conversation_analytics.sources.open import open_source
from conversation_analytics.storage.collections import COLLECTIONS
from conversation_analytics.storage.days import Request, commit_days
from conversation_analytics.storage.failpoints import handling
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.mongo import DayWriter, connect, recorded
from conversation_analytics.storage.publish import lake_days, publish_days
from conversation_analytics.transforms.derived import DerivedDays
from conversation_analytics.transforms.raw import RawDays
from conversation_analytics_tests.builders import derivations

logger = logging.getLogger(__name__)

# Small enough that a day takes several requests.
MONGO_BATCH_SIZE = 4


@dataclass(frozen=True)
class Interruption:
    """What happens to a load.

    Attributes:
        name: The failpoint.
        nth: Which time it is reached, from 1.
        signal: What the process then sends itself.
    """

    name: str
    nth: int
    signal: int = signal.SIGKILL


@dataclass(frozen=True)
class Load:
    """Some days to be brought from the source through the lake to MongoDB.

    Attributes:
        settings: Values for `load_settings`.
        days: The days, as ISO dates.
        request: Names the request; one with the same name goes on where the other died.
        interruption: What happens to it, if anything.
    """

    settings: dict[str, Any]
    days: Sequence[str]
    request: str
    interruption: Interruption | None = None


@dataclass
class Outcome:
    """What became of a load.

    Attributes:
        signal: What killed it, 0 if nothing did.
        reached: How often each failpoint was reached; empty if it was killed.
        errors: Errors of days, as they were reported.
        logged: Lines that were logged as errors.
    """

    signal: int = 0
    reached: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)


def run(load: Load) -> list[str]:
    """Do all of a load, here; gives the errors of days."""
    settings = load_settings(None, **load.settings)
    lake, runner = open_lake(settings), InProcessRunner()
    days = [date.fromisoformat(day) for day in load.days]
    request = Request(load.request, "campaign")
    opened = open_source(settings)
    reports = list(commit_days(lake, RawDays(settings, lake, opened, days, request, runner)))
    opened.source.close()
    lake.index.compact(force=True)
    for how in derivations(settings, lake).values():
        items = DerivedDays(settings, lake, how, days, request, runner)
        reports += commit_days(lake, items)
    errors = [report.error for report in reports if report.error]
    return errors + (publish(settings, lake, days) if settings.mongodb_uri else [])


def publish(settings: Settings, lake: Lake, days: Sequence[date]) -> list[str]:
    """Bring days of the lake to MongoDB; gives the errors of days."""
    assert settings.mongodb_uri is not None
    uri = settings.mongodb_uri.get_secret_value()
    database = connect(uri, database=settings.mongodb_database)
    errors = []
    for collection in COLLECTIONS.values():
        name = collection.name(settings)
        writer = DayWriter(database, name, batch_size=MONGO_BATCH_SIZE, io_threads=2)
        items = lake_days(lake, collection, days, recorded(database, name))
        errors += [done.error for done in publish_days(writer, items) if done.error]
    database.client.close()
    return errors


class _Handler:
    """Counts the failpoints, and sends this process the signal at the one that was chosen."""

    def __init__(self, interruption: Interruption | None) -> None:
        self.reached: Counter[str] = Counter()
        self._interruption = interruption
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        with self._lock:
            self.reached[name] += 1
            chosen = self._interruption
            if chosen and (name, self.reached[name]) == (chosen.name, chosen.nth):
                os.kill(os.getpid(), chosen.signal)


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _run_and_tell(load: Load, pipe: int) -> None:
    handler, log = _Handler(load.interruption), _Lines()
    logging.getLogger("conversation_analytics").addHandler(log)
    with handling(handler):
        errors = run(load)
    outcome = Outcome(0, dict(handler.reached), errors, log.lines)
    os.write(pipe, json.dumps(asdict(outcome)).encode())


def _run_in_a_fork(load: Load) -> Outcome:
    """Run a load; says the process id of it each time it has stopped itself."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _run_and_tell(load, writing)
        except Exception:
            logger.exception("the load failed")
        os._exit(0)
    os.close(writing)
    while os.WIFSTOPPED(status := os.waitpid(child, os.WUNTRACED)[1]):
        _say({"stopped": child})
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    if os.WIFSIGNALED(status):
        return Outcome(os.WTERMSIG(status))
    assert told, "the load failed; its traceback is above"
    return Outcome(**json.loads(told))


def main() -> None:
    labeller_for(load_settings(None))  # once for all loads
    for line in sys.stdin:
        asked = json.loads(line)
        chosen = asked.pop("interruption")
        load = Load(**asked, interruption=Interruption(**chosen) if chosen else None)
        _say(asdict(_run_in_a_fork(load)))


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


class Victim:
    """The process, as a test sees it."""

    def __init__(self, process: subprocess.Popen[str], thread: ThreadPoolExecutor) -> None:
        self._process = process
        self._thread = thread

    def start(self, load: Load) -> Future[Outcome]:
        """Begin a load; the next one begins when it is done."""
        return self._thread.submit(self._ask, load)

    def run(self, load: Load) -> Outcome:
        """Do a load to its end."""
        return self.start(load).result()

    def start_and_stop(self, load: Load) -> int:
        """Begin a load that stops itself; gives the process to wake. `finish` gives the rest."""
        self._send(load)
        stopped: int = self._answer()["stopped"]
        return stopped

    def finish(self) -> Outcome:
        """The outcome of a load that was stopped and woken."""
        return Outcome(**self._answer())

    def _ask(self, load: Load) -> Outcome:
        self._send(load)
        return self.finish()

    def _send(self, load: Load) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(load)) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> Mapping[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the victim ended; its traceback is on stderr"
        answer: Mapping[str, Any] = json.loads(line)
        return answer


@contextmanager
def start_victim() -> Iterator[Victim]:
    """Run a victim until the block ends."""
    command = [sys.executable, "-m", __name__]
    how: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    how["start_new_session"] = True
    with subprocess.Popen(command, **how) as process, ThreadPoolExecutor(1) as thread:
        try:
            yield Victim(process, thread)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # with a load that still stands still


if __name__ == "__main__":
    main()

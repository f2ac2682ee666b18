"""Who runs the work of a day: this process, its threads, or a pool of worker processes.

A task is a picklable value and the function a top-level one, so that other runners, on other
machines, fit behind the same method.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Protocol, TypeVar

from conversation_analytics.errors import ConversationAnalyticsError
from conversation_analytics.settings import Settings

# Imported once by the fork server, so that workers start fast and share the memory of it.
_SHARED = ["duckdb", "numpy", "orjson", "pyarrow.compute", "pyarrow.parquet", "pydantic"]
_WAITING_AT_ONCE = 4

Task = TypeVar("Task")
Result = TypeVar("Result")


class Runner(Protocol):
    """Runs a function on tasks."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results in the order of the tasks, lazily: tasks are taken only shortly before.

        Raises:
            ConversationAnalyticsError: a worker process died.
        """
        ...

    def close(self) -> None:
        """Stop the workers."""
        ...


class InProcessRunner:
    """Runs every task here, when its result is asked for."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """See `Runner`."""
        return map(function, tasks)

    def close(self) -> None:
        """Nothing to stop."""


class ThreadRunner:
    """Runs tasks that mostly wait, such as for a network, in threads of this process."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads)

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """See `Runner`."""
        return _ahead(self._pool, self._threads, function, tasks)

    def close(self) -> None:
        """Stop the threads, once what they are at is done."""
        self._pool.shutdown(cancel_futures=True)


class ProcessPoolRunner:
    """Runs tasks in worker processes, at most one more under way than there are workers.

    Workers come from a fork server: forking this process itself would copy locks that its
    threads hold.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """See `Runner`."""
        try:
            yield from _ahead(self._open(), self._workers + 1, function, tasks)
        except BrokenProcessPool as error:
            self._pool = None
            raise ConversationAnalyticsError(
                f"one of {self._workers} worker processes died, most likely for want of memory: "
                "lower MAX_WORKERS or CHUNK_SIZE, or set ENABLE_MULTITHREADING=false (in a script "
                "of your own, also for want of an if __name__ == '__main__' guard)"
            ) from error

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(_SHARED)
            self._pool = ProcessPoolExecutor(self._workers, mp_context=context)
        return self._pool

    def close(self) -> None:
        """Stop the workers, once what they are at is done."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _ahead(
    pool: Executor, most: int, function: Callable[[Task], Result], tasks: Iterable[Task]
) -> Iterator[Result]:
    """Results in the order of the tasks, of which at most so many are under way at once."""
    source = iter(tasks)
    pending: deque[Future[Result]] = deque()
    try:
        pending.extend(pool.submit(function, task) for task in islice(source, most))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(function, task) for task in islice(source, 1))
            yield result
    finally:
        for future in pending:
            future.cancel()


def runner_for(settings: Settings) -> Runner:
    """The runner the settings ask for."""
    return InProcessRunner() if settings.workers == 1 else ProcessPoolRunner(settings.workers)


def waiting_runner_for(settings: Settings) -> Runner:
    """The runner of days that mostly wait for others: a few at once, as each is in memory."""
    if not settings.enable_multithreading:
        return InProcessRunner()
    return ThreadRunner(min(settings.io_threads, _WAITING_AT_ONCE))

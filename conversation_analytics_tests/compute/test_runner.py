"""Runners: in order, lazily, and gone when they are closed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversation_analytics.compute.runner import (
    InProcessRunner,
    ProcessPoolRunner,
    Runner,
    ThreadRunner,
    waiting_runner_for,
)
from conversation_analytics.errors import ConversationAnalyticsError, StaleInput
from conversation_analytics.settings import load_settings

WORKERS = 2


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolRunner]:
    runner = ProcessPoolRunner(WORKERS)
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadRunner]:
    runner = ThreadRunner(WORKERS)
    yield runner
    runner.close()


@pytest.fixture(params=["in process", "threads", "pool"])
def runner(
    request: pytest.FixtureRequest, pool: ProcessPoolRunner, threads: ThreadRunner
) -> Runner:
    return {"in process": InProcessRunner(), "threads": threads, "pool": pool}[request.param]


def square(number: int) -> int:
    return number * number


def process_id(_: int) -> int:
    return os.getpid()


def refuse_three(number: int) -> int:
    if number == 3:
        raise StaleInput("three changed meanwhile")
    return number


def die(_: int) -> None:
    os._exit(1)


class Tasks:
    """Numbers that count how many of them were taken."""

    def __init__(self, count: int) -> None:
        self.taken = 0
        self.count = count

    def __iter__(self) -> Iterator[int]:
        for number in range(self.count):
            self.taken += 1
            yield number


def test_results_come_in_the_order_of_the_tasks(runner: Runner) -> None:
    assert list(runner.map(square, range(20))) == [n * n for n in range(20)]


def test_no_tasks_give_no_results(runner: Runner) -> None:
    assert list(runner.map(square, [])) == []


def test_nothing_is_taken_before_the_first_result_is_asked_for(runner: Runner) -> None:
    tasks = Tasks(5)
    results = runner.map(square, tasks)
    assert tasks.taken == 0
    assert list(results) == [0, 1, 4, 9, 16]


def test_in_process_a_task_is_taken_when_its_result_is_asked_for() -> None:
    tasks = Tasks(9)
    results = InProcessRunner().map(square, tasks)
    for number in range(3):
        next(results)
        assert tasks.taken == number + 1


def test_a_pool_takes_at_most_one_task_more_than_it_has_workers(pool: ProcessPoolRunner) -> None:
    tasks = Tasks(9)
    for number, _ in enumerate(pool.map(square, tasks)):
        assert tasks.taken <= number + 1 + WORKERS + 1
    assert tasks.taken == 9


def test_an_error_comes_in_its_place_and_as_it_is(runner: Runner) -> None:
    results = runner.map(refuse_three, range(6))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(StaleInput, match="three changed meanwhile"):
        next(results)


def test_after_an_error_the_runner_works_on(runner: Runner) -> None:
    with pytest.raises(StaleInput):
        list(runner.map(refuse_three, range(6)))
    assert list(runner.map(square, [5])) == [25]


def test_results_left_unread_leave_nothing_behind(runner: Runner) -> None:
    results = runner.map(square, Tasks(50))
    next(results)
    del results
    assert list(runner.map(square, [7])) == [49]


def test_a_pool_works_outside_this_process(pool: ProcessPoolRunner) -> None:
    assert os.getpid() not in set(pool.map(process_id, range(4)))
    assert set(InProcessRunner().map(process_id, range(4))) == {os.getpid()}


def test_a_dead_worker_is_told_with_advice_and_replaced() -> None:
    runner = ProcessPoolRunner(WORKERS)
    try:
        with pytest.raises(ConversationAnalyticsError, match="lower MAX_WORKERS or CHUNK_SIZE"):
            list(runner.map(die, [1]))
        assert list(runner.map(square, [3])) == [9]
    finally:
        runner.close()


def test_close_ends_the_workers_and_may_be_repeated() -> None:
    runner = ProcessPoolRunner(1)
    [worker] = runner.map(process_id, [0])
    runner.close()
    runner.close()
    assert not Path(f"/proc/{worker}").exists()
    InProcessRunner().close()


def test_threads_work_in_this_process_and_take_no_more_tasks_than_there_are(
    threads: ThreadRunner,
) -> None:
    tasks = Tasks(9)
    for number, process in enumerate(threads.map(process_id, tasks)):
        assert process == os.getpid()
        assert tasks.taken <= number + 1 + WORKERS
    assert tasks.taken == 9


def test_threads_wait_for_several_tasks_at_once(threads: ThreadRunner) -> None:
    met = threading.Barrier(WORKERS, timeout=60)

    assert list(threads.map(lambda number: (met.wait(), number)[1], range(WORKERS))) == [0, 1]


def test_days_that_wait_do_so_in_threads_unless_all_is_to_be_one_after_another() -> None:
    at_once = waiting_runner_for(load_settings(None))
    one_by_one = waiting_runner_for(load_settings(None, enable_multithreading=False))

    assert isinstance(at_once, ThreadRunner)
    assert isinstance(one_by_one, InProcessRunner)
    at_once.close()

"""Loads killed with SIGKILL at every durable side effect: nothing half, nothing lost, no trace.

`make test` kills a load once at each failpoint it reaches; `make chaos` up to two dozen times,
spread over all the times it is reached.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conversation_analytics.storage import failpoints
from conversation_analytics_tests.chaos import LONG, scaled
from conversation_analytics_tests.chaos.disturbances import memory
from conversation_analytics_tests.chaos.kill_exports import assert_converged
from conversation_analytics_tests.chaos.kill_stage import Course, Stage, spread
from conversation_analytics_tests.chaos.victim import Interruption, start_victim

pytestmark = pytest.mark.services

MOST_KILLS_AT_A_FAILPOINT = scaled(1, 24)

COMMIT = [
    failpoints.CLAIM,
    failpoints.PUT,
    failpoints.MANIFEST,
    failpoints.INDEX,
    failpoints.FOLD,
    failpoints.TIDY,
]
PUBLISH = [failpoints.MONGO_CLAIM, failpoints.MONGO_BATCH, failpoints.MONGO_DAY]
LOCAL_FIRST = Course("local", again=False, mongo=True)
LOCAL_AGAIN = Course("local", again=True, mongo=True)
SPLIT = Course("local", again=True, split=True)
S3_FIRST = Course("s3", again=False)
S3_AGAIN = Course("s3", again=True, split=True)

KILLS = [
    *((LOCAL_FIRST, name) for name in (*COMMIT, failpoints.TEMPORARY, *PUBLISH)),
    *((LOCAL_AGAIN, name) for name in (*(COMMIT if LONG else COMMIT[::2]), *PUBLISH)),
    (LOCAL_AGAIN, failpoints.TEMPORARY),
    (LOCAL_AGAIN, failpoints.MONGO_DELETE),
    *((SPLIT, name) for name in (failpoints.PUT, failpoints.MANIFEST, failpoints.TIDY)),
    *((S3_FIRST, name) for name in (COMMIT if LONG else COMMIT[::3])),
    *((S3_AGAIN, name) for name in (COMMIT if LONG else COMMIT[1::3])),
]


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with (
        tempfile.TemporaryDirectory(prefix="kills-", dir=memory()) as folder,
        start_victim() as victim,
    ):
        yield Stage(
            Path(folder),
            victim,
            lambda: request.getfixturevalue("moto_s3"),
            lambda: request.getfixturevalue("mongod"),
        )


@pytest.mark.parametrize(
    ("course", "name"), KILLS, ids=[f"{course.name}: {name}" for course, name in KILLS]
)
def test_a_load_that_is_killed_leaves_no_half_day_and_the_next_one_completes_it(
    stage: Stage, course: Course, name: str, record_property: Callable[[str, object], None]
) -> None:
    times = stage.reached(course)[name]
    kills = spread(times, MOST_KILLS_AT_A_FAILPOINT)
    for nth in kills:
        stage.kill(course, Interruption(name, nth))
    record_property("kills", len(kills))


@pytest.mark.parametrize("store", ["local", "s3"])
def test_a_writer_that_wakes_late_is_refused_and_says_so(stage: Stage, store: str) -> None:
    course = Course(store, again=False, split=True, mongo=True)
    first, second = stage.first(store), stage.second(store)
    with stage.place(course) as place, start_victim() as other:
        # It has claimed and read all days, and committed the first one.
        stop = Interruption(failpoints.INDEX, 1, signal.SIGSTOP)
        sleeping = other.start_and_stop(replace(place.load(first, "late"), interruption=stop))
        assert stage.victim.run(place.load(second, "in time")).errors == []
        os.kill(sleeping, signal.SIGCONT)
        woken = other.finish()
        for error, day in zip(woken.errors, first.days[1:], strict=True):
            assert f"raw of {day}: epoch 1 was overtaken by epoch 2 of another run" in error
        assert woken.logged == woken.errors
        assert_converged(place.lake, second)
        stage.assert_published(place, second)


def test_a_publisher_that_wakes_late_is_refused_and_what_it_did_is_put_right(stage: Stage) -> None:
    course = Course("local", again=False, mongo=True)
    with stage.place(course) as place, start_victim() as other:
        stop = Interruption(failpoints.MONGO_BATCH, 2, signal.SIGSTOP)
        load = place.load(stage.first(), "late")
        sleeping = other.start_and_stop(replace(load, interruption=stop))
        newest = place.load(stage.second(), "in time")
        assert stage.victim.run(newest).errors == []
        os.kill(sleeping, signal.SIGCONT)
        woken = other.finish()
        [error] = woken.errors
        assert "this writer has epoch 1, MongoDB holds epoch 2: a newer writer has the day" in error
        assert woken.logged == [error]
        stage.assert_recorded_days_are_whole(place)
        assert stage.victim.run(newest).errors == []
        stage.assert_published(place, stage.second())

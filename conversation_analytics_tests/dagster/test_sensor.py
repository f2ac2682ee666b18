"""The sensor that follows the source, tick by tick, with every run it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import dagster as dg
import pytest

from conversation_analytics.errors import SourceAccessDenied, SourceUnavailable, StoreUnavailable
from conversation_analytics.run_requests import ATTEMPT_TAG
from conversation_analytics.storage.failpoints import MANIFEST, RUN_REQUEST, handling
from conversation_analytics_tests.dagster.following import Following, fail_on, following
from conversation_analytics_tests.dagster.runs import DAGSTER_WARNS

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Following]:
    """Three days with a conversation each, all of them in the lake."""
    with following(tmp_path, monkeypatch) as opened:
        for number in (2, 3, 5):
            opened.converse(f"c{number}", number)
        opened.sleep(60)
        opened.work()
        yield opened


def refuse(error: Exception) -> None:
    raise error


def run_of_an_edit(home: Following) -> dg.DagsterRun:
    """The run that the sensor asks for after one edit, queued."""
    home.edit("c3")
    home.sleep(60)
    (request,) = home.tick().run_requests or []
    return home.queue(request)


def test_a_new_lake_is_swept_and_filled_and_then_there_is_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with following(tmp_path, monkeypatch) as home:
        for number in (2, 3, 5):
            home.converse(f"c{number}", number)
        home.sleep(60)

        assert home.work() == ["sweep", "02-03", "05-05"]

        assert home.done() == {2, 3, 5}
        tick = home.tick()
        assert tick.run_requests == []
        assert tick.skip_message == "fetched nothing"


def test_an_edit_refreshes_its_day_and_no_other(home: Following) -> None:
    before = home.epochs()
    home.edit("c3")
    home.sleep(60)

    assert home.work() == ["03-03"]

    assert home.epochs() == before | {3: before[3] + 1}


def test_a_day_that_a_run_is_at_work_on_is_not_asked_for(home: Following) -> None:
    run = run_of_an_edit(home)

    waiting = home.tick()
    assert waiting.run_requests == []
    assert "1 days behind wait" in (waiting.skip_message or "")

    assert home.execute(run)
    assert home.asked() == []


def test_a_run_from_the_ui_keeps_the_sensor_off_its_day(home: Following) -> None:
    home.edit("c3")
    home.sleep(60)
    tags = {"dagster/partition": "2024-04-03"}
    job = home.defs.resolve_job_def("daily")
    run = home.instance.create_run_for_job(job, tags=tags)

    assert home.asked() == []
    assert home.execute(run)
    assert home.asked() == []


def test_two_runs_on_one_day_leave_it_right(home: Following) -> None:
    home.edit("c3")
    home.sleep(60)
    (request,) = home.tick().run_requests or []
    ours = home.queue(request)

    theirs = home.launch("daily", tags={"dagster/partition": "2024-04-03"})

    assert theirs.is_success
    assert home.execute(ours)
    assert home.asked() == []


def test_a_failed_run_is_asked_for_again_only_after_pauses_that_grow(
    home: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on(monkeypatch, 3)
    home.edit("c3")
    home.sleep(60)
    pauses = [0, 30, 60, 120]
    for attempt, pause in enumerate(pauses):
        if pause:
            home.sleep(pause - 5)
            assert home.asked() == [], attempt
            home.sleep(10)
        (request,) = home.tick().run_requests or []
        assert request.tags[ATTEMPT_TAG] == str(attempt)
        assert not home.execute(home.queue(request))


def test_new_changes_do_not_shorten_the_pause_of_a_failed_day_nor_wait_for_it(
    home: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on(monkeypatch, 3)
    home.edit("c3")
    home.sleep(60)
    (request,) = home.tick().run_requests or []
    assert not home.execute(home.queue(request))

    home.edit("c2")
    home.edit("c3")
    home.sleep(10)
    assert home.asked() == ["02-02"]
    home.sleep(30)
    assert home.asked() == ["02-02", "03-03"]


def test_a_process_killed_before_it_asks_loses_nothing(home: Following) -> None:
    home.edit("c2")
    home.edit("c5")
    home.sleep(60)

    def die(name: str) -> None:
        if name == RUN_REQUEST:
            raise Killed

    with pytest.raises(Killed), handling(die):
        home.tick()

    assert home.asked() == ["02-02", "05-05"]


def test_a_run_that_was_killed_is_asked_for_again(home: Following) -> None:
    run = run_of_an_edit(home)
    home.kill(run)

    assert home.asked() == []
    home.sleep(40)
    assert home.work() == ["03-03"]


def test_more_runs_than_the_cap_are_asked_for_as_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with following(tmp_path, monkeypatch, partitions_start_date="2024-01-01") as home:
        for month in (1, 2, 3):
            for number in range(1, 28, 4):
                id_ = f"c{month}-{number}"
                home.converse(id_, 1)
                home.source.edit(
                    "conversations",
                    home.source.keys("conversations")[-1],
                    created_at=f"2024-{month:02d}-{number:02d}T10:00:00+00:00",
                )
        home.sleep(60)
        (sweep,) = home.tick().run_requests or []
        assert home.execute(home.queue(sweep))

        first = home.tick().run_requests or []
        runs = [home.queue(request) for request in first]
        assert len(runs) == 10
        assert home.asked() == []
        assert home.execute(runs[0])
        assert len(home.tick().run_requests or []) == 1


def test_a_source_that_cannot_be_reached_fails_the_tick_in_one_line(home: Following) -> None:
    home.edit("c3")
    home.sleep(60)
    home.source.on_page = lambda: refuse(SourceUnavailable("https://n.example.org is not there"))

    with pytest.raises(dg.Failure) as caught:
        home.tick()
    assert caught.value.description == "SourceUnavailable: https://n.example.org is not there"
    assert caught.value.__cause__ is None

    home.source.on_page = lambda: None
    assert home.asked() == ["03-03"]


def test_a_step_that_could_not_reach_the_source_is_run_again(home: Following) -> None:
    run = run_of_an_edit(home)
    failures = iter([SourceUnavailable("not now"), SourceUnavailable("nor now")])

    def fail_twice() -> None:
        for error in failures:
            raise error

    home.source.on_page = fail_twice

    assert home.execute(run)
    assert retries_of(home, run) == 2
    assert home.asked() == []


def test_a_step_that_is_run_again_does_only_the_days_that_are_not_done(home: Following) -> None:
    before = home.epochs()
    home.edit("c2")
    run = run_of_an_edit(home)
    manifests = count()

    def fail_once(name: str) -> None:
        if name == MANIFEST and next(manifests) == 1:
            raise StoreUnavailable("the disk is full")

    with handling(fail_once):
        assert home.execute(run)

    assert retries_of(home, run) == 1
    # The day that failed was claimed twice; the one before it was left alone.
    assert home.epochs() == before | {2: before[2] + 1, 3: before[3] + 2}


def test_a_step_that_keeps_failing_to_reach_the_source_ends_failed(home: Following) -> None:
    run = run_of_an_edit(home)
    home.source.on_page = lambda: refuse(SourceUnavailable("not now"))

    assert not home.execute(run)

    assert retries_of(home, run) == home.settings.max_retries


def test_what_would_only_fail_again_fails_at_once(home: Following) -> None:
    run = run_of_an_edit(home)
    home.source.on_page = lambda: refuse(SourceAccessDenied("the token is wrong"))

    assert not home.execute(run)

    assert retries_of(home, run) == 0


def test_too_many_deletions_fail_the_sweep_which_is_not_repeated_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with following(tmp_path, monkeypatch) as home:
        for number in range(60):
            home.converse(f"c{number}", 3)
        home.sleep(60)
        home.work()
        before = home.epochs()
        for table in ("conversations", "messages"):
            for key in home.source.keys(table):  # type: ignore[arg-type]
                home.source.delete(table, key)  # type: ignore[arg-type]
        home.sleep(600)

        run = home.launch("sweep")

        assert run.status == dg.DagsterRunStatus.FAILURE
        assert retries_of(home, run) == 0
        assert home.asked() == []
        assert home.epochs() == before

        forced = {"ops": {"compare_every_row": {"config": {"force": True}}}}
        assert home.launch("sweep", run_config=forced).is_success


def test_where_changes_do_not_tell_sweeps_rest_ten_times_as_long_as_they_take(
    home: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "conversation_analytics.sync.look._why_sweep", lambda *_: "the source does not tell"
    )
    home.sleep(600)
    (request,) = home.tick().run_requests or []
    run = home.queue(request)
    assert home.asked() == []
    assert home.execute(run)

    assert home.asked() == []
    home.sleep(600)
    assert home.asked() == ["sweep"]


def retries_of(home: Following, run: dg.DagsterRun) -> int:
    """How often a step of a run was run again."""
    restarted = dg.DagsterEventType.STEP_RESTARTED
    return len(home.instance.all_logs(run.run_id, of_type=restarted))

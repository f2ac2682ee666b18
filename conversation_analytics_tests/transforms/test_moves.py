"""Conversations whose start day changes: found whichever of the two days is asked for."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.storage.days import commit_days
from conversation_analytics.storage.lake import Commit
from conversation_analytics.storage.layout import RAW, UNKNOWN_DAY
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics_tests.builders import Pipeline, conversation, message, placed

OLD, NEW, OTHER = date(2024, 1, 2), date(2024, 1, 5), date(2024, 1, 3)
DAYS = (OLD, OTHER, NEW)


def at(day: date, hour: int = 10) -> str:
    return f"{day}T{hour:02d}:00:00+00:00"


def export(pipeline: Pipeline, **days: date) -> None:
    """Conversations that each start on a day, with two messages."""
    rows = [conversation(id_, at(day)) for id_, day in days.items()]
    messages = [
        message(f"{id_}-{hour}", id_, at(day, hour))
        for id_, day in days.items()
        for hour in (10, 11)
    ]
    pipeline.export(rows, messages)


def index(pipeline: Pipeline) -> dict[str, date]:
    """The day of each conversation as the index has it."""
    owners = pipeline.lake.index.snapshot().owners()
    return dict(
        zip(*(owners[name].to_pylist() for name in ("conversation_id", "day")), strict=True)
    )


@pytest.fixture
def moved(tmp_path: Path) -> Pipeline:
    """A lake with three conversations, one of which has changed its day in the source since."""
    pipeline = Pipeline(tmp_path)
    export(pipeline, mover=OLD, stays_old=OLD, stays_new=NEW)
    assert pipeline.run(*DAYS).errors == []
    export(pipeline, mover=NEW, stays_old=OLD, stays_new=NEW)
    return pipeline


@pytest.mark.parametrize("asked", [OLD, NEW])
def test_asking_for_either_day_refreshes_both(moved: Pipeline, asked: date) -> None:
    run = moved.run(asked)

    assert run.errors == []
    for unit in ("raw", "messages", "conversations"):
        assert {day for day in run.outcomes(unit) if day != "unknown"} == {OLD, NEW}
    assert placed(moved, DAYS) == {"mover": NEW, "stays_old": OLD, "stays_new": NEW}
    assert index(moved) == {"mover": NEW, "stays_old": OLD, "stays_new": NEW}
    assert {row["conversation_id"] for row in moved.messages(NEW)} == {"mover", "stays_new"}
    assert {row["conversation_id"] for row in moved.messages(OLD)} == {"stays_old"}


def test_asking_for_another_day_moves_nothing(moved: Pipeline) -> None:
    run = moved.run(OTHER)

    assert set(run.outcomes("raw")) == {OTHER, "unknown"}
    assert placed(moved, DAYS) == {"mover": OLD, "stays_old": OLD, "stays_new": NEW}


@pytest.mark.parametrize("asked", [OLD, NEW])
def test_a_conversation_is_in_its_new_day_before_it_leaves_the_old_one(
    moved: Pipeline, asked: date
) -> None:
    run = moved.run(asked)

    for unit in ("raw", "messages", "conversations"):
        order = [day for day in run.outcomes(unit) if day != "unknown"]
        assert order == [NEW, OLD]


def test_between_the_two_commits_the_index_knows_one_day(moved: Pipeline) -> None:
    stream = iter(moved.raw_days([OLD], moved.request()))
    unplaced, first = commit_days(moved.lake, [next(stream), next(stream)])
    assert (unplaced.day, first.day) == (UNKNOWN_DAY, NEW)

    assert index(moved)["mover"] == NEW
    assert moved.lake.index.snapshot().disowned() == {OLD: frozenset({"mover"})}
    # A derived day that is refreshed just now leaves out what has moved away.
    derived = moved.derived_days("messages", [OLD], moved.request())
    assert all(report.outcome == "committed" for report in commit_days(moved.lake, derived))
    assert {row["conversation_id"] for row in moved.messages(OLD)} == {"stays_old"}


@pytest.mark.parametrize("asked", [OLD, NEW])
def test_a_run_that_died_between_the_two_days_is_finished_by_its_retry(
    moved: Pipeline, asked: date
) -> None:
    stream = iter(moved.raw_days([asked], moved.request("r")))
    list(commit_days(moved.lake, [next(stream), next(stream)]))
    del stream  # the run dies here

    run = moved.run(asked, request="r")

    assert run.errors == []
    assert run.outcomes("raw")[OLD] == "committed"
    assert placed(moved, DAYS) == {"mover": NEW, "stays_old": OLD, "stays_new": NEW}


def test_a_conversation_stays_in_its_old_day_if_the_new_one_cannot_be_written(
    moved: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = moved.lake.commit_day

    def failing(what: Commit) -> Manifest:
        if what.claim.day == NEW:
            raise StoreUnavailable("the disk is full")
        return commit(what)

    monkeypatch.setattr(moved.lake, "commit_day", failing)
    run = moved.run(OLD)

    assert run.outcomes("raw") == {NEW: "failed", OLD: "failed", "unknown": "committed"}
    assert "moved to 2024-01-05, which was not written" in run.errors[1]
    assert placed(moved, DAYS) == {"mover": OLD, "stays_old": OLD, "stays_new": NEW}

    monkeypatch.undo()
    assert moved.run(OLD).errors == []
    assert placed(moved, DAYS) == {"mover": NEW, "stays_old": OLD, "stays_new": NEW}


def test_days_that_trade_conversations_lose_none(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    export(pipeline, a=OLD, b=NEW)
    pipeline.run(*DAYS)
    export(pipeline, a=NEW, b=OLD)

    assert pipeline.run(OLD).errors == []
    assert placed(pipeline, DAYS) == {"a": NEW, "b": OLD}


def test_a_chain_of_moves_refreshes_every_day_it_touches(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    export(pipeline, a=OLD, b=OTHER, c=NEW)
    pipeline.run(*DAYS)
    export(pipeline, a=OTHER, b=NEW, c=NEW)

    run = pipeline.run(OLD)

    assert set(run.outcomes("conversations")) == {OLD, OTHER, NEW}
    assert placed(pipeline, DAYS) == {"a": OTHER, "b": NEW, "c": NEW}


def test_a_conversation_may_move_to_a_day_that_was_never_materialised(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    export(pipeline, a=OLD, b=OLD)
    pipeline.run(OLD)
    export(pipeline, a=NEW, b=OLD)

    run = pipeline.run(OLD)

    assert run.errors == []
    assert placed(pipeline, (OLD, NEW)) == {"a": NEW, "b": OLD}


def test_a_conversation_that_left_the_source_leaves_its_day(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    export(pipeline, a=OLD, b=OLD)
    pipeline.run(OLD)
    export(pipeline, b=OLD)
    pipeline.run(OLD)

    assert placed(pipeline, (OLD,)) == {"b": OLD}
    assert index(pipeline) == {"b": OLD}


def test_a_moved_conversation_is_fetched_by_derived_days_run_later(moved: Pipeline) -> None:
    request = moved.request()
    list(commit_days(moved.lake, moved.raw_days([NEW], request)))
    assert set(moved.manifest(RAW.name, NEW).displaced) == {OLD}

    for unit in ("messages", "conversations"):
        days = {r.day for r in commit_days(moved.lake, moved.derived_days(unit, [OLD], request))}
        assert days == {OLD, NEW}
    assert placed(moved, DAYS) == {"mover": NEW, "stays_old": OLD, "stays_new": NEW}


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from("abcd"), st.sampled_from(DAYS), min_size=1),
            st.sets(st.sampled_from(DAYS), min_size=1),
        ),
        min_size=2,
        max_size=3,
    )
)
def test_after_any_changes_a_full_run_agrees_with_the_source(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[dict[str, date], set[date]]]
) -> None:
    pipeline = Pipeline(tmp_path_factory.mktemp("lake"))
    export(pipeline, **steps[0][0])
    pipeline.run(*DAYS)
    for homes, asked in steps[1:]:
        export(pipeline, **homes)
        assert pipeline.run(*sorted(asked)).errors == []
        shown = placed(pipeline, DAYS)  # nothing doubled at any time
        assert {id_ for id_, day in shown.items() if day in asked} == {
            id_ for id_, day in homes.items() if day in asked
        }
    assert pipeline.run(*DAYS).errors == []
    assert placed(pipeline, DAYS) == steps[-1][0]
    assert index(pipeline) == steps[-1][0]

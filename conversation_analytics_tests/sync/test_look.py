"""Looks at a source: what they see, where they stop, and when only a sweep can tell."""

from __future__ import annotations

import logging
import os
from datetime import date
from pathlib import Path

import pytest

from conversation_analytics.compute.runner import InProcessRunner
from conversation_analytics.errors import MassDeletion
from conversation_analytics.sources.mapping import load_mapping
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.failpoints import CURSOR, handling
from conversation_analytics.sync.look import look_at_changes, sweep
from conversation_analytics_tests.builders import Pipeline, conversation, message
from conversation_analytics_tests.sync.conftest import NewFollower
from conversation_analytics_tests.sync.follower import Follower
from conversation_analytics_tests.sync.promises import assert_is_the_source

DAY, OTHER = date(2024, 4, 2), date(2024, 4, 4)


def put(follower: Follower, day: date, messages: int) -> None:
    """A conversation with messages on a day."""
    follower.source.insert("conversations", conversation(f"c{day}", f"{day}T10:00:00+00:00"))
    for n in range(messages):
        row = message(f"m{day}-{n}", f"c{day}", f"{day}T10:00:00+00:00")
        follower.source.insert("messages", row)


def test_a_source_that_was_never_compared_is_swept(follow: NewFollower) -> None:
    follower = follow()
    put(follower, DAY, 1)

    look = follower.look()

    assert look.sweep == "the source was never compared with the lake"
    assert not look.finished
    assert follower.cursors.read() is None


def test_after_the_lag_nothing_is_fetched_and_nothing_is_behind(follow: NewFollower) -> None:
    follower = follow()
    put(follower, DAY, 1)
    follower.sync()
    follower.source.advance(10)
    follower.look()

    look = follower.look()

    assert (look.rows.total(), look.reasons, look.finished) == (0, {}, True)


def test_a_dry_run_leaves_nothing_behind(follow: NewFollower) -> None:
    follower = follow()
    put(follower, DAY, 1)
    follower.sync()
    put(follower, OTHER, 2)
    before = follower.lake.store.list("")

    look = look_at_changes(follower.loaded, follower.lake, follower.opened, dry_run=True)
    swept = sweep(follower.loaded, follower.lake, follower.opened, InProcessRunner(), dry_run=True)

    assert set(look.reasons) == set(swept.reasons) == {OTHER}
    assert follower.lake.store.list("") == before


def test_a_look_that_stops_after_each_page_comes_to_an_end(follow: NewFollower) -> None:
    follower = follow()
    put(follower, DAY, 1)
    follower.sync()
    follower.source.advance(10)
    put(follower, OTHER, 8)

    pages = [follower.look(seconds=0).rows["changes"] for _ in range(5)]

    assert pages == [2, 3, 3, 3, 0]
    cursor = follower.cursors.read()
    assert cursor is not None
    assert cursor.under_way is None
    follower.refresh()
    assert_is_the_source(follower)


def test_a_look_that_goes_on_sees_what_changed_behind_it_too(follow: NewFollower) -> None:
    follower = follow()
    put(follower, DAY, 8)
    follower.sync()
    follower.source.advance(10)
    put(follower, OTHER, 8)
    follower.look(seconds=0)
    first = follower.source.keys("conversations")[0]
    follower.source.edit("conversations", first, title="edited")

    look = follower.look()

    assert look.finished
    assert set(look.reasons) == {DAY, OTHER}


def test_a_clock_that_went_back_needs_a_sweep(follow: NewFollower) -> None:
    follower = follow()
    put(follower, DAY, 1)
    follower.sync()
    follower.source.advance(-3600)

    assert follower.look().sweep == "the source's clock went back"
    follower.sync()
    assert not follower.look().sweep


def test_of_two_looks_at_once_one_gives_way_and_nothing_is_lost(
    follow: NewFollower, caplog: pytest.LogCaptureFixture
) -> None:
    follower = follow()
    put(follower, DAY, 1)
    follower.sync()
    follower.source.advance(10)
    put(follower, OTHER, 1)
    waiting = ["another look"]

    def another(name: str) -> None:
        if name == CURSOR and waiting:
            waiting.clear()
            follower.look()

    with caplog.at_level(logging.WARNING), handling(another):
        follower.look()

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "another sync is at work" in caplog.text
    assert [one.day for one in follower.pending()] == [OTHER]


def test_a_sweep_refuses_to_remove_too_much_unless_it_is_forced(follow: NewFollower) -> None:
    follower = follow(max_delete_fraction=0.5)
    put(follower, DAY, 60)
    follower.sync()
    for key in follower.source.keys("messages")[:40]:
        follower.source.delete("messages", key)

    with pytest.raises(MassDeletion, match="40 of 60 messages"):
        follower.sweep()
    assert follower.pending() == []

    follower.sweep(force=True)
    assert [one.reasons for one in follower.pending()] == [{"vanished": 40}]


def test_of_few_rows_all_may_vanish(follow: NewFollower) -> None:
    follower = follow(max_delete_fraction=0.0)
    put(follower, DAY, 49)
    follower.sync()
    for table in ("conversations", "messages"):
        for key in follower.source.keys(table):  # type: ignore[arg-type]
            follower.source.delete(table, key)  # type: ignore[arg-type]

    follower.sweep()
    follower.refresh()

    assert_is_the_source(follower)


def test_files_are_looked_into_only_if_they_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.export([conversation()], [message()])
    opened = OpenedSource(pipeline.source(), load_mapping("plain", None))
    sweep(pipeline.settings, pipeline.lake, opened, InProcessRunner())

    with monkeypatch.context() as patch:
        patch.setattr(type(opened.source), "scan", None)
        look = look_at_changes(pipeline.settings, pipeline.lake, opened)
    assert (look.sweep, look.finished) == ("", True)

    path = next(pipeline.source_dir.glob("messages*"))
    os.utime(path, ns=(0, 0))
    assert look_at_changes(pipeline.settings, pipeline.lake, opened).sweep == (
        "the source's files have changed"
    )

"""What killed writers left in a lake goes; what anybody needs stays."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from conversation_analytics.errors import FencedWriter
from conversation_analytics.storage.failpoints import PUT, TIDY, handling
from conversation_analytics.storage.layout import MESSAGES_UNIT, claims
from conversation_analytics.storage.maintenance import Tidied, tidy_lake
from conversation_analytics.storage.store import ABANDONED_SECONDS
from conversation_analytics_tests.storage.lake_days import (
    DAY,
    NEXT_DAY,
    commit_messages,
    commit_raw,
    make_lake,
    messages,
    parquet_keys,
    prepared,
    read_messages,
)


class Killed(BaseException):
    """The process ends here."""


def die_at(name: str) -> object:
    def handler(reached: str) -> None:
        if reached == name:
            raise Killed

    return handling(handler)


def age(path: Path) -> None:
    """Make a file older than any writer."""
    moment = path.stat().st_mtime - ABANDONED_SECONDS - 60
    os.utime(path, (moment, moment))


def test_a_tidy_lake_stays_as_it_is(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, max_records=1)
    for day in (DAY, NEXT_DAY):
        commit_messages(lake, ["one", "two"], day)
    before = lake.store.list("")

    tidied = tidy_lake(lake)

    assert tidied == Tidied(objects=len(before), removed=0, days=2, folded=False)
    assert lake.store.list("") == before


def test_files_that_a_killed_writer_had_replaced_are_removed(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, max_records=1)
    commit_messages(lake, ["one", "two", "three"])
    with pytest.raises(Killed), die_at(TIDY):  # type: ignore[attr-defined]
        commit_messages(lake, ["one"])
    assert len(parquet_keys(lake)) > 1

    tidied = tidy_lake(lake)

    assert tidied.removed > 0
    assert len(parquet_keys(lake)) == 1
    assert read_messages(lake) == {"m00000": "one"}


def test_of_claims_that_nobody_used_the_highest_stays(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    for _ in range(3):
        late = lake.claim_day(MESSAGES_UNIT, DAY)

    tidy_lake(lake)

    assert lake.store.list(claims(MESSAGES_UNIT, DAY)) == [
        f"{claims(MESSAGES_UNIT, DAY)}{late.epoch:010d}.json"
    ]
    assert lake.claim_day(MESSAGES_UNIT, DAY).epoch == late.epoch + 1
    with pytest.raises(FencedWriter):
        lake.commit_day(prepared(lake, late, {"messages": messages(["late"])}).commit)


def test_half_written_files_go_when_their_writer_must_be_dead(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    commit_messages(lake, ["one"])
    folder = tmp_path / lake.layout.folder("messages", DAY)
    empty = tmp_path / lake.layout.folder("messages", NEXT_DAY)
    lake.claim_day(MESSAGES_UNIT, NEXT_DAY)
    empty.mkdir(parents=True)
    names = [f".messages.parquet.{digit * 32}" for digit in "ab"]
    for path in (folder / names[0], folder / names[1], empty / names[0]):
        path.write_bytes(b"half")
    age(folder / names[0])
    age(empty / names[0])

    tidy_lake(lake)

    assert [path.name for path in folder.glob(".*")] == [names[1]]
    assert list(empty.iterdir()) == []


def test_the_index_is_folded_and_says_the_same(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    for number in range(3):
        commit_raw(lake, [f"c{number}"], DAY + timedelta(days=number))
    before = lake.index.snapshot()

    assert tidy_lake(lake).folded
    assert not tidy_lake(lake).folded

    after = lake.index.snapshot()
    assert len(after.keys) == 1
    assert after.days_of(["c0", "c1", "c2"]) == before.days_of(["c0", "c1", "c2"])


def test_a_writer_at_work_is_not_disturbed(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, max_records=1)
    commit_messages(lake, ["one", "two"])
    claim = lake.claim_day(MESSAGES_UNIT, DAY)
    ready = prepared(lake, claim, {"messages": messages(["1", "2", "3"])})
    tidied: list[Tidied] = []

    def tidy(name: str) -> None:
        if name == PUT:
            tidied.append(tidy_lake(lake))

    with handling(tidy):
        lake.commit_day(ready.commit)

    assert len(tidied) == 4  # three files of messages, and one of what they come to
    assert read_messages(lake) == {"m00000": "1", "m00001": "2", "m00002": "3"}

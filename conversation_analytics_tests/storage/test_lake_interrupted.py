"""Commits cut off, disks that are full, files that are gone: told, and never half a day."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conversation_analytics.errors import StorageError, StoreUnavailable
from conversation_analytics.storage.days import KeptDay, commit_days
from conversation_analytics.storage.failpoints import TIDY, handling
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import MESSAGES_UNIT, RAW
from conversation_analytics_tests.storage.lake_days import (
    DAY,
    commit_messages,
    commit_raw,
    make_lake,
    messages,
    parquet_keys,
    prepared,
    read_messages,
)

CONTENTS = {"m1": "hello", "m2": "สวัสดี", "m3": "こんにちは"}


@pytest.fixture
def local(tmp_path: Path) -> Lake:
    return make_lake(tmp_path / "lake")


class Cut(Exception):
    """The process dies here."""


@pytest.mark.parametrize("at", ["_manifest.json", "messages.parquet"])
def test_a_commit_cut_off_before_its_manifest_shows_nothing_new(
    local: Lake, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    first = commit_messages(local, CONTENTS)
    whole = local.store.put_all

    def put_all(objects: Sequence[tuple[str, bytes]]) -> None:
        for key, data in objects:
            if key.endswith(at):
                raise Cut
            whole([(key, data)])

    with monkeypatch.context() as patch:
        patch.setattr(local.store, "put_all", put_all)
        with pytest.raises(Cut):
            commit_messages(local, {"m1": "new"})
    assert local.manifest(MESSAGES_UNIT, DAY) == first
    if at == "_manifest.json":  # the new file has no manifest: a joined reading would be wrong
        with pytest.raises(StorageError, match="cut off half-way; materialise the day again"):
            local.read_day(MESSAGES_UNIT, DAY)
    else:
        assert read_messages(local) == CONTENTS
    commit_messages(local, {"m1": "new"})
    assert read_messages(local) == {"m1": "new"}


def test_a_reader_waits_for_a_commit_under_way(
    local: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_messages(local, CONTENTS)
    old = local.store.get(local.layout.manifest(MESSAGES_UNIT, DAY))
    commit_messages(local, {"m1": "new"})
    whole, key = local.store.get, local.layout.manifest(MESSAGES_UNIT, DAY)
    answers = [old, old]

    def get(wanted: str) -> bytes | None:
        return answers.pop() if wanted == key and answers else whole(wanted)

    monkeypatch.setattr(local.store, "get", get)
    assert read_messages(local) == {"m1": "new"}


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_file_that_is_gone_or_changed_is_told(local: Lake, damage: str) -> None:
    [file] = commit_messages(local, CONTENTS).tables["messages"].files
    if damage == "missing":
        local.store.delete([file.key])
    else:
        local.store.put(file.key, b"PAR1")
    with pytest.raises(StorageError, match=r"messages of 2024-01-31 in .*: the files do not"):
        local.read_day(MESSAGES_UNIT, DAY)


def test_a_damaged_manifest_is_told(local: Lake) -> None:
    commit_messages(local, CONTENTS)
    local.store.put(local.layout.manifest(MESSAGES_UNIT, DAY), b'{"unit": "messages"')
    with pytest.raises(StorageError, match=r"_manifest\.json is damaged: delete it and"):
        local.read_day(MESSAGES_UNIT, DAY)


# --- days in several files --------------------------------------------------------------------


def test_a_full_disk_leaves_a_day_as_it_was(local: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit_messages(local, CONTENTS)
    synced = os.fsync
    calls: list[int] = []

    def full_at_the_second_file(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(descriptor)

    claim = local.claim_day(MESSAGES_UNIT, DAY)
    item = prepared(local, claim, {"messages": messages({"m1": "new"})})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_at_the_second_file)
        with pytest.raises(StoreUnavailable, match="disk is full"):
            local.commit_day(item.commit)
    assert len(calls) == 2
    assert read_messages(local) == CONTENTS


# --- what dead writers leave ------------------------------------------------------------------


def die_at(name: str, work: Callable[[], object]) -> None:
    """Do some work up to a failpoint."""

    def die(reached: str) -> None:
        if reached == name:
            raise Cut

    with handling(die), pytest.raises(Cut):
        work()


def test_a_retry_removes_the_surplus_files_of_a_commit_that_died_before_it_did(
    local: Lake,
) -> None:
    split = Lake(local.store, local.layout, replace(local.options, max_records=1), io_threads=2)
    commit_messages(split, CONTENTS)
    die_at(TIDY, lambda: commit_messages(local, CONTENTS))
    manifest = local.manifest(MESSAGES_UNIT, DAY)
    assert manifest is not None
    assert len(parquet_keys(local)) == 4
    list(commit_days(local, [KeptDay(MESSAGES_UNIT.name, DAY, manifest)]))
    assert len(parquet_keys(local)) == 1
    assert read_messages(local) == CONTENTS


def test_an_overtaken_writer_leaves_the_newer_ones_files_alone(local: Lake) -> None:
    split = Lake(local.store, local.layout, replace(local.options, max_records=1), io_threads=2)
    late = commit_messages(local, CONTENTS)
    commit_messages(split, CONTENTS)
    local.tidy(MESSAGES_UNIT, DAY, late)
    assert read_messages(local) == CONTENTS


def test_a_commit_removes_what_writers_of_the_day_left_half_written_long_ago(local: Lake) -> None:
    manifest = commit_raw(local, ["c1"])
    folders = {Path(local.store.url, key).parent for key in local.store.list("")}
    left = [folder / f".x.parquet.{uuid.uuid4().hex}" for folder in folders]
    for path in left:
        path.write_bytes(b"half")
        os.utime(path, (0, 0))
    local.tidy(RAW, DAY, manifest)
    local.index.compact(force=True)
    assert [path for path in left if path.exists()] == []

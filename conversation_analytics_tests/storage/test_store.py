"""Objects on a local disk: whole or not at all, whatever the disk does."""

from __future__ import annotations

import errno
import os
import pickle
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.storage.store import ABANDONED_SECONDS, LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lake")


def test_nothing_is_made_before_something_is_put(store: LocalStore) -> None:
    assert store.get("a/b") is None
    assert store.list("") == store.list("a/") == []
    store.delete(["a/b"])
    assert not Path(store.url).exists()


def test_an_object_is_what_was_put_last(store: LocalStore) -> None:
    store.put("a/b", b"old")
    store.put("a/b", b"new")
    assert store.get("a/b") == b"new"
    store.delete(["a/b", "never"])
    assert store.get("a/b") is None


def test_a_listing_is_by_prefix_and_sorted(store: LocalStore) -> None:
    for key in ("b/2", "b/10", "b/sub/1", "bc/1", "a", "b/.hidden"):
        store.put(key, b"")
    assert store.list("") == ["a", "b/10", "b/2", "b/sub/1", "bc/1"]
    assert store.list("b") == ["b/10", "b/2", "b/sub/1", "bc/1"]
    assert store.list("b/") == ["b/10", "b/2", "b/sub/1"]
    assert store.list("b/1") == ["b/10"]
    assert store.list("c/") == []


def test_create_refuses_a_second_time_and_keeps_the_first(store: LocalStore) -> None:
    assert store.create("claim", b"first")
    assert not store.create("claim", b"second")
    assert store.get("claim") == b"first"


def test_of_many_creators_exactly_one_wins(store: LocalStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.create("claim", b"%d" % n), range(40)))
    assert won.count(True) == 1
    assert store.get("claim") == b"%d" % won.index(True)


def test_a_reader_never_sees_a_part(store: LocalStore) -> None:
    whole = [bytes([letter]) * 300_000 for letter in b"ab"]
    store.put("object", whole[0])
    done = threading.Event()

    def write() -> None:
        for number in range(60):
            store.put("object", whole[number % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(store.get("object"))
        assert store.list("") == ["object"]
    writer.join()
    assert seen <= set(whole)


def test_a_write_cut_off_leaves_the_old_object_and_is_never_listed(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("object", b"old")

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", crash)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)  # no clean-up after kill -9 either
    with pytest.raises(KeyboardInterrupt):
        store.put("object", b"new")
    assert len(list(Path(store.url).iterdir())) == 2
    assert store.list("") == ["object"]
    assert store.get("object") == b"old"


def test_only_what_was_left_half_written_a_day_ago_is_discarded(store: LocalStore) -> None:
    store.put("day/table", b"")
    folder = Path(store.url, "day")
    old, young = (folder / f".table.{uuid.uuid4().hex}" for _ in range(2))
    for path in (old, young, folder / ".hidden", folder / "table"):
        path.touch()
        ago = ABANDONED_SECONDS + (60 if path != young else -60)
        os.utime(path, (time.time() - ago,) * 2)
    store.discard_abandoned("day/")
    store.discard_abandoned("never/")
    assert {path.name for path in folder.iterdir()} == {"table", ".hidden", young.name}


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "the disk is full: free some space"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the file system is read-only: mount it writable or set PARQUET_BASE_DIR"),
        (errno.EACCES, "permission denied: give this user write access or set PARQUET_BASE_DIR"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
@pytest.mark.parametrize("step", ["open", "sync", "rename"])
def test_a_disk_that_fails_is_told_with_advice_and_leaves_no_trace(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, code: int, advice: str, step: str
) -> None:
    store.put("day/table", b"old")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    where, name = {"open": (Path, "open"), "sync": (os, "fsync"), "rename": (Path, "replace")}[step]
    with monkeypatch.context() as patch:
        patch.setattr(where, name, fail)
        with pytest.raises(StoreUnavailable) as caught:
            store.put("day/table", b"new")
    assert str(caught.value).startswith(f"lake {store.url}, at day/table: ")
    assert advice in str(caught.value)
    assert store.get("day/table") == b"old"
    assert [path.name for path in Path(store.url, "day").iterdir()] == ["table"]


def test_a_really_full_disk_is_told(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Path.open
    full = Path("/dev/full")
    monkeypatch.setattr(Path, "open", lambda path, mode: whole(full, mode.replace("x", "w")))
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        store.put("day/table", b"x" * 100_000)
    assert store.list("") == []


@pytest.mark.parametrize("at", ["lake", "lake/day"])
def test_a_file_in_place_of_a_folder_is_told(tmp_path: Path, at: str) -> None:
    place = tmp_path / at
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"")
    store = LocalStore(tmp_path / "lake")
    for write in (store.put, store.create):
        with pytest.raises(StoreUnavailable, match="a file stands where a folder is needed"):
            write("day/table", b"")


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("claims/1", b"")

    def refuse(path: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StoreUnavailable, match="permission denied"):
        store.list("claims/")


def test_a_store_travels_to_worker_processes(store: LocalStore) -> None:
    store.put("a", b"1")
    assert pickle.loads(pickle.dumps(store)).get("a") == b"1"


def test_a_store_stays_where_it_is_when_the_process_changes_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = LocalStore(Path("lake"))
    store.put("a", b"1")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert store.get("a") == b"1"

"""The id → day index against a plain dict, and whatever happens while it is folded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from conversation_analytics.errors import StorageError
from conversation_analytics.storage import index as index_module
from conversation_analytics.storage.index import Index, IndexSnapshot
from conversation_analytics.storage.store import LocalStore

D1, D2, D3 = DAYS = [date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)]
IDS = ["a", "b", "c", "ง", "e"]
START = datetime(2024, 1, 1, tzinfo=UTC)

Listed = dict[date, tuple[int, frozenset[str]]]


def record(index: Index, day: date, ids: Iterable[str], *, minute: int, epoch: int) -> None:
    mark = START + timedelta(minutes=minute)
    index.record(day, pa.array(sorted(ids), pa.string()), mark=mark, epoch=epoch)


def owners_of(listed: Listed) -> dict[str, date]:
    """The day of each id: of those that list it, the one read last, else the later one."""
    ranked = sorted((minute, day) for day, (minute, _) in listed.items())
    return {i: day for _, day in ranked for i in listed[day][1]}


def seen(snapshot: IndexSnapshot) -> dict[str, date]:
    owners = snapshot.owners()
    return dict(zip(*(owners[c].to_pylist() for c in ("conversation_id", "day")), strict=True))


class IndexAgainstDict(RuleBasedStateMachine):
    """Days recorded and folded in any order say what a dict says."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.index = Index(LocalStore(Path(self.folder.name)))
        self.listed: Listed = {}
        self.epoch = 0

    @rule(
        day=st.sampled_from(DAYS),
        ids=st.frozensets(st.sampled_from(IDS)),
        minute=st.integers(0, 3),
    )
    def commit(self, day: date, ids: frozenset[str], minute: int) -> None:
        self.epoch += 1
        self.listed[day] = (minute, ids)
        record(self.index, day, ids, minute=minute, epoch=self.epoch)

    @rule()
    def fold(self) -> None:
        assert self.index.compact(force=True)

    @rule()
    def clear(self) -> None:
        self.index.clear()
        self.listed = {}

    @invariant()
    def agrees(self) -> None:
        snapshot = self.index.snapshot()
        owners = owners_of(self.listed)
        assert seen(snapshot) == owners
        assert snapshot.days_of([*IDS[:3], "unknown"]) == {
            i: day for i, day in owners.items() if i in IDS[:3]
        }
        for days in ([D1], [D2, D3], []):
            assert snapshot.ids_of(days) == {i for i, day in owners.items() if day in days}
        lost = {
            day: frozenset(i for i in ids if owners[i] != day)
            for day, (_, ids) in self.listed.items()
        }
        assert snapshot.disowned() == {day: ids for day, ids in lost.items() if ids}

    def teardown(self) -> None:
        self.folder.cleanup()


TestIndexAgainstDict = IndexAgainstDict.TestCase
TestIndexAgainstDict.settings = settings(max_examples=30, stateful_step_count=12)


class Interrupted(LocalStore):
    """A store in which something happens just before its n-th call."""

    def __init__(self, root: Path, at: int, event: Callable[[], object]) -> None:
        super().__init__(root)
        self.calls = 0
        self.at = at
        self.event = event

    def _tick(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            self.event()

    def get(self, key: str) -> bytes | None:
        self._tick()
        return super().get(key)

    def put(self, key: str, data: bytes) -> None:
        self._tick()
        super().put(key, data)

    def list(self, prefix: str) -> list[str]:
        self._tick()
        return super().list(prefix)

    def create(self, key: str, data: bytes) -> bool:
        self._tick()
        return super().create(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._tick()
            super().delete([key])


BEFORE: Listed = {D1: (1, frozenset("abc")), D2: (2, frozenset("ce"))}
AFTER: Listed = {D1: (3, frozenset("ab")), D2: (3, frozenset("c"))}
CALLS = range(1, 16)


def fill(index: Index, listed: Listed, epoch: int) -> None:
    for day, (minute, ids) in listed.items():
        record(index, day, ids, minute=minute, epoch=epoch)


@pytest.fixture(params=["without base", "with base"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Index:
    """An index of `BEFORE`, with two deltas of each day or a base and a delta of each."""
    index = Index(LocalStore(tmp_path))
    fill(index, {D1: (0, frozenset("e")), D2: (0, frozenset("a"))}, epoch=1)
    if request.param == "with base":
        assert index.compact(force=True)
    fill(index, BEFORE, epoch=2)
    return index


@pytest.mark.parametrize("at", CALLS)
def test_a_reader_sees_everything_while_the_index_is_folded(
    index: Index, tmp_path: Path, at: int
) -> None:
    reader = Index(Interrupted(tmp_path, at, lambda: index.compact(force=True)))
    assert seen(reader.snapshot()) == owners_of(BEFORE)


@pytest.mark.parametrize("at", CALLS)
def test_a_reader_sees_before_or_after_while_days_are_written_and_folded(
    index: Index, tmp_path: Path, at: int
) -> None:
    def event() -> None:
        fill(index, AFTER, epoch=3)
        index.compact(force=True)

    reader = Index(Interrupted(tmp_path, at, event))
    assert seen(reader.snapshot()) in (owners_of(BEFORE), owners_of(AFTER))


@pytest.mark.parametrize("at", CALLS)
def test_days_written_while_the_index_is_folded_are_kept(
    index: Index, tmp_path: Path, at: int
) -> None:
    store = Interrupted(tmp_path, at, lambda: fill(index, AFTER, epoch=3))
    Index(store).compact(force=True)
    assert seen(index.snapshot()) == owners_of(AFTER if store.calls >= at else BEFORE)


@pytest.mark.parametrize("at", CALLS)
def test_of_two_that_fold_at_once_neither_loses_anything(
    index: Index, tmp_path: Path, at: int
) -> None:
    def event() -> None:
        fill(index, AFTER, epoch=3)
        index.compact(force=True)

    store = Interrupted(tmp_path, at, event)
    Index(store).compact(force=True)
    assert seen(index.snapshot()) == owners_of(AFTER if store.calls >= at else BEFORE)


@pytest.mark.parametrize("at", CALLS)
def test_a_crash_while_folding_loses_nothing(index: Index, tmp_path: Path, at: int) -> None:
    def crash() -> None:
        raise KeyboardInterrupt

    store = Interrupted(tmp_path, at, crash)
    try:
        Index(store).compact(force=True)
    except KeyboardInterrupt:
        assert store.calls == at
    assert seen(index.snapshot()) == owners_of(BEFORE)
    fill(index, AFTER, epoch=3)
    assert seen(index.snapshot()) == owners_of(AFTER)
    assert index.compact(force=True)
    assert seen(index.snapshot()) == owners_of(AFTER)


def test_few_deltas_are_not_folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_MANY_DELTAS", 2)
    store = LocalStore(tmp_path)
    index = Index(store)
    record(index, D1, "a", minute=0, epoch=1)
    record(index, D2, "b", minute=0, epoch=1)
    assert not index.compact()
    record(index, D3, "c", minute=0, epoch=1)
    assert index.compact()
    assert store.list("") == ["_index/base-0000000001.parquet"]


def test_an_index_that_never_holds_still_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(LocalStore(tmp_path))
    record(index, D1, "a", minute=0, epoch=1)
    monkeypatch.setattr(LocalStore, "get", lambda *_: None)
    with pytest.raises(StorageError, match="files vanish while they are read"):
        index.snapshot()


def test_an_index_of_nothing_knows_nothing(tmp_path: Path) -> None:
    snapshot = Index(LocalStore(tmp_path)).snapshot()
    empty: Any = (snapshot.days_of(["a"]), snapshot.ids_of([D1]), snapshot.disowned())
    assert empty == ({}, set(), {})


def test_what_an_overtaken_writer_records_after_a_fold_counts_for_nothing(tmp_path: Path) -> None:
    index = Index(LocalStore(tmp_path))
    record(index, D1, ["a", "b"], minute=2, epoch=2)
    record(index, D2, [], minute=2, epoch=2)
    index.compact(force=True)
    record(index, D1, ["a"], minute=1, epoch=1)
    record(index, D2, ["c"], minute=1, epoch=1)
    for _ in range(2):
        assert seen(index.snapshot()) == {"a": D1, "b": D1}
        index.compact(force=True)

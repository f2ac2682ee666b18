"""The cursor: how far changes were looked at."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from conversation_analytics.errors import FencedWriter, StorageError
from conversation_analytics.storage.store import LocalStore
from conversation_analytics.sync.cursor import Cursor, CursorStore, Pass

MARK = datetime(2024, 4, 8, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def test_there_is_none_before_the_first_look(store: LocalStore) -> None:
    assert CursorStore(store).read() is None


def test_the_newest_is_read_and_older_ones_are_removed(store: LocalStore) -> None:
    cursors = CursorStore(store)
    first = Cursor(source="a source", mark=MARK)
    second = first.next(under_way=Pass(mark=MARK, table="messages", after="key"))
    cursors.write(first)
    cursors.write(second)

    assert cursors.read() == second
    assert store.list("") == ["_sync/cursor/0000000001.json"]


def test_of_two_that_move_it_at_once_the_later_one_is_told(store: LocalStore) -> None:
    first = Cursor(source="a source", mark=MARK)
    CursorStore(store).write(first.next())

    with pytest.raises(FencedWriter, match="nothing is lost"):
        CursorStore(store).write(first.next(version="other"))


def test_a_damaged_one_is_named_with_what_to_do(store: LocalStore) -> None:
    store.put("_sync/cursor/0000000007.json", b"{")

    with pytest.raises(StorageError, match=r"0000000007\.json is damaged: delete it"):
        CursorStore(store).read()

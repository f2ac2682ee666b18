"""A source whose columns have changed is not read until somebody accepts that."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conversation_analytics.errors import LakeMismatch, SourceSchemaError, StorageError
from conversation_analytics.settings import load_settings
from conversation_analytics.sources.base import SourceInfo, TableInfo
from conversation_analytics.sources.files import FilesSource
from conversation_analytics.sources.mapping import load_mapping
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.store import LocalStore
from conversation_analytics.transforms.settled import (
    accept_columns,
    column_problems,
    settle_source,
)
from conversation_analytics_tests.builders import Pipeline, conversation, message

TYPES = {
    "Id": "integer",
    "CreatedAt": "time",
    "message_id": "text",
    "conversation_id": "text",
    "role": "text",
    "body": "text",
    "created_at": "time",
    "input_tokens": "integer",
    "client": "text",
}
CONVERSATIONS = TableInfo("chats", ("conversation_id",), types={"conversation_id": "text"})


def info(**messages: str) -> SourceInfo:
    """A source with these columns of messages, by type; the defaults are `TYPES`."""
    types = messages or TYPES
    table = TableInfo(
        "talk", tuple(types), system_columns=frozenset({"Id", "CreatedAt"}), types=types
    )
    return SourceInfo(
        kind="nocodb",
        location="memory",
        fingerprint="memory",
        clock=datetime(2024, 3, 1, tzinfo=UTC),
        ordered=True,
        conversations=CONVERSATIONS,
        messages=table,
    )


def without(*names: str, **new: str) -> dict[str, str]:
    return {name: type_ for name, type_ in TYPES.items() if name not in names} | new


class Door:
    """Settles sources with one lake."""

    def __init__(self, folder: Path) -> None:
        self.store = LocalStore(folder)
        self.settings = load_settings(None, parquet_base_dir=folder)
        self.opened = OpenedSource(FilesSource(folder), load_mapping("plain", None))

    def settle(self, source: SourceInfo) -> None:
        settle_source(self.settings, self.store, self.opened, source)

    def accept(self, source: SourceInfo) -> None:
        accept_columns(self.settings, self.store, self.opened, source)

    def problems(self, source: SourceInfo) -> list[str]:
        return column_problems(self.store, self.opened, source)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    opened = Door(tmp_path)
    opened.settle(info())
    return opened


def test_the_same_columns_are_settled_without_a_word(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    door.settle(info())
    assert door.problems(info()) == []
    assert caplog.text == ""


def test_a_new_column_is_told_of_once(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    widened = info(**without(mood="text", model="text"))
    with caplog.at_level(logging.WARNING):
        door.settle(widened)
        door.settle(widened)
    assert caplog.text.count("new columns") == 1
    assert "'mood', 'model' (read as model)" in caplog.text


@pytest.mark.parametrize(
    ("types", "words"),
    [
        (without("input_tokens"), ["'input_tokens' (read as prompt_tokens) is gone"]),
        (without("client"), ["its column 'client' is gone"]),
        (
            without("input_tokens", tokens_in="integer"),
            ["'input_tokens' (read as prompt_tokens) is gone", "renamed to 'tokens_in'?"],
        ),
        (
            without(input_tokens="text"),
            ["'input_tokens' (read as prompt_tokens) was of the type integer and is text"],
        ),
        # An alias that is preferred to the present column would take its place.
        (without(content="text"), ["content was read from body, now from content"]),
        # An alias that takes over for a column that is gone.
        (without("body", message="text"), ["'body' (read as content) is gone", "'message'"]),
    ],
    ids=["missing", "unmapped", "renamed", "retyped", "taken over", "replaced"],
)
def test_a_column_that_is_not_what_it_was_must_be_accepted(
    door: Door, types: dict[str, str], words: list[str]
) -> None:
    changed = info(**types)
    with pytest.raises(SourceSchemaError) as refused:
        door.settle(changed)
    for word in [*words, "'talk'", "it has now: message_id", "source check --accept"]:
        assert word in str(refused.value)
    assert len(door.problems(changed)) == 1

    door.accept(changed)

    door.settle(changed)
    assert door.problems(changed) == []


def test_columns_that_nocodb_adds_come_and_go(door: Door) -> None:
    door.settle(info(**without("CreatedAt", "Id")))


def test_columns_of_another_source_cannot_be_accepted(door: Door) -> None:
    with pytest.raises(LakeMismatch):
        door.accept(replace(info(), fingerprint="elsewhere"))


def test_a_damaged_note_says_what_to_do(door: Door) -> None:
    door.store.put("_sync/columns.json", b"junk")
    with pytest.raises(StorageError, match="source check --accept"):
        door.settle(info())


def test_json_lines_may_leave_out_what_has_no_value(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    day = datetime(2024, 1, 2, tzinfo=UTC).date()
    pipeline.export([conversation()], [message(error="oops")])
    assert not pipeline.run(day).errors
    sparse = message()
    del sparse["error"]
    pipeline.export([conversation()], [sparse])
    assert not pipeline.run(day).errors


def test_a_column_that_is_gone_from_a_table_file_stops_the_reading(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    day = datetime(2024, 1, 2, tzinfo=UTC).date()
    pipeline.export([conversation()], [message()], ending=".csv")
    pipeline.run(day)
    before = pipeline.lake.store.list("")
    narrow = conversation()
    del narrow["user_id"]
    pipeline.export([narrow], [message()], ending=".csv")
    with pytest.raises(SourceSchemaError, match=r"'user_id'.*is gone"):
        pipeline.run(day)
    assert pipeline.lake.store.list("") == before

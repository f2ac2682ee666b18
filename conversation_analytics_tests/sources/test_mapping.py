"""Which column feeds which field: by alias, by profile, by the user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversation_analytics.errors import SettingsError, SourceSchemaError
from conversation_analytics.sources.mapping import DIFY, PLAIN, choose_profile, load_mapping

MESSAGES = ("Id", "conversation_id", "sender", "body", "sent_at")


def written(folder: Path, text: str) -> Path:
    path = folder / "mapping.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_first_alias_that_exists_feeds_a_field() -> None:
    found = PLAIN.messages.resolve(MESSAGES, table="messages")
    assert found["message_id"] == ("Id",)
    assert found["role"] == ("sender",)
    assert found["content"] == ("body",)
    assert "cost" not in found


def test_a_missing_column_is_named_with_those_there_are() -> None:
    with pytest.raises(SourceSchemaError) as missing:
        PLAIN.messages.resolve(("Id", "conversation_id", "who"), table="messages")
    words = str(missing.value)
    assert "messages: no column for 'role'" in words
    assert "role, sender, author_type" in words
    assert "Id, conversation_id, who" in words
    assert "FIELD_MAPPING_FILE" in words


def test_a_column_the_first_rows_lack_is_taken_from_the_rows_that_have_it() -> None:
    found = PLAIN.messages.resolve(MESSAGES, table="messages", complete=False)
    assert found["error"] == ("error", "error_message")
    assert found["role"] == ("sender",)


def test_a_table_without_rows_misses_nothing() -> None:
    assert PLAIN.messages.resolve((), table="messages", complete=False)["role"]
    with pytest.raises(SourceSchemaError, match="the table has no columns"):
        PLAIN.messages.resolve((), table="messages")


def test_a_file_maps_fields_to_other_columns(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "conversations: {conversation_id: ticket, ignored: note}\n"
        "messages: {content: [utterance, body]}\n",
    )
    mapping = load_mapping("plain", file)

    assert mapping.conversations.aliases["conversation_id"] == ("ticket",)
    assert mapping.conversations.ignored == {"note"}
    assert mapping.messages.aliases["content"] == ("utterance", "body")
    assert mapping.messages.aliases["role"] == PLAIN.messages.aliases["role"]
    assert mapping.fingerprint != PLAIN.fingerprint


def test_a_hand_mapped_column_must_exist(tmp_path: Path) -> None:
    mapping = load_mapping("plain", written(tmp_path, "messages: {cost: price_usd}"))
    with pytest.raises(SourceSchemaError, match="'cost': looked for price_usd"):
        mapping.messages.resolve(MESSAGES, table="messages")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("messages: {cots: price}", "no such field: cots"),
        ("tickets: {title: subject}", "tickets: only the sections conversations and messages"),
        ("[1, 2]", "only the sections conversations and messages"),
        ("messages: [cost]", "['cost'] maps no fields"),
        ("messages: {cost: 7}", "cost: 7 is neither a column nor a list"),
        ("messages: {ignored: {note: 1}}", "ignored: {'note': 1} is neither"),
        ("{broken", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        load_mapping("plain", file)
    assert f"FIELD_MAPPING_FILE={file}" in str(refused.value)
    assert words in str(refused.value)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"FIELD_MAPPING_FILE=.*cannot be read"):
        load_mapping("plain", tmp_path / "none.yaml")


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert load_mapping("dify", written(tmp_path, "")).fingerprint == DIFY.fingerprint


def test_the_profile_is_told_by_the_message_columns() -> None:
    assert choose_profile(["id", "conversation_id", "query", "answer"]) == "dify"
    assert choose_profile(["id", "conversation_id", "role", "content"]) == "plain"

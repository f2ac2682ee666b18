"""What a row of each profile says, column by column."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.sources.base import Page, SourceInfo, TableInfo
from conversation_analytics.sources.decode import Decoded, DecodedPage, decode
from conversation_analytics.sources.decode import Row as DecodedRow
from conversation_analytics.sources.interpret import Interpreter, build_interpreter
from conversation_analytics.sources.mapping import DIFY, PLAIN, FieldMapping, load_mapping
from conversation_analytics.sources.transposed import Columns
from conversation_analytics.sources.values import Unusable
from conversation_analytics_tests.builders import (
    Row,
    conversation,
    dify_conversation,
    dify_message,
    line,
    message,
)

CLOCK = datetime(2024, 2, 1, tzinfo=UTC)


def interpreter(
    mapping: FieldMapping,
    conversations: Sequence[Row],
    messages: Sequence[Row],
    *,
    system: frozenset[str] = frozenset(),
    kind: Any = "nocodb",
) -> Interpreter:
    def info(rows: Sequence[Row]) -> TableInfo:
        columns = tuple(dict.fromkeys(key for row in rows for key in row))
        return TableInfo("table", columns, primary_key="Id", system_columns=system & set(columns))

    tables = {"conversations": info(conversations), "messages": info(messages)}
    source = SourceInfo(kind, "here", "here", CLOCK, ordered=True, **tables)
    return build_interpreter(mapping, source)


def plain(row: Row | None = None, **kwargs: Any) -> Interpreter:
    rows = [row or message()]
    return interpreter(PLAIN, [row if row and "title" in row else conversation()], rows, **kwargs)


def dify() -> Interpreter:
    return interpreter(DIFY, [dify_conversation()], [dify_message()])


def decoded(row: Row) -> Decoded:
    return page(row)[0]


def page(row: Row) -> DecodedPage:
    return decode(Page("messages", 0, line(row), "jsonl"))


def row_hash(reader: Interpreter, row: Row) -> str:
    return reader.messages.row_hashes(page(row), Columns([row]), [None])[0]


def refusal(reader: Interpreter, table: Any, row: Row) -> str:
    with pytest.raises(Unusable) as refused:
        reader.keys(table, decoded(row))
    return refused.value.reason


# Attributes


def test_columns_without_a_field_are_attributes_with_sorted_keys() -> None:
    row = message(zebra=1, apple={"b": 2}, nothing=None)
    (read,) = interpreter(PLAIN, [conversation()], [row]).message_fields(row)
    assert read.attributes == '{"apple":{"b":2},"client":"web/1.0","zebra":1}'


def test_columns_the_source_adds_by_itself_are_not_data() -> None:
    row = message(Id=7, CreatedAt="2024-01-01", nc_order=1)
    system = frozenset({"Id", "CreatedAt", "nc_order"})
    reader = interpreter(PLAIN, [conversation()], [row], system=system)

    (read,) = reader.message_fields(row)
    assert json.loads(read.attributes) == {"client": "web/1.0"}
    other = {**row, "Id": 8, "CreatedAt": "2024-01-02", "nc_order": 5}
    assert row_hash(reader, row) == row_hash(reader, other)


def test_a_system_column_that_is_mapped_is_data() -> None:
    row = {
        "Id": 1,
        "conversation_id": "c",
        "role": "user",
        "content": "x",
        "CreatedAt": "2024-01-02",
    }
    system = frozenset({"Id", "CreatedAt"})
    reader = interpreter(PLAIN, [conversation()], [row], system=system)

    assert reader.message_fields(row)[0].message_id == "1"
    later = {**row, "CreatedAt": "2024-01-03"}
    assert row_hash(reader, row) != row_hash(reader, later)


def test_ignored_columns_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text("messages: {ignored: [client]}")
    reader = interpreter(load_mapping("plain", file), [conversation()], [message()])
    assert reader.message_fields(message())[0].attributes == "{}"


def test_inputs_are_merged_into_the_attributes_of_a_conversation() -> None:
    row = dify_conversation(inputs={"segment": "vip", "mode": "own", "gone": None})
    found = dify().conversation_fields(row).attributes
    assert found["segment"] == "vip"
    assert (found["mode"], found["inputs.mode"]) == ("chat", "own")
    assert "gone" not in found
    assert "inputs" not in found


def test_an_export_and_nocodb_give_the_same_attributes() -> None:
    """Decimals come as text in the one and as numbers in the other, JSON as object or text."""
    exported = dify_message(
        message_unit_price="0.0010",
        answer_unit_price="0.00000060",
        message_metadata={"usage": {"tokens": 3}},
        inputs={"username": "u1"},
    )
    served = exported | {
        "message_unit_price": 0.001,
        "answer_unit_price": 6e-7,
        "message_metadata": '{"usage": {"tokens": 3}}',
        "inputs": '{"username": "u1"}',
    }
    one, other = (dify().message_fields(row) for row in (exported, served))
    assert one == other
    found = json.loads(one[1].attributes)
    assert found["message_unit_price"] == "0.001"
    assert found["answer_unit_price"] == "0.0000006"
    assert found["message_metadata"] == {"usage": {"tokens": 3}}


@pytest.mark.parametrize("text", ["not JSON", "[1]", "{broken", ""])
def test_metadata_that_is_no_object_stays_text(text: str) -> None:
    (_, answer) = dify().message_fields(dify_message(message_metadata=text))
    assert json.loads(answer.attributes)["message_metadata"] == text


# Fields


def test_a_plain_row_is_one_message() -> None:
    row = message(
        7,
        "c1",
        "2024-01-02T10:00:00Z",
        "bot",
        content=None,
        model="gpt",
        prompt_tokens="3",
        completion_tokens=4.0,
        latency_ms="12.5",
        cost="0.00000003",
        currency="USD",
        error="",
        feedback_score="like",
    )
    (read,) = plain().message_fields(row)
    assert read._asdict() == {
        "message_id": "7",
        "conversation_id": "c1",
        "user_id": None,
        "role": "assistant",
        "content": "",
        "created_at": 1_704_189_600_000_000,
        "model": "gpt",
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "latency_ms": 12.5,
        "cost": Decimal("0.00000003"),
        "currency": "USD",
        "error": None,
        "feedback_score": 1.0,
        "attributes": '{"client":"web/1.0"}',
    }


def test_a_dify_row_is_a_question_and_its_answer() -> None:
    question, answer = dify().message_fields(dify_message("x"))
    assert (question.message_id, question.role, question.content) == ("x:q", "user", "hello?")
    assert (answer.message_id, answer.role, answer.content) == ("x:a", "assistant", "hello!")
    assert answer.created_at - question.created_at == 1_500_000
    assert (answer.prompt_tokens, answer.completion_tokens, answer.latency_ms) == (10, 20, 1500.0)
    assert (answer.cost, answer.currency, answer.model) == (Decimal("0.00005"), "USD", "gpt")
    assert (question.prompt_tokens, question.cost, question.model) == (None, None, None)
    assert json.loads(question.attributes) == {"username": "u1", "language": "th"}


def test_a_failed_dify_row_gives_both_messages_and_the_error_is_the_answers() -> None:
    row = dify_message(answer="", status="error", error=None, provider_response_latency=None)
    question, answer = dify().message_fields(row)
    assert (question.error, answer.error) == (None, "error")
    assert (answer.content, answer.latency_ms) == ("", None)
    assert answer.created_at == question.created_at
    named = dify().message_fields(row | {"error": "quota exceeded"})
    assert named[1].error == "quota exceeded"


@pytest.mark.parametrize(
    ("changes", "user"),
    [
        ({}, "u1"),
        ({"inputs": {}}, "end-1"),
        ({"inputs": None}, "end-1"),
        ({"inputs": {}, "from_end_user_id": None, "from_account_id": "a-1"}, "a-1"),
        ({"inputs": {}, "from_end_user_id": None}, None),
    ],
)
def test_the_dify_user_is_the_first_one_named(changes: Row, user: str | None) -> None:
    row = dify_conversation(**changes)
    assert dify().conversation_fields(row).user_id == user
    assert dify().conversation_user(row) == ("c1", user)


def test_the_declared_language_is_kept_as_it_is() -> None:
    assert dify().conversation_fields(dify_conversation()).language == "th"
    assert plain().conversation_fields(conversation(language=None)).language is None


def test_a_field_that_only_late_rows_have_is_read() -> None:
    """The columns of files are those of their first rows."""
    sparse = {k: v for k, v in message().items() if k != "error"}
    reader = interpreter(PLAIN, [conversation()], [sparse], kind="files")
    (read,) = reader.message_fields(message(error="timeout"))
    assert read.error == "timeout"
    assert "error" not in json.loads(read.attributes)


# Judging


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"message_id": None}, "missing_id"),
        ({"message_id": "  ", "role": "robot"}, "missing_id"),
        ({"message_id": {"a": 1}}, "wrong_type"),
        ({"role": "robot", "created_at": "yesterday"}, "wrong_type"),
        ({"prompt_tokens": "abc", "created_at": None}, "wrong_type"),
        ({"is_deleted": "perhaps", "created_at": "yesterday"}, "wrong_type"),
        ({"created_at": None}, "bad_time"),
        ({"created_at": "05/06/2024"}, "bad_time"),
        ({"updated_at": "05/06/2024"}, "bad_time"),
        ({"content": "half \ud83d", "message_id": None}, "bad_encoding"),
    ],
)
def test_the_first_reason_that_applies_is_told(changes: Row, reason: str) -> None:
    row = message(is_deleted=False) | changes
    assert refusal(plain(message(is_deleted=False)), "messages", row) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": ""}, "missing_id"),
        ({"inputs": [1], "created_at": "yesterday"}, "wrong_type"),
        ({"inputs": "{broken"}, "wrong_type"),
        ({"total_price": "free"}, "wrong_type"),
        ({"provider_response_latency": -1}, "wrong_type"),
        ({"created_at": ""}, "bad_time"),
    ],
)
def test_dify_rows_are_judged_alike(changes: Row, reason: str) -> None:
    assert refusal(dify(), "messages", dify_message() | changes) == reason


def test_a_refused_conversation_is_known_by_what_can_be_read() -> None:
    row = conversation("c1", "2024-01-02T10:00:00Z", title={"a": 1}, updated_at="rubbish")
    assert refusal(plain(), "conversations", row) == "wrong_type"
    keys = plain().best_keys("conversations", row)
    assert (keys.source_id, keys.conversation_id, keys.updated_at) == ("c1", "c1", None)
    assert keys.created_at == 1_704_189_600_000_000


def test_half_an_emoji_in_an_id_leaves_the_id_unknown() -> None:
    keys = plain().best_keys("messages", message("\ud83d", "c1"))
    assert (keys.source_id, keys.conversation_id) == (None, "c1")


def test_a_wrong_column_is_called_by_its_own_name() -> None:
    with pytest.raises(Unusable, match="provider_response_latency is 'fast'"):
        dify().message_fields(dify_message(provider_response_latency="fast"))


# Passing on


def test_an_interpreter_survives_a_manifest_and_another_process() -> None:
    for reader, row in ((plain(), message()), (dify(), dify_message())):
        before = reader.message_fields(row)
        again = Interpreter.model_validate_json(reader.model_dump_json())
        there: Interpreter = pickle.loads(pickle.dumps(reader))
        assert again == reader
        assert again.message_fields(row) == before == there.message_fields(row)


def test_a_row_is_not_changed_by_reading_it() -> None:
    row: DecodedRow = dify_message(message_metadata='{"a": 1}', message_unit_price="0.10")
    copy = json.loads(json.dumps(row))
    dify().message_fields(row)
    assert row == copy

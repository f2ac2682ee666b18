"""What a conversation shows of its messages."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from conversation_analytics_tests.builders import Pipeline, Row, conversation, message

DAY = date(2024, 1, 2)


def at(second: int) -> str:
    return f"2024-01-02T10:{second // 60:02d}:{second % 60:02d}+00:00"


def made(folder: Path, messages: list[Row], **changes: Any) -> Row:
    """One conversation with some messages."""
    pipeline = Pipeline(folder)
    pipeline.export([conversation("c1", at(0)) | changes], messages or [message("m", "gone")])
    assert pipeline.run(DAY).errors == []
    (row,) = pipeline.conversations(DAY)
    return row


def test_counts_tokens_and_errors_are_sums_over_messages(tmp_path: Path) -> None:
    roles = ["system", "user", "assistant", "agent", "assistant"]
    messages = [
        message(f"m{n}", at=at(n), role=role, prompt_tokens=n, completion_tokens=None)
        for n, role in enumerate(roles)
    ]
    messages[2] |= {"error": "timeout", "completion_tokens": 7}
    row = made(tmp_path, messages)
    assert row["message_count"] == 5
    assert (row["user_message_count"], row["assistant_message_count"]) == (1, 2)
    assert (row["prompt_tokens"], row["completion_tokens"], row["total_tokens"]) == (10, 7, 17)
    assert row["error_count"] == 1


def test_the_first_response_is_that_after_the_first_user_message(tmp_path: Path) -> None:
    roles = ["assistant", "user", "user", "tool", "agent", "assistant"]
    row = made(tmp_path, [message(f"m{n}", at=at(n * n), role=r) for n, r in enumerate(roles)])
    assert row["first_response_seconds"] == 15.0


def test_without_an_answer_there_is_no_first_response(tmp_path: Path) -> None:
    row = made(tmp_path, [message("m1", role="assistant"), message("m2", at=at(3))])
    assert row["first_response_seconds"] is None


def test_it_ends_with_its_last_message(tmp_path: Path) -> None:
    row = made(tmp_path, [message("m1", at=at(90)), message("m2", at=at(30))])
    assert row["ended_at"] == datetime(2024, 1, 2, 10, 1, 30, tzinfo=UTC)
    assert row["duration_seconds"] == 90.0


def test_without_messages_it_ends_as_it_starts(tmp_path: Path) -> None:
    row = made(tmp_path, [])
    assert row["ended_at"] == row["started_at"]
    assert (row["duration_seconds"], row["message_count"], row["total_tokens"]) == (0.0, 0, 0)
    assert (row["cost"], row["currency"], row["feedback_score"]) == (None, None, None)
    assert row["escalated"] is False


def test_without_a_creation_time_it_starts_with_its_first_message(tmp_path: Path) -> None:
    row = made(tmp_path, [message("m1", at=at(50)), message("m2", at=at(20))], created_at=None)
    assert row["started_at"] == datetime(2024, 1, 2, 10, 0, 20, tzinfo=UTC)
    assert row["source_created_at"] is None


def test_the_model_is_its_own_or_the_most_frequent(tmp_path: Path) -> None:
    messages = [message(f"m{n}", at=at(n), model=model) for n, model in enumerate("bab")]
    assert made(tmp_path / "1", messages)["model"] == "b"
    assert made(tmp_path / "2", messages, model="own")["model"] == "own"


def test_of_equally_frequent_models_the_first_seen_counts(tmp_path: Path) -> None:
    messages = [message(f"m{n}", at=at(n), model=model) for n, model in enumerate("zaaz")]
    assert made(tmp_path, messages)["model"] == "z"


def test_cost_of_one_currency_is_summed_exactly(tmp_path: Path) -> None:
    messages = [message(f"m{n}", cost="0.1", currency="USD") for n in range(3)]
    row = made(tmp_path, messages)
    assert (row["cost"], row["currency"]) == (Decimal("0.30000000"), "USD")


def test_cost_is_never_summed_across_currencies(tmp_path: Path) -> None:
    messages = [
        message("m1", cost="0.1", currency="USD"),
        message("m2", cost="3", currency="THB"),
        message("m3", cost="0.2", currency="USD"),
        message("m4", cost=None, currency="VND"),
    ]
    row = made(tmp_path, messages)
    assert (row["cost"], row["currency"]) == (None, None)
    sums = json.loads(row["attributes"])["cost_by_currency"]
    assert sums == {"USD": "0.30000000", "THB": "3.00000000"}


def test_feedback_is_the_mean_of_its_messages(tmp_path: Path) -> None:
    scores = [1, None, -0.5, 0]
    messages = [message(f"m{n}", feedback_score=score) for n, score in enumerate(scores)]
    assert made(tmp_path, messages)["feedback_score"] == 0.5 / 3


def test_it_escalates_when_any_message_does(tmp_path: Path) -> None:
    messages = [message("m1"), message("m2", at=at(2), role="assistant", content="#AGENT")]
    assert made(tmp_path, messages)["escalated"] is True


def test_deleted_messages_count_for_nothing(tmp_path: Path) -> None:
    messages = [message("m1"), message("m2", is_deleted=True, cost="1", currency="USD")]
    row = made(tmp_path, messages)
    assert (row["message_count"], row["cost"]) == (1, None)


def test_a_deleted_conversation_is_not_shown_and_neither_are_its_messages(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.export([conversation("c1", at(0), is_deleted=True)], [message("m1")])
    assert pipeline.run(DAY).errors == []
    assert pipeline.conversations(DAY) == []
    assert pipeline.messages(DAY) == []
    assert pipeline.manifest("raw", DAY).counts["soft_deleted"] == 2

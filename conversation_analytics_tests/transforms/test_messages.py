"""A message's place in its conversation."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.transforms import messages
from conversation_analytics_tests.builders import (
    Pipeline,
    Row,
    conversation,
    dify_conversation,
    dify_message,
    message,
)

DAY = date(2024, 1, 2)


def at(second: int) -> str:
    return f"2024-01-02T10:{second // 60:02d}:{second % 60:02d}+00:00"


def made(folder: Path, messages: list[Row], user: str | None = "u1", **settings: Any) -> list[Row]:
    """The messages of one conversation."""
    pipeline = Pipeline(folder, **settings)
    pipeline.export([conversation("c1", at(0), user_id=user)], messages)
    assert pipeline.run(DAY).errors == []
    return pipeline.messages(DAY)


def test_turns_are_numbered_by_time_then_source_order(tmp_path: Path) -> None:
    rows = made(
        tmp_path,
        [
            message("z", at=at(5)),
            message("b", at=at(9)),
            message("y", at=at(5)),
            message("a", at=at(1)),
        ],
    )
    assert [(row["message_id"], row["turn_index"]) for row in rows] == [
        ("a", 0),
        ("z", 1),
        ("y", 2),
        ("b", 3),
    ]


def test_messages_of_conversations_are_not_mixed_up(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    rows = [message(f"{c}-{n}", c, at(n)) for n in range(3) for c in ("c2", "c1")]
    pipeline.export([conversation("c1", at(0)), conversation("c2", at(0), user_id="u2")], rows)
    pipeline.run(DAY)
    found = [(r["message_id"], r["turn_index"], r["user_id"]) for r in pipeline.messages(DAY)]
    assert found == [(f"c1-{n}", n, "u1") for n in range(3)] + [
        (f"c2-{n}", n, "u2") for n in range(3)
    ]


@pytest.mark.parametrize("at_once", [1, 2, 5, 100])
def test_a_large_day_worked_on_bit_by_bit_is_the_same_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    sizes = {"c10": 3, "c2": 1, "c1": 2, "ç": 4, "d": 0}
    pipeline = Pipeline(tmp_path)
    pipeline.export(
        [conversation(c, at(0), user_id=f"user of {c}") for c in sizes],
        [message(f"{c}-{n}", c, at(9 - n)) for c, size in sizes.items() for n in range(size)],
    )
    monkeypatch.setattr(messages, "_ROWS_AT_ONCE", at_once)
    assert pipeline.run(DAY).errors == []

    found = [(r["message_id"], r["turn_index"], r["user_id"]) for r in pipeline.messages(DAY)]
    assert found == [
        (f"{c}-{n}", turn, f"user of {c}")
        for c in sorted(sizes)
        for turn, n in enumerate(reversed(range(sizes[c])))
    ]


def test_a_response_is_timed_from_the_user_message_right_before_it(tmp_path: Path) -> None:
    roles = ["assistant", "user", "user", "agent", "assistant", "user", "tool", "assistant"]
    rows = made(tmp_path, [message(f"m{n}", at=at(n * n), role=r) for n, r in enumerate(roles)])
    assert [row["response_seconds"] for row in rows] == [
        None,  # nobody asked
        None,
        None,
        5.0,  # 9 − 4
        None,  # the agent was before it
        None,
        None,
        None,  # the tool was before it
    ]


def test_only_an_assistant_escalates(tmp_path: Path) -> None:
    rows = made(
        tmp_path,
        [
            message("m0", at=at(0), content="call #AGENT"),
            message("m1", at=at(1), role="assistant", content="ต้องการ#AGENTไหม"),
            message("m2", at=at(2), role="agent", content="#AGENT here"),
            message("m3", at=at(3), role="assistant", content="#agent"),
        ],
    )
    assert [row["escalated"] for row in rows] == [False, True, False, False]


def test_the_escalation_pattern_is_a_regular_expression_of_the_settings(tmp_path: Path) -> None:
    messages = [message("m1", role="assistant", content="Human needed")]
    (row,) = made(tmp_path, messages, escalation_pattern="(?i)human|operator")
    assert row["escalated"]


def test_every_message_has_the_user_of_its_conversation(tmp_path: Path) -> None:
    rows = made(tmp_path, [message("m1", user_id="else"), message("m2", role="agent", user_id="a")])
    assert [row["user_id"] for row in rows] == ["u1", "u1"]


def test_where_the_conversation_names_no_user_its_first_user_message_does(tmp_path: Path) -> None:
    messages = [
        message("m1", at=at(1), role="agent", user_id="agent-7"),
        message("m2", at=at(2), user_id=None),
        message("m3", at=at(3), user_id="u5"),
        message("m4", at=at(4), user_id="u6"),
    ]
    rows = made(tmp_path, messages, user=None)
    assert {row["user_id"] for row in rows} == {"u5"}


def test_a_dify_question_comes_before_its_answer_even_at_the_same_time(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, profile="dify")
    messages = [
        dify_message("m1", at=at(0), provider_response_latency=0, answer="", status="error"),
        dify_message("m2", at=at(0), provider_response_latency=30, answer="#AGENT"),
        dify_message("m3", at=at(10), provider_response_latency=2),
    ]
    pipeline.export([dify_conversation("c1", at(0))], messages)
    assert pipeline.run(DAY).errors == []

    rows = pipeline.messages(DAY)
    order = ["m1:q", "m1:a", "m2:q", "m3:q", "m3:a", "m2:a"]
    assert [row["message_id"] for row in rows] == order
    waited = [row["response_seconds"] for row in rows]
    assert waited == [None, 0.0, None, None, 2.0, None]
    assert [row["error"] for row in rows] == [None, "error", None, None, None, None]
    assert [row["escalated"] for row in rows][-1]


@pytest.mark.parametrize("text", ["a\x00b", "one\u2028two", "👩‍👩‍👧", "ช่วยด้วย", "\ufeffx", " "])
def test_text_is_kept_to_the_character(tmp_path: Path, text: str) -> None:
    (row,) = made(tmp_path, [message("m1", content=text)])
    assert row["content"] == text

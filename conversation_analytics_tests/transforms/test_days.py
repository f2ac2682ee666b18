"""What a day promises: the same content again, nothing of other days, nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.compute.runner import InProcessRunner, ProcessPoolRunner
from conversation_analytics.errors import LakeMismatch, StaleInput
from conversation_analytics.storage.days import Request, commit_days
from conversation_analytics.storage.layout import MESSAGES_UNIT
from conversation_analytics.transforms import derived
from conversation_analytics_tests.builders import Pipeline, Row, conversation, message

DAYS = (date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4))


def rows() -> tuple[list[Row], list[Row]]:
    conversations = [conversation(f"c{day}", f"{day}T10:00:00Z") for day in DAYS[:2]]
    messages = [
        message(f"m{day}-{n}", f"c{day}", f"{day}T10:0{n}:00Z", role)
        for day in DAYS[:2]
        for n, role in enumerate(("user", "assistant", "user"))
    ]
    return conversations, messages


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    pipeline.export(*rows())
    return pipeline


def test_running_again_changes_no_content_hash(pipeline: Pipeline) -> None:
    pipeline.run(*DAYS)
    before = {day: pipeline.hashes(day) for day in DAYS}

    run = pipeline.run(*DAYS)

    assert set(run.outcomes("raw").values()) == {"committed"}
    assert {day: pipeline.hashes(day) for day in DAYS} == before


def test_the_order_of_rows_and_files_changes_no_content_hash(pipeline: Pipeline) -> None:
    pipeline.run(*DAYS)
    before = {day: pipeline.hashes(day) for day in DAYS}
    conversations, messages = rows()

    pipeline.export(conversations[::-1], messages[::-1], files=3, ending=".jsonl.gz")
    pipeline.run(*DAYS)

    assert {day: pipeline.hashes(day) for day in DAYS} == before


def test_an_edited_message_changes_its_day_and_no_other(pipeline: Pipeline) -> None:
    pipeline.run(*DAYS)
    before = {day: pipeline.hashes(day) for day in DAYS}
    conversations, messages = rows()

    messages[0]["content"] = "edited"
    pipeline.export(conversations, messages)
    pipeline.run(*DAYS)

    after = {day: pipeline.hashes(day) for day in DAYS}
    assert after[DAYS[1]] == before[DAYS[1]]
    assert after[DAYS[2]] == before[DAYS[2]]
    assert after[DAYS[0]]["raw"] != before[DAYS[0]]["raw"]
    assert after[DAYS[0]]["messages"] != before[DAYS[0]]["messages"]
    # What a conversation shows of its messages is their number, time and cost, not their text.
    assert after[DAYS[0]]["conversations"] == before[DAYS[0]]["conversations"]


def test_a_row_added_elsewhere_changes_nothing_here(pipeline: Pipeline) -> None:
    pipeline.run(*DAYS)
    before = pipeline.hashes(DAYS[1])
    conversations, messages = rows()

    pipeline.export([conversation("first", "2024-01-02T00:00:00Z"), *conversations], messages)
    pipeline.run(*DAYS)

    assert pipeline.hashes(DAYS[1]) == before


def test_an_empty_day_has_files_without_rows_and_a_manifest(pipeline: Pipeline) -> None:
    run = pipeline.run(*DAYS)

    assert run.outcomes("conversations")[DAYS[2]] == "committed"
    assert pipeline.manifest("conversations", DAYS[2]).rows == 0
    assert pipeline.manifest("messages", DAYS[2]).activity_days == ()
    assert pipeline.conversations(DAYS[2]) == []
    assert pipeline.messages(DAYS[2]) == []
    assert pipeline.manifest("raw", DAYS[2]).counts["read"] == 0


def test_a_source_without_any_row_fills_the_days_with_nothing(pipeline: Pipeline) -> None:
    pipeline.run(*DAYS)
    pipeline.export([], [])

    assert pipeline.run(*DAYS).errors == []
    assert pipeline.conversations(DAYS[0]) == []
    assert pipeline.messages(DAYS[0]) == []


def test_activity_days_are_those_of_the_messages_in_local_time(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, timezone="Asia/Bangkok")
    day = DAYS[0]
    messages = [
        message("m1", "c", "2024-01-02T10:00:00Z"),
        message("m2", "c", "2024-01-02T16:59:59Z"),
        message("m3", "c", "2024-01-02T17:00:00Z"),
        message("m4", "c", "2024-02-01T00:00:00Z"),
    ]
    pipeline.export([conversation("c", "2024-01-02T10:00:00Z")], messages)
    pipeline.run(day)

    expected = (day, date(2024, 1, 3), date(2024, 2, 1))
    assert pipeline.manifest("messages", day).activity_days == expected


def test_a_failing_day_does_not_stop_the_others(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = derived.build_messages

    def failing(raw: Any, *args: Any, **options: Any) -> Any:
        if "m2024-01-02-0" in raw["raw_messages"]["message_id"].to_pylist():
            raise ZeroDivisionError("a bug")
        return real(raw, *args, **options)

    monkeypatch.setattr(derived, "build_messages", failing)
    run = pipeline.run(*DAYS, request="r")

    assert run.outcomes("messages") == {
        DAYS[0]: "failed",
        DAYS[1]: "committed",
        DAYS[2]: "committed",
    }
    assert run.reports["messages"][0].error == "ZeroDivisionError: a bug"
    assert run.outcomes("conversations")[DAYS[0]] == "failed"
    assert "materialise messages of that day first" in run.reports["conversations"][0].error

    monkeypatch.undo()
    again = pipeline.run(*DAYS, request="r")

    assert again.outcomes("raw") == dict.fromkeys(DAYS, "kept")
    for unit in ("messages", "conversations"):
        assert again.outcomes(unit) == {
            DAYS[0]: "committed",
            DAYS[1]: "kept",
            DAYS[2]: "kept",
        }


def test_a_retry_keeps_what_a_crash_left_done(pipeline: Pipeline) -> None:
    request = Request("r", "run-1")
    stream: Iterator[Any] = iter(pipeline.raw_days(DAYS, request))
    # Rows without a day come before the first day.
    list(commit_days(pipeline.lake, [next(stream), next(stream)]))
    del stream  # the run dies here

    retry = pipeline.raw_days(DAYS, Request("r", "run-2"))
    outcomes = {r.day: r.outcome for r in commit_days(pipeline.lake, retry)}

    assert outcomes == {
        DAYS[0]: "kept",
        DAYS[1]: "committed",
        DAYS[2]: "committed",
        "unknown": "committed",
    }


def test_a_day_that_died_before_the_index_knew_it_is_written_again(pipeline: Pipeline) -> None:
    pipeline.run(*DAYS, request="one")
    index = pipeline.lake.index
    (entry,) = [key for key in pipeline.lake.store.list("_index/") if str(DAYS[1]) in key]
    pipeline.lake.store.delete([entry])

    again = pipeline.run(*DAYS, request="one")

    assert again.outcomes("raw") == {
        DAYS[0]: "kept",
        DAYS[1]: "committed",
        DAYS[2]: "kept",
        "unknown": "committed",
    }
    assert index.snapshot().ids_of([DAYS[1]]) == {f"c{DAYS[1]}"}


def test_a_kept_derived_day_is_made_again_when_its_input_changed(pipeline: Pipeline) -> None:
    pipeline.run(*DAYS, request="r")
    conversations, messages = rows()
    messages[0]["content"] = "edited"
    pipeline.export(conversations, messages)
    list(commit_days(pipeline.lake, pipeline.raw_days(DAYS, pipeline.request())))

    stream = pipeline.derived_days("messages", DAYS, Request("r", "run-9"))
    outcomes = {r.day: r.outcome for r in commit_days(pipeline.lake, stream)}

    assert outcomes == {DAYS[0]: "committed", DAYS[1]: "kept", DAYS[2]: "kept"}


def test_messages_of_an_older_reading_are_refused(pipeline: Pipeline) -> None:
    pipeline.run(*DAYS)
    conversations, messages = rows()
    messages[0]["content"] = "edited"
    pipeline.export(conversations, messages)
    list(commit_days(pipeline.lake, pipeline.raw_days(DAYS[:1], pipeline.request())))

    stream = pipeline.derived_days("conversations", DAYS[:1], pipeline.request())
    (report,) = commit_days(pipeline.lake, stream)

    assert report.outcome == "failed"
    assert "materialise messages first" in report.error


def test_an_input_that_changes_meanwhile_is_noticed(pipeline: Pipeline) -> None:
    pipeline.run(*DAYS)
    request = pipeline.request()
    (item,) = pipeline.derived_days("messages", DAYS[:1], request)
    conversations, messages = rows()
    messages[0]["content"] = "edited"
    pipeline.export(conversations, messages)
    list(commit_days(pipeline.lake, pipeline.raw_days(DAYS[:1], pipeline.request())))

    with pytest.raises(StaleInput, match="input 'raw' changed"):
        pipeline.lake.commit_day(item.commit)  # type: ignore[union-attr]


def test_worker_processes_make_the_same_days(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.run(*DAYS)
    other = Pipeline(tmp_path / "other", page_rows=2)
    other.export(*rows())
    other.runner = ProcessPoolRunner(2)
    try:
        assert other.run(*DAYS).errors == []
    finally:
        other.runner.close()

    assert {d: other.hashes(d) for d in DAYS} == {d: pipeline.hashes(d) for d in DAYS}
    assert isinstance(pipeline.runner, InProcessRunner)


def test_another_mapping_does_not_get_into_the_same_lake(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.run(*DAYS)
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("conversations: {title: subject_line}")
    other = Pipeline(tmp_path, field_mapping_file=mapping)
    conversations, messages = rows()
    other.export([{**row, "subject_line": "x"} for row in conversations], messages)

    with pytest.raises(LakeMismatch, match="SOURCE_PROFILE or FIELD_MAPPING_FILE"):
        other.run(*DAYS, request="with the mapping")


def test_a_day_without_raw_rows_cannot_be_derived(pipeline: Pipeline) -> None:
    stream = pipeline.derived_days(MESSAGES_UNIT.name, DAYS[:1], pipeline.request())
    (report,) = commit_days(pipeline.lake, stream)

    assert report.outcome == "failed"
    assert "materialise raw of that day first" in report.error


def test_a_row_too_large_for_any_store_is_kept_apart(pipeline: Pipeline) -> None:
    conversations, messages = rows()
    huge = message("huge", "c2024-01-02", "2024-01-02T11:00:00Z", content="x" * (8 * 1024 * 1024))
    pipeline.export(conversations, [*messages, huge])
    pipeline.run(*DAYS)

    (kept,) = pipeline.quarantine(DAYS[0])
    assert (kept["source_id"], kept["reason"]) == ("huge", "too_large")
    assert len(kept["payload"]) > 8 * 1024 * 1024


def test_a_message_is_quarantined_until_its_conversation_comes(pipeline: Pipeline) -> None:
    conversations, messages = rows()
    pipeline.export(conversations[1:], messages)
    pipeline.run(*DAYS)
    assert {row["reason"] for row in pipeline.quarantine(DAYS[0])} == {"orphan_message"}

    pipeline.export(conversations, messages)
    pipeline.run(*DAYS)

    assert pipeline.quarantine(DAYS[0]) == []
    assert len(pipeline.messages(DAYS[0])) == 3

"""Reading a few days from a source that answers queries: the same days as one full pass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversation_analytics.storage.days import commit_days
from conversation_analytics_tests.builders import Pipeline, Row, conversation, message
from conversation_analytics_tests.sync.memory_source import MemorySource

FIRST = date(2024, 1, 2)
DAYS = [FIRST + timedelta(days=n) for n in range(40)]


class MemoryPipeline(Pipeline):
    """A pipeline whose source is rows in memory."""

    def put(self, conversations: Sequence[Row], messages: Sequence[Row]) -> MemorySource:
        self.memory = MemorySource(keys="uuid")
        self.memory.put("conversations", conversations)
        self.memory.put("messages", messages)
        return self.memory

    def source(self) -> MemorySource:
        self.memory.clock = self.now + timedelta(minutes=self._runs)
        return self.memory


def at(day: date, minute: int = 0) -> str:
    return f"{day}T10:{minute:02d}:00+00:00"


def export() -> tuple[dict[str, Row], dict[str, Row]]:
    """A conversation a day with two messages, by id."""
    conversations = {}
    messages = {}
    for n, day in enumerate(DAYS):
        id_ = f"c{n}"
        conversations[id_] = conversation(id_, at(day), Id=f"key-{n * 7 % 40:02d}")
        for k, role in enumerate(("user", "assistant")):
            own = f"m{n}-{k}"
            key = f"key-{n * 11 % 40:02d}-{k}"
            messages[own] = message(own, id_, at(day, k), role, Id=key)
    return conversations, messages


@pytest.fixture
def filled(tmp_path: Path) -> MemoryPipeline:
    pipeline = MemoryPipeline(tmp_path)
    conversations, messages = export()
    pipeline.put(list(conversations.values()), list(messages.values()))
    list(commit_days(pipeline.lake, pipeline.raw_days(DAYS, pipeline.request())))
    return pipeline


def raw_run(pipeline: MemoryPipeline, *days: date) -> set[Any]:
    """Materialise raw days; the days that were written."""
    reports = list(commit_days(pipeline.lake, pipeline.raw_days(days, pipeline.request())))
    assert [report.error for report in reports if report.error] == []
    return {report.day for report in reports}


def test_a_day_is_read_without_reading_the_others(filled: MemoryPipeline) -> None:
    before = filled.manifest("raw", DAYS[5]).content_hash
    filled.memory.rows_read = 0

    assert raw_run(filled, DAYS[5]) == {DAYS[5]}

    assert filled.manifest("raw", DAYS[5]).content_hash == before
    assert filled.memory.rows_read < 20


def test_a_conversation_that_moved_away_is_found_in_its_new_day(filled: MemoryPipeline) -> None:
    conversations, messages = export()
    conversations["c5"]["created_at"] = at(DAYS[20])
    filled.put(list(conversations.values()), list(messages.values()))

    assert raw_run(filled, DAYS[5]) == {DAYS[5], DAYS[20]}
    assert filled.manifest("raw", DAYS[5]).counts["read"] == 0
    assert filled.manifest("raw", DAYS[20]).counts["read"] == 6


def test_a_conversation_that_moved_here_is_taken_from_its_old_day(filled: MemoryPipeline) -> None:
    conversations, messages = export()
    conversations["c5"]["created_at"] = at(DAYS[20])
    filled.put(list(conversations.values()), list(messages.values()))

    assert raw_run(filled, DAYS[20]) == {DAYS[5], DAYS[20]}
    assert filled.manifest("raw", DAYS[5]).counts["read"] == 0
    assert filled.manifest("raw", DAYS[20]).counts["read"] == 6


def test_a_move_half_done_is_finished_whichever_day_is_asked_for(
    filled: MemoryPipeline,
) -> None:
    conversations, messages = export()
    conversations["c5"]["created_at"] = at(DAYS[20])
    filled.put(list(conversations.values()), list(messages.values()))
    stream = iter(filled.raw_days([DAYS[5]], filled.request()))
    (report,) = commit_days(filled.lake, [next(stream)])
    assert report.day == DAYS[20]
    del stream  # the run dies before it writes the old day

    assert raw_run(filled, DAYS[5]) == {DAYS[5], DAYS[20]}
    assert filled.manifest("raw", DAYS[5]).displaced == (DAYS[20],)


def test_of_two_rows_with_one_id_on_different_days_the_newer_counts(tmp_path: Path) -> None:
    pipeline = MemoryPipeline(tmp_path)
    conversations, messages = export()
    newer = conversation("c5", at(DAYS[20]), updated_at=at(DAYS[21]), Id="another key")
    pipeline.put([*conversations.values(), newer], list(messages.values()))
    raw_run(pipeline, *DAYS)
    before = [pipeline.manifest("raw", day).content_hash for day in DAYS]
    assert pipeline.manifest("raw", DAYS[20]).counts["quarantined_duplicate_id"] == 1

    for day in (DAYS[5], DAYS[20]):
        raw_run(pipeline, day)
        assert [pipeline.manifest("raw", day).content_hash for day in DAYS] == before


def test_a_late_message_of_another_day_is_none_of_the_day_read(filled: MemoryPipeline) -> None:
    conversations, messages = export()
    messages["m5-1"]["created_at"] = at(DAYS[8])
    filled.put(list(conversations.values()), list(messages.values()))

    raw_run(filled, DAYS[8])

    assert filled.manifest("raw", DAYS[8]).counts["read"] == 3
    assert filled.quarantine(DAYS[8]) == []


def test_messages_of_one_instant_keep_the_order_the_source_tells(tmp_path: Path) -> None:
    pipeline = MemoryPipeline(tmp_path)
    same = at(FIRST)
    messages = [message(f"m{n}", "c", same, Id=f"k{9 - n}") for n in range(4)]
    pipeline.put([conversation("c", same, Id="k")], messages)
    raw_run(pipeline, FIRST)

    rows = pipeline.table("raw", "raw_messages", FIRST).to_pylist()
    assert [row["message_id"] for row in rows] == ["m3", "m2", "m1", "m0"]
    assert [row["tie_order"] for row in rows] == [0, 1, 2, 3]


def test_system_columns_change_neither_hash_nor_attributes(filled: MemoryPipeline) -> None:
    conversations, messages = export()
    first = filled.manifest("raw", DAYS[3]).content_hash
    for row in (*conversations.values(), *messages.values()):
        row["Id"] = "other-" + row["Id"]
    filled.put(list(conversations.values()), list(messages.values()))
    raw_run(filled, DAYS[3])

    assert filled.manifest("raw", DAYS[3]).content_hash == first


changes = st.lists(
    st.tuples(
        st.sampled_from(["move", "untime", "edit", "delete", "late", "orphan", "drop message"]),
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=4,
)


def change(
    conversations: dict[str, Row], messages: dict[str, Row], kind: str, n: int, k: int
) -> None:
    """Change the source in one way."""
    own, other = f"c{n}", DAYS[k]
    if kind == "move" and own in conversations:
        conversations[own]["created_at"] = at(other, 30)
    elif kind == "untime" and own in conversations:
        conversations[own]["created_at"] = None
    elif kind == "edit" and f"m{n}-1" in messages:
        messages[f"m{n}-1"] |= {"content": f"edited {k}", "updated_at": at(other)}
    elif kind == "delete":
        conversations.pop(own, None)
        for which in (0, 1):
            messages.pop(f"m{n}-{which}", None)
    elif kind == "late" and f"m{n}-1" in messages:
        messages[f"m{n}-1"]["created_at"] = at(other, 59)
    elif kind == "orphan":
        conversations.pop(own, None)
    elif kind == "drop message":
        messages.pop(f"m{n}-0", None)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(changes, st.sets(st.sampled_from(DAYS[:6]), min_size=1, max_size=2))
def test_days_read_alone_are_the_days_of_a_full_pass(
    tmp_path_factory: pytest.TempPathFactory,
    what: list[tuple[str, int, int]],
    asked: set[date],
) -> None:
    conversations, messages = export()
    part = MemoryPipeline(tmp_path_factory.mktemp("part"))
    part.put(list(conversations.values()), list(messages.values()))
    raw_run(part, *DAYS)
    for kind, n, k in what:
        change(conversations, messages, kind, n, k)
    part.put(list(conversations.values()), list(messages.values()))
    written = raw_run(part, *asked) - {"unknown"}

    whole = MemoryPipeline(tmp_path_factory.mktemp("whole"))
    whole.put(list(conversations.values()), list(messages.values()))
    raw_run(whole, *written)

    for day in written:
        assert part.manifest("raw", day).counts == whole.manifest("raw", day).counts
        assert part.manifest("raw", day).content_hash == whole.manifest("raw", day).content_hash

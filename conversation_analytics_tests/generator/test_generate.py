import random
import tempfile
import tracemalloc
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.errors import SettingsError
from conversation_analytics.generator import GeneratorOptions, generate
from conversation_analytics.generator.rhythm import Rhythm, day_quotas
from conversation_analytics.generator.texts import languages
from conversation_analytics_tests.generator.exports import by_conversation, export, rows

PLAIN_CONVERSATION = (
    "conversation_id user_id title channel status language created_at updated_at is_deleted "
    "segment country plan"
)
PLAIN_MESSAGE = (
    "message_id conversation_id role content created_at updated_at model prompt_tokens "
    "completion_tokens latency_ms cost currency error feedback_score client"
)
DIFY_CONVERSATION = (
    "id app_id model_provider model_id mode name summary inputs status from_source "
    "from_end_user_id from_account_id dialogue_count created_at updated_at is_deleted"
)
DIFY_MESSAGE = (
    "id app_id model_provider model_id conversation_id inputs query message message_tokens "
    "message_unit_price answer answer_tokens answer_unit_price provider_response_latency "
    "total_price currency status error message_metadata from_source from_end_user_id "
    "from_account_id parent_message_id workflow_run_id created_at updated_at"
)


@pytest.mark.parametrize("profile", ["plain", "dify"])
@pytest.mark.parametrize("dirty", [False, True])
def test_the_same_options_give_the_same_bytes(tmp_path, profile, dirty):
    export(tmp_path / "a", profile=profile, dirty=dirty)
    export(tmp_path / "b", profile=profile, dirty=dirty)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "b").iterdir())
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_another_seed_gives_other_bytes(tmp_path):
    export(tmp_path / "a", seed=1)
    export(tmp_path / "b", seed=2)
    first, second = (rows(tmp_path / name, "messages") for name in "ab")
    assert len(first) == len(second)
    assert first[0] != second[0]


@settings(max_examples=30)
@given(
    messages=st.integers(2, 600),
    days=st.integers(1, 40),
    seed=st.integers(0, 2**40),
    profile=st.sampled_from(["plain", "dify"]),
    start=st.dates(date(2024, 1, 1), date(2025, 12, 1)),
)
def test_any_export_is_exact_ordered_and_covers_its_days(messages, days, seed, profile, start):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        options = GeneratorOptions(
            out=out, messages=messages, days=days, seed=seed, profile=profile, start=start
        )
        summary = generate(options)
        conversations, found = rows(out, "conversations"), rows(out, "messages")

    wanted = messages // 2 if profile == "dify" else messages
    assert len(found) == wanted == summary.messages.represented
    assert len(conversations) == summary.conversations.represented

    conversation_key = "id" if profile == "dify" else "conversation_id"
    message_key = "id" if profile == "dify" else "message_id"
    started = [row["created_at"] for row in conversations]
    assert started == sorted(started)
    first, last = start.isoformat(), (start + timedelta(days=days - 1)).isoformat()
    assert started[0][:10] >= first
    assert started[-1][:10] <= last
    if wanted >= days:
        assert len({moment[:10] for moment in started}) == days

    assert len({row[conversation_key] for row in conversations}) == len(conversations)
    assert len({row[message_key] for row in found}) == len(found)
    began = {row[conversation_key]: row["created_at"] for row in conversations}
    for conversation, of_it in by_conversation(found).items():
        order = [(row["created_at"], row[message_key]) for row in of_it]
        assert order == sorted(order)
        assert order[0][0] >= began[conversation]
        assert all(row["updated_at"] is None or row["updated_at"] >= row["created_at"]
                   for row in of_it)  # fmt: skip


def test_plain_rows_have_the_columns_of_the_profile(tmp_path):
    export(tmp_path)
    assert all(" ".join(row) == PLAIN_CONVERSATION for row in rows(tmp_path, "conversations"))
    for row in rows(tmp_path, "messages"):
        assert " ".join(row) == PLAIN_MESSAGE
        assert row["role"] in {"user", "assistant", "agent", "system", "tool"}
        by_model = row["role"] == "assistant"
        for column in ("model", "prompt_tokens", "completion_tokens", "latency_ms", "cost"):
            assert (row[column] is not None) == by_model
        if by_model:
            assert Decimal(row["cost"]) > 0
            assert len(row["cost"].partition(".")[2]) == 8
            assert row["currency"] in {"USD", "THB"}
        assert row["feedback_score"] is None or -1 <= row["feedback_score"] <= 1


def test_dify_rows_are_pairs_with_the_columns_of_the_profile(tmp_path):
    export(tmp_path, profile="dify", messages=4_000)
    conversations = rows(tmp_path, "conversations")
    assert all(" ".join(row) == DIFY_CONVERSATION for row in conversations)
    count = {row["id"]: row["dialogue_count"] for row in conversations}
    messages = rows(tmp_path, "messages")
    for conversation, of_it in by_conversation(messages).items():
        assert count[conversation] == len(of_it)
        assert [row["parent_message_id"] for row in of_it[1:]] == [row["id"] for row in of_it[:-1]]
    for row in messages:
        assert " ".join(row) == DIFY_MESSAGE
        assert row["query"]
        assert (row["answer"] == "") == (row["status"] == "error") == (row["error"] is not None)
    assert {row["status"] for row in messages} == {"normal", "error"}


def test_every_language_speaks_and_every_text_can_be_filled_in(tmp_path):
    summary = export(tmp_path, messages=3_000)
    assert set(summary.languages) == {"th", "vi", "id", "zh", "ja", "ko", "ar", "hi", "es", "en"}
    assert not any("{" in row["content"] for row in rows(tmp_path, "messages")
                   if row["role"] != "tool")  # fmt: skip


def test_a_larger_export_looks_like_real_use(tmp_path):
    export(tmp_path, messages=40_000, days=60)
    conversations, messages = rows(tmp_path, "conversations"), rows(tmp_path, "messages")
    grouped = by_conversation(messages)

    answers = [row for row in messages if row["role"] == "assistant"]
    assert 0.005 < sum(row["error"] is not None for row in answers) / len(answers) < 0.025
    latencies = sorted(row["latency_ms"] for row in answers)
    assert latencies[len(latencies) * 99 // 100] > 4 * latencies[len(latencies) // 2]
    assert len({row["model"] for row in answers}) >= 4
    handovers = [row for row in answers if row["content"].endswith("#AGENT")]
    assert 0.01 < len(handovers) / len(conversations) < 0.15

    assert 0 < len(conversations) - len(grouped) < 0.01 * len(conversations)
    spans = [(rows[0]["created_at"], rows[-1]["created_at"]) for rows in grouped.values()]
    assert sum(begin[:10] != end[:10] for begin, end in spans) > 0.01 * len(spans)
    assert any(
        datetime.fromisoformat(end) - datetime.fromisoformat(begin) > timedelta(days=7)
        for begin, end in spans
    )
    moments = Counter((row["conversation_id"], row["created_at"]) for row in messages)
    assert max(moments.values()) >= 4
    assert any(row["updated_at"] for row in messages)

    users = Counter(row["user_id"] for row in conversations)
    assert len(users) > 500
    assert users.most_common(1)[0][1] > 5 * sorted(users.values())[len(users) // 2]
    days = Counter(date.fromisoformat(row["created_at"][:10]).weekday() for row in conversations)
    assert days[0] > days[6]


def test_memory_does_not_grow_with_the_export(tmp_path):
    def peak(messages: int) -> int:
        tracemalloc.start()
        export(tmp_path, messages=messages, days=1)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(1_000)  # texts and tables are made once
    assert peak(40_000) < 1.1 * peak(10_000)


def test_progress_tells_the_rows_written_so_far(tmp_path):
    told: list[int] = []
    generate(GeneratorOptions(out=tmp_path, messages=25_000, days=3), told.append)
    assert told == sorted(told)
    assert len(told) == 3
    assert told[-1] == 25_000


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"messages": 0}, "--messages is 0"),
        ({"days": 0}, "--days is 0"),
        ({"seed": -1}, "--seed is -1"),
        ({"profile": "csv"}, "--profile is 'csv'"),
        ({"start": date(1900, 1, 1)}, "--start is 1900-01-01"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, changes, named):
    with pytest.raises(SettingsError, match=named):
        export(tmp_path, **changes)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match="--out is"):
        export(tmp_path / "file" / "out")


def test_a_broken_off_export_leaves_the_one_before_as_it_was(tmp_path):
    export(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(GeneratorOptions(out=tmp_path, messages=20_000, days=3), stop)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_clean_export_takes_away_what_was_expected_of_a_dirty_one(tmp_path):
    export(tmp_path, dirty=True)
    export(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "conversations.jsonl",
        "messages.jsonl",
    ]


@given(count=st.integers(0, 10_000), days=st.integers(1, 500), start=st.dates(), seed=st.integers())
def test_day_quotas_add_up_and_leave_no_day_empty(count, days, start, seed):
    chance = random.Random(seed).random
    quotas = day_quotas(chance, rows=count, days=days, start=start)
    assert sum(quotas) == count
    assert len(quotas) == days
    assert min(quotas) >= (1 if count >= days else 0)


@given(first=st.floats(0, 1, exclude_max=True), second=st.floats(0, 1, exclude_max=True))
def test_later_messages_of_a_day_never_come_earlier(first, second):
    rhythm = Rhythm(languages())
    early, late = sorted((first, second))
    assert 0 <= rhythm.second_of_day(early) <= rhythm.second_of_day(late) < 86_400

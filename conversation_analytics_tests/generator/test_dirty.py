import json
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics_tests.generator.exports import expected, export, lines

REASONS = {
    "malformed",
    "bad_encoding",
    "too_large",
    "missing_id",
    "wrong_type",
    "bad_time",
    "out_of_range",
    "duplicate_id",
}


def readable(folder: Path, table: str) -> list[dict]:
    found = []
    for line in lines(folder / f"{table}.jsonl"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append(row)
    return found


@pytest.mark.parametrize("profile", ["plain", "dify"])
@pytest.mark.parametrize("messages", [100, 6_000])
def test_every_reason_is_there_in_every_table(tmp_path, profile, messages):
    export(tmp_path, messages=messages, profile=profile, dirty=True)
    found = Counter((row["table"], row["reason"]) for row in expected(tmp_path))
    wanted = {(table, reason) for table in ("conversations", "messages") for reason in REASONS}
    assert set(found) == wanted | {("messages", "orphan_message")}
    assert all(count >= (1 if reason == "too_large" else 2) for (_, reason), count in found.items())


@settings(max_examples=8)
@given(
    messages=st.integers(100, 3_000),
    days=st.integers(1, 60),
    seed=st.integers(0, 2**32),
    profile=st.sampled_from(["plain", "dify"]),
)
def test_expected_counts_add_up(messages, days, seed, profile):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        export(out, messages=messages, days=days, seed=seed, profile=profile, dirty=True)
        counts = json.loads((out / "expected_counts.json").read_text())
        quarantined = Counter(row["table"] for row in expected(out))
        for table in ("conversations", "messages"):
            assert counts[table]["read"] == len(lines(out / f"{table}.jsonl"))
            assert counts[table]["quarantined"] == quarantined[table]
            assert counts[table].pop("read") == sum(counts[table].values())
            assert all(count > 0 for count in counts[table].values())


def test_dirty_rows_are_part_of_the_wanted_number_and_about_one_percent(tmp_path):
    summary = export(tmp_path, messages=20_000, dirty=True)
    assert summary.messages.read == 20_000
    assert 0.004 < summary.messages.quarantined / summary.messages.read < 0.02
    assert 0.003 < summary.conversations.soft_deleted / summary.conversations.read < 0.008


def test_a_small_dirty_export_keeps_its_clean_rows(tmp_path):
    summary = export(tmp_path, messages=100, dirty=True)
    assert summary.messages.read > 100
    assert summary.messages.represented >= 100


def test_messages_of_a_conversation_that_cannot_be_used_are_orphans(tmp_path):
    export(tmp_path, dirty=True)
    verdicts = expected(tmp_path)
    lost = {row["source_id"] for row in verdicts
            if row["table"] == "conversations" and row["reason"] != "duplicate_id"}  # fmt: skip
    orphans = {row["source_id"] for row in verdicts if row["reason"] == "orphan_message"}
    of_lost = {row["message_id"] for row in readable(tmp_path, "messages")
               if row.get("message_id") and row["conversation_id"] in lost - {None}}  # fmt: skip
    assert of_lost
    assert of_lost <= orphans


def test_the_newer_version_of_an_id_is_the_one_that_is_kept(tmp_path):
    export(tmp_path, dirty=True)
    edited = {row["message_id"]: row for row in readable(tmp_path, "messages")
              if str(row.get("content")).endswith("(edited)")}  # fmt: skip
    superseded = {row["source_id"] for row in expected(tmp_path)
                  if (row["table"], row["reason"]) == ("messages", "duplicate_id")}  # fmt: skip
    assert edited
    assert set(edited) <= superseded
    for row in readable(tmp_path, "messages"):
        newer = edited.get(row.get("message_id"))
        if newer is not None and row != newer:
            changed = row["updated_at"] or row["created_at"]
            assert newer["updated_at"] > changed


def test_rows_of_another_time_are_before_or_after_any_real_one(tmp_path):
    export(tmp_path, dirty=True)
    outside = {row["source_id"] for row in expected(tmp_path) if row["reason"] == "out_of_range"}
    years = {date.fromisoformat(row["created_at"][:10]).year
             for row in readable(tmp_path, "messages")
             if row.get("message_id") in outside}  # fmt: skip
    assert any(year < 2024 for year in years)
    assert any(year >= 2099 for year in years)


def test_only_one_row_of_a_table_is_huge(tmp_path):
    export(tmp_path, dirty=True)
    for table in ("conversations", "messages"):
        sizes = sorted(len(line) for line in lines(tmp_path / f"{table}.jsonl"))
        assert sizes[-1] > 8 * 1024 * 1024
        assert sizes[-2] < 10_000


def test_odd_but_usable_rows_are_there_and_not_expected_in_quarantine(tmp_path):
    export(tmp_path, dirty=True, messages=12_000)
    bad = {row["source_id"] for row in expected(tmp_path)}
    good = [row for row in readable(tmp_path, "messages") if row.get("message_id") not in bad]
    times = [row["created_at"] for row in good]
    assert any(isinstance(time, int) and time > 10**11 for time in times)
    assert any(isinstance(time, int) and time < 10**11 for time in times)
    texts = [str(time) for time in times]
    assert any(text[10:11] == " " for text in texts)
    assert any(text.endswith(".123Z") for text in texts)
    assert any(", " in text for text in texts)
    contents = "".join(row["content"] for row in good)
    assert all(sign in contents for sign in ("\x00", "\u2028", "\u202e"))
    conversations = readable(tmp_path, "conversations")
    assert any(row["created_at"] is None and row["conversation_id"] not in bad
               for row in conversations if "conversation_id" in row)  # fmt: skip

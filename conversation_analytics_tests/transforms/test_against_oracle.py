"""What the pipeline makes of an export, compared with an oracle written from the rules alone."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversation_analytics.generator.generate import generate
from conversation_analytics.generator.options import GeneratorOptions
from conversation_analytics.partitions import days_between
from conversation_analytics_tests import oracle
from conversation_analytics_tests.builders import (
    Pipeline,
    Row,
    conversation,
    dify_conversation,
    dify_message,
    line,
    message,
)

# A Monday and a first; clocks go back on the 7th in Santiago and Sydney.
START = date(2024, 4, 1)
NOW = datetime(2024, 4, 9, 6, tzinfo=UTC)
ZONES = ("UTC", "Asia/Bangkok", "America/Santiago", "Australia/Sydney", "Asia/Kathmandu")

GOOD_TIMES = [
    "2024-04-02T10:00:00+00:00",
    "2024-04-02T10:00:01+00:00",
    "2024-04-02T17:30:00+00:00",
    "2024-04-02T23:59:59+00:00",
    "2024-04-06T14:30:00+00:00",
    "2024-04-06T15:59:59.999999+00:00",
    "2024-04-07T02:59:59Z",
    "2024-04-07T03:00:00Z",
    "2024-04-07T04:00:00",
    "2024-04-07 04:00:00+07:00",
    1_712_500_000,
]
BAD_TIMES = ["yesterday", "05/06/2024 10:00", "2024-02-30T10:00:00+00:00"]
FAR_TIMES = ["1999-12-31T23:00:00+00:00", "2099-01-01T00:00:00+00:00", "2024-04-01T00:00:00+14:00"]
TEXTS = ["hello", "ช่วยด้วย", "#AGENT please", "a\x00b", "one\u2028two", "👩‍👩‍👧", "", "\r\n"]
HALF = "half \ud83d an emoji"


def mostly(*good: Any, or_: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """One of the good values, seldom one of the others."""
    if not or_:
        return st.sampled_from(good)
    share = max(1, 12 * len(or_) // len(good))
    return st.sampled_from([*good * share, *or_])


times = mostly(*GOOD_TIMES, or_=(*BAD_TIMES, *FAR_TIMES))
updates = st.one_of(st.none(), st.sampled_from(GOOD_TIMES))
damaged = st.sampled_from([b'{"broken', b"[1, 2]", b"null", b"<html>"])


@st.composite
def plain_rows(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    owners = ["c1", "c2", "c3", "c4"]
    conversations: list[Any] = [conversation("c0", GOOD_TIMES[0])]
    for _ in range(draw(st.integers(0, 6))):
        row = conversation(
            draw(mostly(*owners, or_=(None, "  ", 7, ["c1"]))),
            draw(mostly(*GOOD_TIMES, None, None, or_=(*BAD_TIMES, *FAR_TIMES))),
            updated_at=draw(updates),
            user_id=draw(mostly("u1", "u2", None, or_=({"id": 1},))),
            title=draw(mostly(*TEXTS, or_=(HALF, {"text": "hi"}))),
            status=draw(mostly("open", None)),
            is_deleted=draw(mostly(False, False, None, True)),
        )
        conversations.append(draw(lost_keys(row, "title", "status", "segment", "created_at")))
    messages: list[Any] = [message("m0", "c0", GOOD_TIMES[0])]
    for _ in range(draw(st.integers(0, 12))):
        row = message(
            draw(mostly(*(f"m{n}" for n in range(1, 9)), or_=(None, "", True))),
            draw(mostly(*owners, "c0", or_=("gone", None, " "))),
            draw(times),
            draw(mostly("user", "assistant", "agent", "bot", or_=("robot", None, 7))),
            content=draw(mostly(*TEXTS, or_=(HALF, {"html": "hi"}))),
            updated_at=draw(updates),
            user_id=draw(mostly(None, "u8", "u9")),
            model=draw(mostly(None, "gpt", "opus")),
            prompt_tokens=draw(mostly(None, 3, "4", or_=("abc", -1, 2.5))),
            completion_tokens=draw(mostly(None, 5)),
            latency_ms=draw(mostly(None, 12.5, or_=("fast", -1))),
            cost=draw(mostly(None, "0.00000003", "1.5", 0.25, or_=("free", -1))),
            currency=draw(mostly(None, "USD", "THB")),
            error=draw(mostly(None, "", "timeout")),
            feedback_score=draw(mostly(None, 1, -0.5, or_=(7,))),
            is_deleted=draw(mostly(False, False, None, True)),
        )
        messages.append(draw(lost_keys(row, "error", "client", "is_deleted", "cost", "role")))
    return draw(disturbed(conversations)), draw(disturbed(messages))


@st.composite
def dify_rows(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    owners = ["c1", "c2", "c3"]
    inputs = mostly({"username": "u1", "segment": None}, {}, None, '{"language": "th"}', or_=([1],))
    conversations: list[Any] = [dify_conversation("c0", GOOD_TIMES[0])]
    for _ in range(draw(st.integers(0, 5))):
        row = dify_conversation(
            draw(mostly(*owners, or_=(None, ""))),
            draw(times),
            updated_at=draw(updates),
            inputs=draw(inputs),
            from_end_user_id=draw(mostly(None, "end-1")),
            from_account_id=draw(mostly(None, "account-1")),
            name=draw(mostly(*TEXTS, or_=(HALF, ["hi"]))),
            model_id=draw(mostly(None, "gpt")),
            is_deleted=draw(mostly(False, False, True)),
        )
        conversations.append(draw(lost_keys(row, "name", "status", "from_end_user_id")))
    messages: list[Any] = [dify_message("m0", "c0", GOOD_TIMES[0])]
    for _ in range(draw(st.integers(0, 8))):
        row = dify_message(
            draw(mostly("m1", "m2", "m3", "m4", "m5", or_=(None,))),
            draw(mostly(*owners, "c0", or_=("gone", None))),
            draw(times),
            updated_at=draw(updates),
            inputs=draw(inputs),
            query=draw(mostly(*TEXTS, or_=(HALF, {"html": "hi"}))),
            answer=draw(mostly(*TEXTS, None)),
            message_unit_price=draw(mostly("0.0010", 0.001, "0", None)),
            message_metadata=draw(mostly(None, {"a": 1}, '{"b": [2]}', "no JSON object")),
            message_tokens=draw(mostly(10, 0, None, or_=("abc",))),
            provider_response_latency=draw(mostly(0.5, 1, 0, None, or_=(-1,))),
            total_price=draw(mostly("0.001", 0.5, None, or_=("free",))),
            currency=draw(mostly("USD", "VND")),
            status=draw(mostly("normal", "error")),
            error=draw(mostly(None, "quota exceeded")),
        )
        messages.append(draw(lost_keys(row, "error", "status", "workflow_run_id")))
    return draw(disturbed(conversations)), draw(disturbed(messages))


@st.composite
def lost_keys(draw: st.DrawFn, row: Row, *names: str) -> Row:
    """The row without some of its columns, mostly with all."""
    lost = draw(st.one_of(st.just([]), st.lists(st.sampled_from(names), max_size=2)))
    return {name: value for name, value in row.items() if name not in lost}


@st.composite
def disturbed(draw: st.DrawFn, rows: list[Any]) -> list[Any]:
    """The rows in another order, some twice, with damaged lines between them."""
    twice = draw(st.lists(st.sampled_from(rows), max_size=2))
    broken = draw(st.lists(damaged, max_size=1))
    if draw(st.booleans()):
        latin = line({**rows[0], "extra": "@"}).replace(b"@", b"caf\xe9")
        broken.append(latin)
    return draw(st.permutations([*rows, *twice, *broken]))


def check(
    conversations: list[Any],
    messages: list[Any],
    *,
    profile: str,
    timezone: str = "UTC",
    files: int = 1,
    ending: str = ".jsonl",
    page_rows: int = 10_000,
) -> None:
    """Run the pipeline on an export and compare every day with what the oracle expects."""
    rules = {"profile": profile, "timezone": timezone, "start": START, "now": NOW}
    wanted = oracle.expected(conversations, messages, **rules)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(
            Path(folder),
            profile=profile,
            timezone=timezone,
            now=NOW,
            partitions_start_date=START,
            page_rows=page_rows,
        )
        pipeline.export(conversations, messages, files=files, ending=ending)
        calendar = pipeline.settings.calendar
        days = days_between(START, calendar.day_of(NOW))
        assert pipeline.run(*days).errors == []
        for day in days:
            compare(pipeline, day, wanted.pop(day, oracle.Day()))
        unknown = wanted.pop("unknown", oracle.Day())
        assert found_quarantine(pipeline, "unknown") == unknown.quarantine
        assert wanted == {}, "the oracle has rows on days that were not asked for"


def compare(pipeline: Pipeline, day: date, wanted: oracle.Day) -> None:
    counts = pipeline.manifest("raw", day).counts
    terms = ("read", "represented", "quarantined", "soft_deleted", "identical_duplicates")
    assert {term: counts[term] for term in terms} == {term: wanted.counts[term] for term in terms}
    assert found_quarantine(pipeline, day) == wanted.quarantine
    assert rows_of(pipeline.conversations(day)) == in_order(wanted.conversations)
    assert rows_of(pipeline.messages(day)) == in_order(wanted.messages)


def found_quarantine(pipeline: Pipeline, day: Any) -> list[tuple[str, str | None, str]]:
    rows = pipeline.quarantine(day)
    found = [(row["source_table"], row["source_id"], row["reason"]) for row in rows]
    return sorted(found, key=str)


def rows_of(rows: list[Row]) -> list[Row]:
    """Rows as the oracle has them: attributes as objects, without hashes."""
    for row in rows:
        row["attributes"] = json.loads(row["attributes"])
        del row["content_hash"]
    return rows


def in_order(rows: list[Row]) -> list[Row]:
    """In file order."""
    if rows and "message_id" in rows[0]:
        return sorted(rows, key=lambda row: (row["conversation_id"], row["turn_index"]))
    return sorted(rows, key=lambda row: (row["started_at"], row["conversation_id"]))


few = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@few
@given(plain_rows(), st.sampled_from(ZONES), st.integers(1, 3), st.sampled_from([1, 2, 10_000]))
def test_a_plain_export_becomes_what_the_rules_say(
    rows: tuple[list[Any], list[Any]], zone: str, files: int, page_rows: int
) -> None:
    check(*rows, profile="plain", timezone=zone, files=files, page_rows=page_rows)


@few
@given(dify_rows(), st.sampled_from(ZONES), st.sampled_from([".jsonl", ".jsonl.gz"]))
def test_a_dify_export_becomes_what_the_rules_say(
    rows: tuple[list[Any], list[Any]], zone: str, ending: str
) -> None:
    check(*rows, profile="dify", timezone=zone, ending=ending)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_other_formats_say_the_same_as_json_lines(ending: str) -> None:
    conversations = [
        conversation("c1", GOOD_TIMES[0], updated_at=GOOD_TIMES[3], title='คำถาม, "quoted"'),
        conversation("c2", GOOD_TIMES[3], title="two\nlines", is_deleted=True),
        conversation("c3", None, updated_at=None),
        conversation("c3", None, updated_at=None),
    ]
    messages = [
        message("m1", "c1", GOOD_TIMES[1], content="one\u2028two"),
        message("m2", "c1", GOOD_TIMES[2], "assistant", cost="0.00000003", currency="USD"),
        message("m3", "c2", GOOD_TIMES[2], prompt_tokens=12, latency_ms=3.25),
        message("m4", "c3", GOOD_TIMES[5], feedback_score=-0.5, error="timeout"),
        message("m5", "c3", BAD_TIMES[0]),
        message("m6", "gone", GOOD_TIMES[0]),
    ]
    if ending.startswith(".csv"):  # numbers are text there, and a score as text is a score
        messages[3]["feedback_score"] = None
    check(conversations, messages, profile="plain", ending=ending, files=2)


@pytest.mark.parametrize("profile", ["plain", "dify"])
def test_a_dirty_export_is_judged_as_its_maker_says(tmp_path: Path, profile: str) -> None:
    pipeline = Pipeline(tmp_path, profile=profile, now=datetime(2024, 1, 9, tzinfo=UTC))
    options = GeneratorOptions(
        out=pipeline.source_dir,
        messages=600,
        days=7,
        seed=3,
        profile=profile,  # type: ignore[arg-type]
        dirty=True,
    )
    summary = generate(options)
    days = days_between(date(2024, 1, 1), date(2024, 1, 9))

    assert pipeline.run(*days).errors == []

    expected = [
        json.loads(text)
        for text in (pipeline.source_dir / "expected_quarantine.jsonl").read_text().splitlines()
    ]
    found = [row for day in (*days, "unknown") for row in found_quarantine(pipeline, day)]
    wanted = [(one["table"], one["source_id"], one["reason"]) for one in expected]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    counts = [pipeline.manifest("raw", day).counts for day in days]
    for table in ("conversations", "messages"):
        made = getattr(summary, table)
        for term in ("represented", "soft_deleted", "identical_duplicates"):
            assert sum(one[f"{table}_{term}"] for one in counts) == getattr(made, term)

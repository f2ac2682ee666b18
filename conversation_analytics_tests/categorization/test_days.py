"""Days of categories: whole, and the same whatever the way."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pyarrow.compute as pc
import pytest

from conversation_analytics.categorization import chunks, labelling
from conversation_analytics.categorization.days import labeller_for
from conversation_analytics.categorization.decisions import Decisions, objects
from conversation_analytics.compute.runner import ProcessPoolRunner
from conversation_analytics.schemas.categories import TASKS
from conversation_analytics_tests.categorization.labelled_lake import (
    DAYS,
    FIRST,
    ODD,
    Labelled,
    talk,
)


def test_every_conversation_has_a_label_a_task_and_every_message_its_own(
    labelled: Labelled,
) -> None:
    of_messages = {
        role: {row["message_id"] for row in talk()[1] if row["role"] == role}
        for role in ("user", "assistant", "tool")
    }
    found: dict[tuple[str, bool], set[str]] = {}
    for row in labelled.rows():
        whole = row["message_id"] is None
        key = row["conversation_id"] if whole else row["message_id"]
        found.setdefault((row["task"], whole), set()).add(key)

    everyone = {"angry", "silent", "thai", "odd", "parcel"}
    assert all(found[task, True] == everyone for task in TASKS)
    assert found["language", False] == set.union(*of_messages.values())
    assert found["sentiment", False] == of_messages["user"] | of_messages["assistant"]
    assert found["intent", False] == of_messages["user"]
    assert ("topic", False) not in found


def test_what_is_said_is_what_was_meant(labelled: Labelled) -> None:
    label = labelled.label
    assert label("language", "angry")["label"] == "en"
    assert label("language", "thai")["label"] == "th"
    assert label("sentiment", "angry", "angry-0")["label"] == "negative"
    assert label("sentiment", "angry", "angry-4")["label"] == "positive"
    trajectory = json.loads(label("sentiment", "angry")["details"])
    assert trajectory["change"] > 0.5
    assert trajectory["messages"] == 3
    intent = label("intent", "angry", "angry-2")
    assert (intent["label"], intent["method"]) == ("refund", "rule")
    assert intent["taxonomy_version"] == labeller_for(labelled.settings).taxonomy_version("intent")
    assert label("intent", "angry")["label"] == "refund"
    topics = labelled.labels("topic", "parcel")
    assert {row["label"] for row in topics} == {"billing", "shipping"}
    assert [row["rank"] for row in topics] == [0, 1]


def test_short_words_are_taken_to_be_in_the_language_of_their_conversation(
    labelled: Labelled,
) -> None:
    short = labelled.label("language", "thai", "thai-1")
    assert (short["label"], short["reason"], short["abstained"]) == ("und", "too_short", True)
    assert labelled.label("sentiment", "thai", "thai-1")["reason"] is None


def test_where_nothing_can_be_said_the_reason_is_told(labelled: Labelled) -> None:
    reasons = {task: labelled.labels(task, "silent")[0]["reason"] for task in TASKS}
    assert reasons == dict.fromkeys(TASKS, "no_message")
    odd = dict(zip(ODD, range(len(ODD)), strict=True))
    for name in ("empty", "spaces", "zero width", "code"):
        row = labelled.label("sentiment", "odd", f"odd-{odd[name]}")
        assert (row["label"], row["reason"], row["confidence"]) == ("unknown", "empty_text", 0)
    for row in labelled.rows():
        assert row["abstained"] == (row["reason"] is not None)
        assert row["abstained"] == (row["label"] in ("unknown", "und"))


def test_a_summary_says_what_the_labels_of_a_conversation_come_to(labelled: Labelled) -> None:
    summaries = {
        row["conversation_id"]: row
        for row in labelled.table("categories", "category_summaries", FIRST).to_pylist()
    }
    assert summaries.keys() == {"angry", "silent", "thai"}
    angry, silent = summaries["angry"], summaries["silent"]
    trajectory = json.loads(labelled.label("sentiment", "angry")["details"])
    assert (angry["language"], angry["intent"], angry["topics"]) == ("en", "refund", ["billing"])
    assert angry["sentiment_change"] == trajectory["change"]
    assert angry["negative_share"] == trajectory["negative_share"]
    assert silent["topics"] == []
    assert {silent[name] for name in ("language", "intent", "topic", "sentiment")} == {None}


def test_the_same_day_has_the_same_content_however_it_is_cut_and_whoever_works(
    labelled: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [labelled.manifest("categories", day).content_hash for day in DAYS]

    with monkeypatch.context() as patch:
        patch.setattr(chunks, "_MESSAGES", 1)
        labelled.run(*DAYS)
    one_by_one = [labelled.manifest("categories", day).content_hash for day in DAYS]
    labelled.runner = ProcessPoolRunner(2)
    labelled.run(*DAYS)
    labelled.runner.close()

    assert one_by_one == before
    assert [labelled.manifest("categories", day).content_hash for day in DAYS] == before


def test_a_label_that_is_not_allowed_never_becomes_public(
    labelled: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = labelled.manifest("categories", FIRST)
    real = labelling.label

    def nonsense(decisions: Decisions) -> Decisions:
        return replace(decisions, labels=objects(["nonsense"] * len(decisions)))

    def rename(*args: Any) -> list[labelling.Said]:
        return [
            replace(one, decisions=nonsense(one.decisions)) if one.task == "topic" else one
            for one in real(*args)
        ]

    monkeypatch.setattr("conversation_analytics.categorization.days.label", rename)
    run = labelled.run(FIRST)

    assert "topics that are not among the labels" in run.errors[0]
    assert labelled.manifest("categories", FIRST) == before


def test_a_conversation_without_a_label_never_becomes_public(
    labelled: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = labelling.label

    def lose(*args: Any) -> list[labelling.Said]:
        return [one for one in real(*args) if (one.task, one.whole) != ("intent", True)]

    monkeypatch.setattr("conversation_analytics.categorization.days.label", lose)

    assert "3 conversations without a intent, such as" in labelled.run(FIRST).errors[0]


def test_labels_are_counted_in_the_manifest(labelled: Labelled) -> None:
    counts = labelled.manifest("categories", FIRST).counts
    rows = labelled.table("categories", "categories", FIRST)

    assert sum(counts.values()) == rows.num_rows
    abstained = rows.filter(pc.and_(rows["abstained"], pc.equal(rows["task"], "topic")))
    assert counts["topic_abstained"] == abstained.num_rows

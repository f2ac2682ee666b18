"""What people say, and what changes: labelled again only where it must be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conversation_analytics.categorization import days as days_module
from conversation_analytics.categorization import labelling
from conversation_analytics.categorization.corrected_texts import corrected_texts
from conversation_analytics.categorization.days import labeller_for, stale_days
from conversation_analytics.categorization.encoders import WordEncoder, word_encoder
from conversation_analytics.categorization.labelled import read_labelled
from conversation_analytics.errors import CategorizationError, StaleInput
from conversation_analytics.schemas.categories import TASKS
from conversation_analytics.storage.layout import CATEGORIES_UNIT
from conversation_analytics.transforms.derived import DayTask
from conversation_analytics_tests.builders import (
    derivations,
)
from conversation_analytics_tests.categorization.labelled_lake import (
    DAYS,
    FIRST,
    SECOND,
    TAXONOMY,
    Labelled,
)


def test_another_keyword_of_a_topic_labels_topics_again_and_nothing_else(
    labelled: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = labelled.rows()
    labelled.taxonomy.write_text(TAXONOMY.replace("[invoice]", "[invoice, angry]"))

    with monkeypatch.context() as patch:
        for name in ("_sentiments", "_intents"):
            patch.delattr(labelling, name)  # none of them may be asked
        assert labelled.relabel() == {FIRST: ["topic"], SECOND: ["topic"]}

    after = labelled.rows()
    same = [row for row in before if row["task"] != "topic"]
    assert [row for row in after if row["task"] != "topic"] == same
    versions = {row["taxonomy_version"] for row in after if row["task"] == "topic"}
    assert versions == {labeller_for(labelled.settings).taxonomy_version("topic")}
    assert labelled.relabel() == {}


def test_labels_need_no_source(labelled: Labelled) -> None:
    for file in labelled.source_dir.iterdir():
        file.unlink()
    labelled.taxonomy.write_text(TAXONOMY.replace("parcel", "invoice"))

    labelled.relabel()

    assert [row["label"] for row in labelled.labels("topic", "angry")][:1] != ["unknown"]


def test_people_are_right_on_the_days_they_speak_of(labelled: Labelled) -> None:
    labelled.correct(
        {"conversation_id": "angry", "task": "topic", "label": "shipping"},
        {
            "conversation_id": "angry",
            "message_id": "angry-0",
            "task": "sentiment",
            "label": "positive",
        },
        {"conversation_id": "nowhere", "task": "sentiment", "label": "positive"},
    )

    assert labelled.relabel() == {FIRST: ["topic", "sentiment"]}

    topic = labelled.label("topic", "angry")
    assert (topic["label"], topic["method"], topic["confidence"]) == ("shipping", "human", 1)
    assert topic["model_version"] is None
    assert json.loads(topic["details"])["instead_of"]["label"] == "billing"
    assert labelled.label("sentiment", "angry", "angry-0")["method"] == "human"
    trajectory = json.loads(labelled.label("sentiment", "angry")["details"])
    assert trajectory["start"] == 1
    assert trajectory["negative_share"] == 0


def test_corrections_survive_another_taxonomy_and_go_when_they_are_taken_back(
    labelled: Labelled,
) -> None:
    before = labelled.rows()
    labelled.correct({"conversation_id": "angry", "task": "topic", "label": "shipping"})
    labelled.relabel()
    labelled.taxonomy.write_text(TAXONOMY.replace("[parcel]", "[parcel, box]"))
    assert labelled.relabel() == {FIRST: ["topic"], SECOND: ["topic"]}
    assert labelled.label("topic", "angry")["label"] == "shipping"

    labelled.correct()
    labelled.taxonomy.write_text(TAXONOMY)
    labelled.relabel()

    assert labelled.rows() == before


def test_another_language_by_people_is_what_the_rest_builds_on(labelled: Labelled) -> None:
    labelled.correct({"conversation_id": "thai", "task": "language", "label": "km"})

    assert labelled.relabel() == {FIRST: list(TASKS)}

    assert labelled.label("language", "thai")["label"] == "km"
    assert labelled.label("sentiment", "thai", "thai-1")["reason"] == "unmeasured_language"


def test_people_may_say_what_nothing_else_does(labelled: Labelled) -> None:
    labelled.correct(
        {"conversation_id": "angry", "message_id": "angry-1", "task": "intent", "label": "refund"}
    )
    labelled.relabel()

    added = labelled.label("intent", "angry", "angry-1")
    assert (added["label"], added["method"], added["details"]) == ("refund", "human", None)


def test_a_taxonomy_that_changes_under_way_stops_the_day(labelled: Labelled) -> None:
    how = derivations(labelled.settings, labelled.lake)["categories"]
    claim = labelled.lake.claim_day(CATEGORIES_UNIT, FIRST)
    task = DayTask(
        labelled.lake,
        labelled.settings,
        claim,
        labelled.request(),
        how.prepare,
        versions=how.versions(FIRST),
    )
    labelled.taxonomy.write_text(TAXONOMY.replace("invoice", "bill"))

    with pytest.raises(StaleInput, match="changed meanwhile; run the day again"):
        how.prepare(task)


def test_a_taxonomy_that_is_not_there_is_named(labelled: Labelled) -> None:
    labelled.taxonomy.unlink()

    with pytest.raises(CategorizationError, match=r"taxonomy\.yaml cannot be read"):
        labelled.derived_days("categories", DAYS, labelled.request())


def test_what_people_labelled_can_be_measured_by_and_learnt_from(
    labelled: Labelled, tmp_path: Path
) -> None:
    labelled.correct(
        {"conversation_id": "thai", "message_id": "thai-1", "task": "intent", "label": "refund"},
        {
            "conversation_id": "thai",
            "message_id": "thai-1",
            "task": "sentiment",
            "label": "neutral",
        },
        {"conversation_id": "angry", "task": "topic", "label": "shipping"},
        {"conversation_id": "angry", "task": "topic", "label": "billing"},
        {"conversation_id": "nobody", "task": "topic", "label": "billing"},
        {"conversation_id": "silent", "task": "topic", "label": "billing"},
    )
    people = labeller_for(labelled.settings).corrections

    message, whole = corrected_texts(labelled.lake, people)

    assert message["text"] == "ok"
    assert message["labels"] == {"intent": "refund", "sentiment": "neutral"}
    assert (whole["conversation_id"], whole["message_id"]) == ("angry", None)
    assert whole["labels"] == {"topic": "shipping"}
    assert whole["text"].splitlines()[1:2] == ["I want my money back!"]
    file = tmp_path / "people.jsonl"
    file.write_text(json.dumps(whole) + "\n" + json.dumps(message))
    (row,) = read_labelled(file, "topic")
    assert (row.text, row.labels, row.source) == (whole["text"], whole["labels"], "people")


def test_a_change_of_the_labelled_texts_of_a_taxonomy_makes_days_stale(
    labelled: Labelled, tmp_path: Path
) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text("text,topic\nwhere is it,shipping\n")
    labelled.taxonomy.write_text(f"examples_file: texts.csv\n{TAXONOMY}")
    assert labelled.relabel() == {day: ["topic"] for day in DAYS}
    assert labelled.relabel() == {}

    texts.write_text("text,topic\nwhere is it,shipping\nwhere is it now,shipping\n")

    assert labelled.relabel() == {day: ["topic"] for day in DAYS}


def test_another_encoder_makes_intents_and_topics_stale(
    labelled: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(WordEncoder):
        version = "other"

    monkeypatch.setattr(days_module, "encoder_for", lambda *_: Other(word_encoder().vectors))

    assert stale_days(labelled.settings, labelled.lake) == {
        day: ["topic", "intent"] for day in DAYS
    }

"""Days of categories: whole, the same whatever the way, labelled again only where they must be."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from conversation_analytics.categorization import chunks, labelling
from conversation_analytics.categorization import days as days_module
from conversation_analytics.categorization.corrected_texts import corrected_texts
from conversation_analytics.categorization.days import labeller_for, stale_days
from conversation_analytics.categorization.decisions import Decisions, objects
from conversation_analytics.categorization.encoders import WordEncoder, word_encoder
from conversation_analytics.categorization.labelled import read_labelled
from conversation_analytics.compute.runner import ProcessPoolRunner
from conversation_analytics.errors import CategorizationError, StaleInput
from conversation_analytics.schemas.categories import TASKS
from conversation_analytics.storage.days import commit_days
from conversation_analytics.storage.layout import CATEGORIES_UNIT
from conversation_analytics.transforms.derived import DayTask
from conversation_analytics_tests.builders import (
    Pipeline,
    Row,
    conversation,
    derivations,
    message,
)

FIRST, SECOND = date(2024, 1, 2), date(2024, 1, 3)
DAYS = (FIRST, SECOND)

TAXONOMY = """
intents:
  - name: refund
    keywords: [money back]
topics:
  - name: billing
    keywords: [invoice]
  - name: shipping
    keywords: [parcel]
"""

ODD = {
    "empty": "",
    "spaces": " \n\t ",
    "zero width": "\u200b\u200d\ufeff",
    "emoji": "😀👍🏽",
    "link": "https://example.org/a?b=c",
    "code": "```python\nprint('no words')\n```",
    "long": "word " * 200_000,
    "right to left": "مرحبا، كيف يمكنني تغيير كلمة المرور؟",
    "mixed": "ราคา iPhone 15 Pro เท่าไหร่ครับ please",
    "override": "\u202eevil\u202c",
    "nul": "a\x00b",
    "combining": "e" + "\u0301" * 500,
}


def converse(id_: str, day: date, *said: tuple[str, str]) -> tuple[Row, list[Row]]:
    """A conversation with what is said in it, role by role."""
    at = f"{day}T10:00:00+00:00"
    turns = [
        message(f"{id_}-{n}", id_, f"{day}T10:{n % 60:02d}:00+00:00", role, content=text)
        for n, (role, text) in enumerate(said)
    ]
    return conversation(id_, at), turns


def talk() -> tuple[list[Row], list[Row]]:
    """Two days of talk."""
    made = [
        converse(
            "angry",
            FIRST,
            ("user", "This is terrible, I am really angry about this awful invoice"),
            ("assistant", "I am sorry to hear that. I will look into it."),
            ("user", "I want my money back!"),
            ("tool", '{"refund": true}'),
            ("user", "Thank you so much, that is wonderful, I am very happy now"),
        ),
        converse("silent", FIRST),
        converse("thai", FIRST, ("user", "ขอบคุณมากค่ะ บริการดีมาก"), ("user", "ok")),
        converse("odd", SECOND, *(("user", text) for text in ODD.values())),
        converse("parcel", SECOND, ("user", "My parcel has not arrived and the invoice is wrong")),
    ]
    return [one for one, _ in made], [row for _, rows in made for row in rows]


class Labelled(Pipeline):
    """A lake with labels, by a taxonomy and corrections that can be changed."""

    def __init__(self, folder: Path) -> None:
        self.taxonomy = folder / "taxonomy.yaml"
        self.corrections = folder / "labels.jsonl"
        self.taxonomy.write_text(TAXONOMY)
        self.corrections.write_text("")
        super().__init__(
            folder, categories=True, taxonomy_file=self.taxonomy, human_labels_file=self.corrections
        )
        self.export(*talk())
        assert self.run(*DAYS).errors == []

    def correct(self, *rows: dict[str, Any]) -> None:
        self.corrections.write_text("\n".join(map(json.dumps, rows)))

    def relabel(self) -> dict[date, list[str]]:
        """Label again what is stale; tells which tasks of which days that was."""
        stale = stale_days(self.settings, self.lake)
        days = self.derived_days("categories", stale, self.request())
        assert [report.error for report in commit_days(self.lake, days)] == [""] * len(stale)
        return stale

    def rows(self, *days: date) -> list[Row]:
        return [
            row
            for day in days or DAYS
            for row in self.table("categories", "categories", day).to_pylist()
        ]

    def labels(self, task: str, conversation_id: str, message_id: str | None = None) -> list[Row]:
        """The labels of a message, or of a whole conversation."""
        wanted = (task, conversation_id, message_id)
        return [
            row
            for row in self.rows()
            if (row["task"], row["conversation_id"], row["message_id"]) == wanted
        ]

    def label(self, task: str, conversation_id: str, message_id: str | None = None) -> Row:
        (row,) = self.labels(task, conversation_id, message_id)
        return row


@pytest.fixture
def labelled(tmp_path: Path) -> Labelled:
    return Labelled(tmp_path)


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

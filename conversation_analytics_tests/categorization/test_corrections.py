"""What people say instead is read as they mean it, or refused with its row."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from conversation_analytics.categorization.corrections import (
    Corrections,
    Target,
    read_corrections,
)
from conversation_analytics.categorization.taxonomy import load_taxonomy
from conversation_analytics.errors import LabelledDataInvalid

TAXONOMY = load_taxonomy()
INTENTS = TAXONOMY.sections["intent"].names
TOPICS = TAXONOMY.sections["topic"].names


def written(folder: Path, *rows: dict[str, object]) -> Path:
    file = folder / "labels.jsonl"
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return file


def row(task: str, label: str, **more: object) -> dict[str, object]:
    return {"conversation_id": "c1", "task": task, "label": label, **more}


def test_no_file_no_corrections() -> None:
    assert read_corrections(None, TAXONOMY) == Corrections()


def test_the_later_of_two_corrections_holds_and_topics_add_up(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        row("intent", INTENTS[0], message_id="m1"),
        row("intent", INTENTS[1], message_id="m1"),
        row("topic", TOPICS[1]),
        row("topic", TOPICS[0]),
        row("topic", TOPICS[1]),
        row("sentiment", "positive", message_id=None),
        row("language", "th"),
    )

    assert read_corrections(file, TAXONOMY).labels == {
        Target("c1", "m1", "intent"): (INTENTS[1],),
        Target("c1", None, "topic"): (TOPICS[1], TOPICS[0]),
        Target("c1", None, "sentiment"): ("positive",),
        Target("c1", None, "language"): ("th",),
    }


def test_a_csv_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("conversation_id,message_id,task,label\nc1,,sentiment,negative\n")

    assert read_corrections(file, TAXONOMY).labels == {
        Target("c1", None, "sentiment"): ("negative",)
    }


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"task": "topic", "label": TOPICS[0]}, "row 2 has no conversation_id"),
        (row("", "x"), "row 2 has no task"),
        (row("topic", ""), "row 2 has no label"),
        (row("mood", "glad"), "the task 'mood', which is none of language"),
        (row("sentiment", "glad"), "a sentiment is one of negative, neutral, positive"),
        (row("topic", "nonsense"), "has no topic of that name"),
        (row("intent", "nonsense"), "has no intent of that name"),
        (row("language", "Thai"), "a language is a code such as th"),
        (row("sentiment", "positive", message_id=7), "a message_id that is no text: 7"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, wrong: dict[str, object], words: str) -> None:
    file = written(tmp_path, row("sentiment", "positive"), wrong)

    with pytest.raises(LabelledDataInvalid, match=words):
        read_corrections(file, TAXONOMY)


def test_versions_tell_the_corrections_of_some_conversations_apart() -> None:
    some = Corrections(
        {
            Target("c1", None, "topic"): ("a",),
            Target("c2", "m", "topic"): ("b",),
            Target("c2", None, "language"): ("th",),
        }
    )

    assert some.of(["c3"]).version("topic") == ""
    versions = {some.of(ids).version("topic") for ids in (["c1"], ["c2"], ["c1", "c2"])}
    assert len(versions) == 3
    assert some.of(["c1"]).version("language") == ""

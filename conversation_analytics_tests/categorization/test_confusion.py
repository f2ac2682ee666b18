"""How labels are confused comes back from its file as it was counted, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.categorization.confusion import confusion_of, load_confusion
from conversation_analytics.categorization.decisions import UNKNOWN, Decision
from conversation_analytics.errors import ConfusionInvalid

GOOD = {
    "task": "intent",
    "labels": ["a", "b"],
    "counts": [[3, 1], [0, 2]],
    "model_version": "v1",
    "data": "texts.jsonl",
}


def test_texts_are_counted_by_what_is_true_and_what_was_said() -> None:
    withheld = Decision(UNKNOWN, 0.4, "model", "below_threshold", {"candidate": "a"})
    a, b = Decision("a", 0.9, "model"), Decision("b", 0.9, "model")
    true = ["a", "a", "a", "b", "oos", "out_of_scope"]
    found = confusion_of("intent", true, [a, b, withheld, b, withheld, a], "v1", "x.jsonl")
    assert found.labels == ("a", "b", UNKNOWN)
    assert found.counts.tolist() == [[1, 1, 1], [0, 1, 0], [1, 0, 1]]


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "confusion.json"
    said = [Decision("à", 0.9, "model"), Decision("b", 0.9, "model")]
    written = confusion_of("topic", ["b", "b"], said, "v1", "x.jsonl")
    written.save(file)
    found = load_confusion(file)
    assert found.counts.tolist() == written.counts.tolist()
    assert (found.task, found.labels) == ("topic", ("b", "à"))
    assert (found.model_version, found.data) == ("v1", "x.jsonl")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "mood"}, "'language', 'topic', 'intent' or 'sentiment'"),
        ({"labels": []}, "at least 1"),
        ({"labels": ["a", "a"]}, "a label is there twice"),
        ({"labels": ["a", "b", "c"]}, "counts are not 3 rows of as many"),
        ({"counts": [[1, 2], [3]]}, "counts are not 2 rows of as many"),
        ({"counts": [[1, -2], [3, 4]]}, "greater than or equal to 0"),
        ({"counts": [[1, 0.5], [3, 4]]}, "valid integer"),
        ({"model_version": None}, "valid string"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    file = tmp_path / "confusion.json"
    file.write_text(json.dumps(GOOD | change))
    with pytest.raises(ConfusionInvalid, match="evaluate --confusion") as refused:
        load_confusion(file)
    assert words in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_file_that_is_not_there_or_no_json_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "confusion.json"
    with pytest.raises(ConfusionInvalid, match="No such file"):
        load_confusion(file)
    file.write_text("{")
    with pytest.raises(ConfusionInvalid, match="Invalid JSON"):
        load_confusion(file)

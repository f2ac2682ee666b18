"""`evaluate`: what it measures, what it prints, what it refuses."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.categorization.confusion import load_confusion
from conversation_analytics.categorization.language import LANGUAGE_VERSION
from conversation_analytics.categorization.sentiment import sentiment_model
from conversation_analytics.categorization.taxonomy import load_taxonomy
from conversation_analytics.categorization.taxonomy_labels import taxonomy_labeller
from conversation_analytics_tests.categorization.examples import rows
from conversation_analytics_tests.cli.conftest import CommandLine

TAXONOMY = """
intents:
  - {name: cancel, keywords: [cancel, stop, no longer]}
  - {name: refund, keywords: [money back, refund, paid]}
  - {name: status, keywords: [where, when, sent yet]}
"""


def written(file: Path, **more: Any) -> Path:
    lines = [{"text": row.text, "label": row.labels["intent"], **more} for row in rows()]
    return written_lines(file, lines)


def written_lines(file: Path, lines: Iterable[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return file


def test_what_is_learnt_from_the_data_is_measured_on_parts_held_out(ca: CommandLine) -> None:
    data = written(ca.folder / "data.jsonl", language="en")
    found = ca.json("evaluate", "--data", str(data), "--task", "intent", "--folds", "3")
    assert found["overall"]["texts"] == 90
    assert found["overall"]["accuracy"] > 0.9
    assert found["overall"]["ece"] < 0.2
    assert set(found["languages"]) == {"en"}


def test_what_is_learnt_from_a_file_is_measured_on_another(ca: CommandLine) -> None:
    train = written(ca.folder / "train.jsonl", language="en")
    lines = [
        {"text": "please stop my sofa", "intent": "cancel", "language": "en", "split": "test"},
        {"text": "refund the sofa", "intent": "refund", "language": "en", "split": "test"},
        {"text": "where is the sofa", "intent": "cancel", "language": "en", "split": "test"},
        {"text": "zebras graze quietly", "intent": "oos", "language": "en", "split": "test"},
        {"text": "not of this split", "intent": "cancel", "language": "en", "split": "dev"},
    ]
    data = written_lines(ca.folder / "data.jsonl", lines)
    arguments = ["--data", str(data), "--task", "intent", "--train", str(train), "--split", "test"]
    found = ca.json("evaluate", *arguments)
    overall = found["overall"]
    assert (overall["texts"], overall["out_of_scope"]) == (3, 1)
    assert overall["accuracy"] == pytest.approx(2 / 3)
    assert overall["out_of_scope_recall"] == 1
    assert found["confusion"] == [{"true": "cancel", "said": "status", "texts": 1}]
    shown = ca("evaluate", *arguments)
    assert shown.exit_code == 0
    assert "66.7" in shown.stdout
    assert "Mistakes" in shown.stdout
    assert "Learning from train.jsonl" in shown.stderr
    assert "Learning from" not in shown.stdout


def test_a_split_is_not_measured_by_itself_when_the_rest_of_its_file_teaches(
    ca: CommandLine,
) -> None:
    train = written(ca.folder / "data.jsonl", language="en", split="train")
    with train.open("a") as file:
        for text, label in (("xylophone", "refund"), ("xylophones", "refund")):
            file.write(json.dumps({"text": text, "label": label, "split": "test"}) + "\n")
    arguments = ["--data", str(train), "--task", "intent", "--split", "test"]
    found = ca.json("evaluate", *arguments, "--train", str(train))["overall"]
    assert (found["texts"], found["coverage"]) == (2, 0)


def test_a_taxonomy_is_measured_by_its_own_labels(ca: CommandLine) -> None:
    taxonomy = ca.folder / "taxonomy.yaml"
    taxonomy.write_text(TAXONOMY)
    data = ca.folder / "data.csv"
    with data.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label", "language", "source"])
        table.writerow(["where is it", "status", "en", "ours"])
        table.writerow(["cancel it", "cancel", "en", "ours"])
        table.writerow(["nothing said", "cancel", "en", "ours"])
        table.writerow(["refund it", "cancel", "en", "theirs"])
    arguments = ["--data", str(data), "--task", "intent", "--taxonomy", str(taxonomy)]
    found = ca.json("evaluate", *arguments, "--source", "ours")
    assert found["overall"]["coverage"] == pytest.approx(2 / 3)
    assert found["overall"]["precision"] == 1
    assert found["reasons"] == {"below_threshold": 1}
    assert ca.json("evaluate", *arguments)["overall"]["precision"] == pytest.approx(2 / 3)


def test_the_taxonomy_of_the_settings_is_measured_unless_another_is_given(ca: CommandLine) -> None:
    (ca.folder / "ours.yaml").write_text(TAXONOMY)
    (ca.folder / "other.yaml").write_text(TAXONOMY.replace("where, when", "whither"))
    data = written_lines(
        ca.folder / "data.jsonl", [{"text": "where is it", "label": "status", "language": "en"}]
    )
    ca.set(TAXONOMY_FILE="ours.yaml")
    arguments = ["--data", str(data), "--task", "intent"]
    assert ca.json("evaluate", *arguments)["overall"]["coverage"] == 1
    other = ca.json("evaluate", *arguments, "--taxonomy", "other.yaml")
    assert other["overall"]["coverage"] == 0


def test_fewer_shots_teach_less(ca: CommandLine) -> None:
    data = written(ca.folder / "data.jsonl", language="en")
    arguments = ["--data", str(data), "--task", "intent", "--folds", "2"]
    few = ca.json("evaluate", *arguments, "--shots", "1")["overall"]["accuracy"]
    assert few < ca.json("evaluate", *arguments)["overall"]["accuracy"]


def test_languages_are_measured_by_language(ca: CommandLine) -> None:
    lines = [
        {"text": "where is my parcel, please?", "language": "en"},
        {"text": "ขอบคุณมากครับ", "language": "th"},
        {"text": "ขอบคุณมากค่ะ", "language": "lo"},
    ]
    data = written_lines(ca.folder / "data.jsonl", lines)
    found = ca.json("evaluate", "--data", str(data), "--task", "language")
    assert found["overall"]["accuracy"] == pytest.approx(2 / 3)
    assert found["languages"]["lo"]["accuracy"] == 0
    shown = ca("evaluate", "--data", str(data), "--task", "language").stdout
    assert [line.split()[1] for line in shown.splitlines() if " │ " in line][:4] == [
        "all",
        "en",
        "lo",
        "th",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "language", "--folds", "3"], "are for intents and topics, not for language"),
        (["--task", "sentiment", "--taxonomy", "t.yaml"], "not for sentiment"),
        (["--task", "intent", "--folds", "1"], "--folds is 1: give 2 or more"),
        (["--task", "intent", "--folds", "3", "--train", "data.jsonl"], "give one of them"),
        (["--task", "intent", "--shots", "3"], "--shots is 3"),
        (["--task", "intent", "--folds", "3", "--shots", "0"], "--shots is 0"),
        (["--task", "intent", "--source", "x"], "the source 'x'"),
        (["--task", "intent", "--split", "x"], "the split 'x'"),
        (["--task", "topic", "--taxonomy", "t.yaml"], "t.yaml has no topics"),
        (["--task", "intent"], "none of its labels is in the taxonomy"),
        (["--task", "mood"], "mood"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    ca: CommandLine, arguments: list[str], words: str
) -> None:
    lines = [{"text": "hello", "label": "nonsense"}, {"text": "bye", "label": "more"}]
    written_lines(ca.folder / "data.jsonl", lines)
    (ca.folder / "t.yaml").write_text(TAXONOMY)
    result = ca("evaluate", "--data", "data.jsonl", *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_a_file_that_is_not_there_is_named(ca: CommandLine) -> None:
    result = ca("evaluate", "--data", "none.jsonl", "--task", "intent")
    assert result.exit_code == 2
    assert "none.jsonl" in result.stderr


def test_how_labels_are_confused_is_written_as_reports_read_it(ca: CommandLine) -> None:
    lines = [
        {"text": "where is it", "label": "status"},
        {"text": "cancel it", "label": "cancel"},
        {"text": "refund it", "label": "cancel"},
        {"text": "nothing said", "label": "oos"},
    ]
    written_lines(ca.folder / "data.jsonl", [{"language": "en", **line} for line in lines])
    (ca.folder / "ours.yaml").write_text(TAXONOMY)
    file = ca.folder / "confusion.json"
    arguments = ["--data", "data.jsonl", "--task", "intent", "--taxonomy", "ours.yaml"]
    ca.json("evaluate", *arguments, "--confusion", str(file))
    found = load_confusion(file)
    assert found.labels == ("cancel", "refund", "status", "unknown")
    assert found.counts.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    section = load_taxonomy(ca.folder / "ours.yaml").sections["intent"]
    assert found.model_version == taxonomy_labeller(section).version
    assert (found.task, found.data) == ("intent", "data.jsonl")


@pytest.mark.parametrize(
    ("task", "version"),
    [("language", LANGUAGE_VERSION), ("sentiment", sentiment_model().version)],
)
def test_a_confusion_names_the_model_that_labels_conversations(
    ca: CommandLine, task: str, version: str
) -> None:
    written_lines(ca.folder / "data.jsonl", [{"text": "it is great, thanks", "label": "positive"}])
    ca.json("evaluate", "--data", "data.jsonl", "--task", task, "--confusion", "c.json")
    assert load_confusion(ca.folder / "c.json").model_version == version


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "intent", "--folds", "3"], "leave out --train and --folds"),
        (["--task", "sentiment", "--confusion", "none/c.json"], "none/c.json cannot be written"),
    ],
)
def test_a_confusion_of_nothing_that_labels_conversations_is_refused(
    ca: CommandLine, arguments: list[str], words: str
) -> None:
    written_lines(ca.folder / "data.jsonl", [{"text": "hello", "label": "neutral"}])
    given = ["--confusion", "c.json", *arguments]
    result = ca("evaluate", "--data", "data.jsonl", *given)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())

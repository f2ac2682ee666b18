"""Labels on the command line: explained, compared beforehand, given again where they are stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversation_analytics_tests.cli.conftest import CommandLine

# Dagster uses its own deprecated attribute when it starts resources that need others.
pytestmark = pytest.mark.filterwarnings(
    "ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"
)

TAXONOMY = """
intents:
  - name: greeting
    keywords: [hello]
topics:
  - name: orders
    keywords: [parcel]
  - name: small_talk
    keywords: [{keyword}]
"""


@pytest.fixture
def filled(ca: CommandLine) -> CommandLine:
    """A lake of two days that are labelled by a taxonomy of the test's own."""
    write(ca, "nothing")
    ca.set(TAXONOMY_FILE=ca.folder / "taxonomy.yaml")
    ca.export(days=2)
    assert ca("backfill").exit_code == 0
    return ca


def write(ca: CommandLine, keyword: str, name: str = "taxonomy.yaml") -> Path:
    file = ca.folder / name
    file.write_text(TAXONOMY.format(keyword=keyword))
    return file


def test_a_text_is_labelled_and_the_labels_are_explained(ca: CommandLine) -> None:
    ca.set(TAXONOMY_FILE=write(ca, "weather"))

    found = ca.json("categorize", "hello, where is my parcel? I am so angry")

    labels = {task: [one["label"] for one in some] for task, some in found.items()}
    assert labels == {
        "language": ["en"],
        "topic": ["orders"],
        "intent": ["greeting"],
        "sentiment": ["negative"],
    }
    (topic,) = found["topic"]
    assert (topic["method"], topic["why"]["keywords"]) == ("rule", {"orders": ["parcel"]})
    assert topic["taxonomy_version"]
    assert "angry" in [one["text"] for one in found["sentiment"][0]["why"]["features"]]
    table = ca("categorize", "hello, where is my parcel?").stdout
    assert "keywords parcel" in table


def test_a_text_may_come_from_standard_input_and_say_nothing(ca: CommandLine) -> None:
    result = ca("categorize", "-", stdin=" \n")
    assert result.exit_code == 0
    assert "too_short" in result.stdout
    assert "empty_text" in result.stdout


def test_a_wrong_taxonomy_is_named(ca: CommandLine) -> None:
    (ca.folder / "wrong.yaml").write_text("topics: [{name: a}, {name: a}]")
    ca.set(TAXONOMY_FILE="wrong.yaml")

    result = ca("categorize", "hello")

    assert result.exit_code == 2
    assert "'a' is there 2 times" in result.stderr


def test_what_another_taxonomy_changes_is_shown_before_and_done_after(
    filled: CommandLine,
) -> None:
    assert filled.json("categories", "diff") == {
        "conversations": 4,
        "compared": 4,
        "changed": {},
        "steps": [],
    }
    write(filled, "hello")

    (step,) = filled.json("categories", "diff", exit_code=1)["steps"]
    assert (step["task"], step["from"], step["to"]) == ("topic", "unknown", "small_talk")
    assert step["conversations"] == 4
    assert step["examples"][0]["after"]["method"] == "rule"
    assert "small_talk" in filled("categories", "diff").stdout

    (outcome,) = filled.json("backfill", "--stale")
    assert outcome["success"]
    assert {one["asset"]: one["days"] for one in outcome["assets"]} == {
        "categories": 2,
        "category_summaries": 2,
        "translations": 2,
    }
    assert filled.json("categories", "diff")["changed"] == {}
    assert filled.json("backfill", "--stale") == []
    assert "no day is stale" in filled("backfill", "--stale").stderr


def test_versions_and_files_can_be_compared_whatever_the_lake_holds(filled: CommandLine) -> None:
    versions = {one["topic"][0]["taxonomy_version"] for one in [filled.json("categorize", "hello")]}
    other = write(filled, "hello", "other.yaml")

    (version,) = versions
    found = filled.json("categories", "diff", "--from", version, "--to", str(other), exit_code=1)

    assert found["changed"] == {"topic": 4}


def test_a_version_that_never_was_is_refused_with_those_there_are(filled: CommandLine) -> None:
    version = filled.json("categorize", "hello")["topic"][0]["taxonomy_version"]

    result = filled("categories", "diff", "--from", "nonsense")

    assert result.exit_code == 2
    assert "'nonsense' is neither a file nor a version" in result.stderr
    assert version in result.stderr.replace("\n", "")


def test_a_sample_is_always_the_same_and_says_so(filled: CommandLine) -> None:
    filled.export(days=2, conversations_a_day=9)
    assert filled("backfill").exit_code == 0
    write(filled, "hello")

    found = [filled.json("categories", "diff", "--sample", "6", exit_code=1) for _ in range(2)]

    assert found[0] == found[1]
    assert found[0]["conversations"] == 18
    assert 0 < found[0]["compared"] < 18


def test_only_the_days_asked_for_are_labelled_again(filled: CommandLine) -> None:
    write(filled, "hello")

    (outcome,) = filled.json("backfill", "--stale", "--from", "2024-01-02")

    assert (outcome["from"], outcome["to"]) == ("2024-01-02", "2024-01-02")
    (outcome,) = filled.json("backfill", "--stale")
    assert (outcome["from"], outcome["to"]) == ("2024-01-01", "2024-01-01")


@pytest.mark.parametrize("option", [["--rebuild"], ["--select", "messages"]])
def test_stale_goes_with_nothing_else(ca: CommandLine, option: list[str]) -> None:
    result = ca("backfill", "--stale", *option)
    assert result.exit_code == 2
    assert "--stale goes with neither" in result.stderr


def test_the_texts_that_people_labelled_are_written_and_measured(filled: CommandLine) -> None:
    people = filled.folder / "people.csv"
    people.write_text(
        "conversation_id,message_id,task,label\n"
        "c1-0,c1-0-0,intent,greeting\nc1-1,c1-1-0,sentiment,positive\nc9-9,,topic,orders\n"
    )
    out = filled.folder / "texts.jsonl"
    assert "HUMAN_LABELS_FILE is not set" in filled("categories", "corrected", "--out", "x").stderr
    filled.set(HUMAN_LABELS_FILE=people)

    result = filled("categories", "corrected", "--out", str(out))

    assert result.exit_code == 0
    assert "2 texts with 2 of the 3 labels" in result.stderr
    assert "no texts for the others" in result.stderr
    measured = filled.json(
        "evaluate", "--data", str(out), "--task", "intent", "--taxonomy", "taxonomy.yaml"
    )
    assert (measured["overall"]["texts"], measured["overall"]["accuracy"]) == (1, 1.0)
    nowhere = filled("categories", "corrected", "--out", "no/such/folder/x.jsonl")
    assert (nowhere.exit_code, "cannot be written" in nowhere.stderr) == (2, True)

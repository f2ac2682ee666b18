"""What `doctor` tells of the files that settings name, and of where alerts are posted."""

from __future__ import annotations

import json

import pytest

from conversation_analytics_tests.cli.conftest import CommandLine

RULE = "{name: busy, grain: daily, kind: above, metric: conversations, threshold: 100}"
TAXONOMY = "topics: [{name: parcel, keywords: [parcel]}, {name: invoice, keywords: [invoice]}]"
LABEL = {"conversation_id": "c1", "task": "topic", "label": "parcel"}
CONFUSION = {
    "task": "sentiment",
    "labels": ["negative", "positive"],
    "counts": [[40, 2], [3, 55]],
    "model_version": "1",
    "data": "labelled.jsonl",
}


@pytest.fixture
def ca(ca: CommandLine) -> CommandLine:
    """A command line whose source is well."""
    ca.export(days=1)
    return ca


def found(ca: CommandLine, check: str, *, exit_code: int = 0) -> tuple[str, str]:
    """State and words of a finding."""
    checks = {one["check"]: one for one in ca.json("doctor", exit_code=exit_code)["checks"]}
    return checks[check]["state"], checks[check]["words"]


def test_files_that_are_not_named_are_no_fault(ca: CommandLine) -> None:
    checks = {one["check"]: one for one in ca.json("doctor")["checks"]}
    names = ("HUMAN_LABELS_FILE", "LABEL_CONFUSION_FILES", "ALERTS_FILE", "ALERT_WEBHOOK_URL")
    for name in names:
        assert (checks[name]["state"], checks[name]["words"][:8]) == ("ok", "not used"), name
    assert checks["TAXONOMY_FILE"]["state"] == "ok"
    assert "18 intents, 22 topics" in checks["TAXONOMY_FILE"]["words"]


@pytest.mark.parametrize(
    ("setting", "content", "words"),
    [
        ("TAXONOMY_FILE", TAXONOMY, "0 intents, 2 topics"),
        ("HUMAN_LABELS_FILE", json.dumps(LABEL), "labels of people: 1"),
        ("LABEL_CONFUSION_FILES", json.dumps(CONFUSION), "sentiment by 100 texts of labelled"),
        ("ALERTS_FILE", f"alerts: [{RULE}]", "has no mistakes; rules: 1 daily"),
    ],
)
def test_what_a_file_has_is_told(ca: CommandLine, setting: str, content: str, words: str) -> None:
    (ca.folder / "taxonomy.yaml").write_text(TAXONOMY)
    (ca.folder / "file.jsonl").write_text(content)
    ca.set(**{"TAXONOMY_FILE": "taxonomy.yaml", setting: "file.jsonl"})
    state, told = found(ca, setting)
    assert (state, words in told) == ("ok", True), told


@pytest.mark.parametrize(
    "setting", ["TAXONOMY_FILE", "HUMAN_LABELS_FILE", "LABEL_CONFUSION_FILES", "ALERTS_FILE"]
)
def test_a_file_that_is_not_there_is_named(ca: CommandLine, setting: str) -> None:
    ca.set(**{setting: "gone.yaml"})
    state, words = found(ca, setting, exit_code=2)
    assert (state, "gone.yaml" in words) == ("fail", True), words


def test_mistakes_of_rules_are_told_as_by_alerts_test(ca: CommandLine) -> None:
    (ca.folder / "alerts.yaml").write_text(f"alerts:\n- {RULE}\n- {RULE}\n")
    ca.set(ALERTS_FILE="alerts.yaml")
    state, words = found(ca, "ALERTS_FILE", exit_code=2)
    assert state == "fail"
    assert "line 2: 'busy' is there 2 times" in words
    assert words in ca("alerts", "test").stderr.replace("\n", " ")


def test_a_file_without_rules_is_told(ca: CommandLine) -> None:
    (ca.folder / "alerts.yaml").write_text("alerts: []")
    ca.set(ALERTS_FILE="alerts.yaml")
    assert found(ca, "ALERTS_FILE") == ("warn", "alerts.yaml has no rules: add some")


@pytest.mark.parametrize(
    ("address", "state"),
    [
        ("https://hooks.test/hush", "ok"),
        ("https://hooks.test:port/hush", "warn"),
        ("https://:8080/hush", "warn"),
        ("https://hooks.test/hush hush", "warn"),
    ],
)
def test_an_address_that_nothing_can_be_posted_to_is_told_and_not_shown(
    ca: CommandLine, address: str, state: str
) -> None:
    ca.set(ALERT_WEBHOOK_URL=address)
    told, words = found(ca, "ALERT_WEBHOOK_URL")
    assert told == state
    assert "hush" not in words


def test_keys_of_the_api_are_counted_and_else_it_is_told_how_to_make_one(ca: CommandLine) -> None:
    how = "`conversation-analytics api keys create --name NAME --scope read:reports` makes one"
    assert how in found(ca, "API_KEYS_FILE")[1]
    made = ca.json("api", "keys", "create", "--name", "team", "--scope", "read:reports")
    assert found(ca, "API_KEYS_FILE") == ("ok", "data/api_keys.json: valid keys: 1")
    ca("api", "keys", "revoke", made["id"])
    assert how in found(ca, "API_KEYS_FILE")[1]


def test_keys_that_others_may_read_are_told(ca: CommandLine) -> None:
    ca.json("api", "keys", "create", "--name", "team", "--scope", "read:reports")
    (ca.folder / "data" / "api_keys.json").chmod(0o644)
    state, words = found(ca, "API_KEYS_FILE", exit_code=2)
    assert (state, "chmod 600" in words) == ("fail", True)

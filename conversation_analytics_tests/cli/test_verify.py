"""`verify`, and what `status` and `source check` tell of days and columns that need looking at."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from conversation_analytics.settings import load_settings
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.pending import Token
from conversation_analytics_tests.cli.conftest import CommandLine

# Dagster uses its own deprecated attribute when it starts resources that need others.
pytestmark = pytest.mark.filterwarnings(
    "ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"
)


def lake() -> Lake:
    return open_lake(load_settings(None))


def messages_file(day: date) -> Path:
    opened = lake()
    return Path(opened.store.url) / opened.layout.file("messages", day)


def test_verify_agrees_until_something_differs_and_again_once_it_is_healed(
    ca: CommandLine,
) -> None:
    ca.export(days=3)
    ca.json("backfill")
    assert ca.json("verify")["differing_days"] == 0
    assert "3 days agree" in ca("verify").stdout

    messages_file(date(2024, 1, 2)).write_bytes(b"junk")
    found = ca.json("verify", exit_code=1)
    assert (found["compared_days"], found["differing_days"]) == (3, 1)
    (day,) = found["days"]
    (table,) = (one for one in day["tables"] if one["table"] == "messages")
    assert day["day"] == "2024-01-02"
    assert table["damaged"] == ["c2-0-0", "c2-0-1", "c2-1-0", "c2-1-1"]
    shown = ca("verify")
    assert shown.exit_code == 1
    assert "4 damaged" in shown.stdout
    assert "verify --heal" in shown.stderr
    assert ca.json("verify", "--from", "2024-01-03")["differing_days"] == 0

    healed = ca.json("verify", "--heal")
    assert [(run["from"], run["to"]) for run in healed["runs"]] == [("2024-01-02", "2024-01-02")]
    assert healed["left"]["differing_days"] == 0
    assert ca.json("verify")["differing_days"] == 0
    assert ca("verify", "--heal").exit_code == 0


def test_verify_shows_every_day_if_asked(ca: CommandLine) -> None:
    ca.export(days=2)
    ca.json("backfill")
    days = ca.json("verify", "--all")["days"]
    assert [day["day"] for day in days] == ["2024-01-01", "2024-01-02", "unknown"]
    assert "equal" in ca("verify", "--all").stdout


def test_verify_heals_what_the_source_changed(ca: CommandLine) -> None:
    ca.export(days=3)
    ca.json("backfill")
    ca.export(days=4, edit=" again")
    before = ca.json("verify", exit_code=1)
    assert before["differing_days"] == 4
    assert ca.json("verify", exit_code=1) == before  # looking changes nothing
    assert ca.json("verify", "--heal")["left"]["differing_days"] == 0
    assert ca.json("status")["totals"]["pending"] == 0


def test_verify_does_not_heal_by_removing_most_of_the_lake(ca: CommandLine) -> None:
    ca.export(days=2, conversations_a_day=40)
    ca.json("backfill")
    ca.export(days=1, conversations_a_day=2)
    refused = ca("verify", "--heal")
    assert refused.exit_code == 1
    assert "MAX_DELETE_FRACTION" in refused.stderr
    assert ca.json("status")["totals"]["conversations"] == 80
    assert ca.json("verify", "--heal", "--force")["left"]["differing_days"] == 0
    assert ca.json("status")["totals"]["conversations"] == 2


def test_verify_that_cannot_look_says_so(ca: CommandLine) -> None:
    result = ca("verify")
    assert result.exit_code == 2
    assert "SOURCE_DIR" in result.stderr


def test_status_tells_why_a_day_failed_until_it_is_written(
    ca: CommandLine, failing_day: Callable[[str | None], None]
) -> None:
    ca.export(days=2)
    failing_day("2024-01-02")
    assert ca("backfill").exit_code == 1
    found = ca.json("status", exit_code=1)
    assert found["totals"]["failed"] == 1
    first, second = found["days"]
    assert first["error"] is None
    assert "the moon is full" in second["error"]
    assert "the moon is full" in ca("status").stdout

    failing_day(None)
    ca.json("backfill")
    assert ca.json("status")["totals"]["failed"] == 0


def test_status_tells_what_is_pending_even_of_days_that_are_not_there(ca: CommandLine) -> None:
    ca.export(days=2)
    ca.json("backfill")
    later = datetime(2100, 1, 1, tzinfo=UTC)
    reasons = {"changed": 2, "new": 1}
    lake().pending.add(
        [
            Token(date(2024, 1, 2), later, reasons),
            Token(date(2024, 1, 5), later, {"new": 4}),
            Token("unknown", later, {"new": 7}),
        ]
    )
    found = ca.json("status", exit_code=1)
    assert [(day["day"], day["pending"]) for day in found["days"]] == [
        ("2024-01-01", None),
        ("2024-01-02", reasons),
        ("2024-01-05", {"new": 4}),
    ]
    assert found["totals"]["pending"] == 2
    assert {one["day"] for one in found["problems"]} == {"2024-01-02", "2024-01-05", "unknown"}
    assert "2 changed, 1 new" in ca("status").stdout


def test_columns_that_changed_stop_every_reading_until_they_are_accepted(ca: CommandLine) -> None:
    source = ca.folder / "data" / "source"
    source.mkdir(parents=True)

    def write(user: str) -> None:
        tables = {
            "conversations": {"id": "c", user: "u", "created_at": "2024-01-01T10:00:00Z"},
            "messages": {
                "id": "m",
                "conversation_id": "c",
                "role": "user",
                "content": "hello",
                "created_at": "2024-01-01T10:00:00Z",
            },
        }
        for name, row in tables.items():
            with (source / f"{name}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, row)
                writer.writeheader()
                writer.writerow(row)

    write("user_id")
    ca.json("backfill")
    assert ca.json("source", "check")["changed_columns"] == []

    write("whom")
    for command in (("backfill",), ("sync",), ("verify",), ("verify", "--heal")):
        refused = ca(*command)
        assert refused.exit_code == 2, (command, refused.output)
        assert "'user_id' (read as user_id) is gone; was it renamed to 'whom'?" in refused.output
        assert "source check --accept" in refused.output
    (problem,) = ca.json("source", "check", exit_code=1)["changed_columns"]
    assert "'whom'" in problem
    (finding,) = (c for c in ca.json("doctor", exit_code=2)["checks"] if "columns" in c["check"])
    assert (finding["state"], problem in finding["words"]) == ("fail", True)
    assert ca.json("status")["days"][0]["epoch"] == 1

    assert ca.json("source", "check", "--accept")["changed_columns"] == []
    assert ca("sync").exit_code == 0
    assert ca.json("verify")["differing_days"] == 0

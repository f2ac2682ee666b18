from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conversation_analytics.errors import SettingsError
from conversation_analytics.logs import set_up_logging
from conversation_analytics.settings import load_settings
from conversation_analytics_tests.cli.conftest import CommandLine
from conversation_analytics_tests.services.nocodb_server import NocoDB

# Dagster uses its own deprecated attribute when it starts resources that need others.
pytestmark = pytest.mark.filterwarnings(
    "ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"
)


def test_help_comes_at_once_and_loads_nothing_heavy() -> None:
    command = (
        "import sys; from conversation_analytics.cli.main import app; "
        "print([m for m in ('dagster', 'pyarrow', 'pymongo', 'duckdb', 'numpy') "
        "if m in sys.modules])"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert time.monotonic() - started < 5  # under 1 s on a machine that is idle


def test_version_and_a_command_that_is_not_there(ca: CommandLine) -> None:
    assert ca("--version").stdout.strip()
    assert ca("nonsense").exit_code == 2


def test_generate_writes_what_source_check_reads(ca: CommandLine) -> None:
    made = ca.json("generate", "--out", "data/source", "--messages", "200", "--days", "3")
    assert made["messages"]["read"] == 200
    found = ca.json("source", "check")
    assert found["profile"] == "plain"
    assert found["tables"]["messages"]["mapped"]["content"] == ["content"]
    again = ca("generate", "--out", "data/source", "--messages", "300", "--days", "3")
    assert again.exit_code == 0
    assert "300 message rows" in again.stdout


def test_generate_leaves_other_files_alone(ca: CommandLine) -> None:
    ca.export(days=1)
    before = (ca.folder / "data/source/messages.jsonl").read_bytes()
    result = ca("generate", "--out", "data/source")
    assert result.exit_code == 2
    assert "not generated there" in result.stderr
    assert "conversations.jsonl" in result.stderr
    assert (ca.folder / "data/source/messages.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--messages", "0"], "--messages is 0"),
        (["--days", "0"], "--days is 0"),
        (["--start", "soon"], "--start is 'soon'"),
        (["--profile", "fancy"], "fancy"),
        (["--seed", "-1"], "--seed is -1"),
    ],
)
def test_generate_refuses_wrong_options(ca: CommandLine, arguments: list[str], words: str) -> None:
    result = ca("generate", "--out", "made", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (ca.folder / "made").exists()


def test_generate_refuses_a_file_as_its_folder(ca: CommandLine) -> None:
    (ca.folder / "made").write_text("a file")
    result = ca("generate", "--out", "made")
    assert result.exit_code == 2
    assert "not a folder" in result.stderr


def test_source_check_names_a_missing_column(ca: CommandLine) -> None:
    ca.write([{"id": "c"}], [{"id": "m", "conversation_id": "c", "content": "x"}])
    result = ca("source", "check")
    assert result.exit_code == 2
    assert "no column for 'role'" in result.stderr
    assert "FIELD_MAPPING_FILE" in result.stderr


def test_source_check_shows_what_is_read_as_what(ca: CommandLine) -> None:
    ca.export(days=1)
    table = ca("source", "check").stdout
    assert "conversation_id" in table
    assert "plain" in table
    assert "kept as attributes" in table


@pytest.mark.services
def test_source_check_of_nocodb_tells_key_rows_and_page_cap(
    ca: CommandLine, nocodb: NocoDB
) -> None:
    base = nocodb.create_base("cli")
    text = "SingleLineText"
    nocodb.create_table(base, "conversations", {"conversation_id": text})
    columns = {"message_id": text, "conversation_id": text, "role": text, "content": text}
    messages = nocodb.create_table(base, "messages", columns)
    row = {"message_id": "m", "conversation_id": "c", "role": "user", "content": "hello"}
    nocodb.insert(messages, [row])
    ca.set(NOCODB_BASE_URL=nocodb.base_url, NOCODB_API_TOKEN=nocodb.token, NOCODB_PROJECT_ID=base)
    found = ca.json("source", "check")
    assert found["kind"] == "nocodb"
    assert int(found["details"]["page_cap"]) >= 25
    table = found["tables"]["messages"]
    assert (table["key_type"], table["rows"]) == ("integer", 1)
    outcome = ca.json("backfill")
    assert outcome["quarantined"] == {"orphan_message": 1}

    ca.set(NOCODB_API_TOKEN="hidden-word")
    for command in (("source", "check"), ("backfill",), ("doctor",)):
        denied = ca(*command)
        assert denied.exit_code == 2
        assert "hidden-word" not in denied.output


def test_status_tells_each_day_and_what_is_behind(ca: CommandLine) -> None:
    ca.export(days=3)
    assert ca.json("status")["days"] == []
    ca.json("backfill")
    current = ca.json("status")
    assert current["totals"] == {
        "days": 3,
        "raw_rows": 18,
        "conversations": 6,
        "messages": 12,
        "quarantined": 0,
        "problems": 0,
        "pending": 0,
        "failed": 0,
        "untranslated": 0,
    }
    ca.export(days=3, edit=" again")
    ca.json("backfill", "--from", "2024-01-02", "--to", "2024-01-02", "--select", "raw_messages")
    behind = ca.json("status", exit_code=1)
    assert {one["day"] for one in behind["problems"]} == {"2024-01-02"}
    table = ca("status", "--from", "2024-01-02")
    assert table.exit_code == 1
    assert table.stdout.index("Not up to date") < table.stdout.index("2 days")
    assert ca.json("status", "--to", "2024-01-01")["totals"]["days"] == 1


def test_status_of_a_lake_with_other_settings_is_an_error(ca: CommandLine) -> None:
    ca.export(days=1)
    ca.json("backfill")
    ca.set(ANALYTICS_TIMEZONE="Asia/Tokyo")
    result = ca("status")
    assert result.exit_code == 2
    assert "Asia/Tokyo" in result.stderr
    assert ca("status", "--from", "x").exit_code == 2


def test_doctor_finds_everything_well(ca: CommandLine) -> None:
    ca.export(days=1)
    found = ca.json("doctor")
    states = {check["check"]: check["state"] for check in found["checks"]}
    assert found["ok"]
    assert states["lake"] == states["source"] == states["DAGSTER_HOME"] == "ok"
    assert "DAGSTER_HOME" in ca("doctor").stdout


def test_doctor_names_what_is_broken_and_goes_on(ca: CommandLine) -> None:
    (ca.folder / "lake").write_text("a file")
    ca.set(PARQUET_BASE_DIR="lake")
    found = ca.json("doctor", exit_code=2)
    states = {check["check"]: check["state"] for check in found["checks"]}
    assert states["source"] == states["lake"] == "fail"
    assert states["time zone"] == states["worker processes"] == "ok"


@pytest.mark.parametrize("command", ["doctor", "status", "backfill", "demo"])
def test_a_wrong_setting_is_named(ca: CommandLine, command: str) -> None:
    ca.set(ANALYTICS_TIMEZONE="Mars/Olympus")
    result = ca(command)
    assert result.exit_code == 2
    assert "ANALYTICS_TIMEZONE" in result.output
    assert "Traceback" not in result.output


def test_a_relative_dagster_home_is_refused(ca: CommandLine) -> None:
    ca.export(days=1)
    ca.set(DAGSTER_HOME="somewhere")
    assert "absolute" in ca("backfill").stderr


def test_the_demo_shows_figures_and_can_be_repeated(ca: CommandLine) -> None:
    for messages in ("600", "400"):
        result = ca("demo", "--messages", messages, "--days", "4")
        assert result.exit_code == 0, result.output
        for words in ("escalations", "cost, ", "Languages", "make dev", "make serve"):
            assert words in result.stdout
    assert ca.json("status")["problems"] == []


def test_the_demo_leaves_a_real_source_alone(ca: CommandLine) -> None:
    ca.set(NOCODB_BASE_URL="http://nocodb", NOCODB_API_TOKEN="t", NOCODB_PROJECT_ID="p")
    result = ca("demo")
    assert result.exit_code == 2
    assert "SOURCE=files" in result.stderr
    assert not (ca.folder / "data").exists()


def test_logs_go_to_the_file_at_their_level_without_secrets(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "run.log"
    settings = load_settings(
        None,
        log_level="WARNING",
        log_file=file,
        mongodb_uri="mongodb://me:hidden-word@host/",
        source="files",
    )
    shown: list[str] = []
    set_up_logging(settings, shown.append)
    logger = logging.getLogger("conversation_analytics.somewhere")
    logger.info("unimportant")
    try:
        raise ValueError("at mongodb://me:hidden-word@host/ and http://you:word@elsewhere/")
    except ValueError:
        logger.exception("broken")
    text = file.read_text()
    assert shown == ["error: broken"]
    assert "ValueError" in text
    assert "elsewhere" in text
    assert "unimportant" not in text
    assert "hidden-word" not in text
    assert "you:word" not in text
    set_up_logging(load_settings(None, source="files"))


def test_a_log_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = load_settings(None, source="files", log_file=tmp_path / "file" / "x.log")
    with pytest.raises(SettingsError, match="LOG_FILE"):
        set_up_logging(settings)

"""A command line in a folder of its own, with tiny exports made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from conversation_analytics.cli.main import app
from conversation_analytics.settings import Settings
from conversation_analytics_tests.builders import with_messages_by


@dataclass
class CommandLine:
    """The command, as run in `folder`; a backfill makes reports only if they are wanted."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    reports: bool = False

    def __call__(self, *arguments: str, stdin: str | None = None) -> Result:
        if arguments[0] == "backfill" and not self.reports:
            arguments += ("--no-reports",)
        return CliRunner().invoke(app, list(arguments), input=stdin, env={"NO_COLOR": "1"})

    def json(self, *arguments: str, exit_code: int = 0) -> Any:
        result = self(*arguments, "--json")
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    def set(self, **settings: object) -> None:
        for name, value in settings.items():
            self.monkeypatch.setenv(name, str(value))

    def export(self, days: int = 3, *, conversations_a_day: int = 2, edit: str = "") -> None:
        """Days from 2024-01-01 on, each with conversations of a question and an answer."""
        conversations, messages = [], []
        for day in range(1, days + 1):
            for number in range(conversations_a_day):
                id_ = f"c{day}-{number}"
                at = f"2024-01-{day:02d}T10:0{number}:0"
                conversations.append({"id": id_, "user_id": "u", "created_at": f"{at}0Z"})
                for turn, role in enumerate(("user", "assistant")):
                    messages.append(
                        {
                            "id": f"{id_}-{turn}",
                            "conversation_id": id_,
                            "role": role,
                            "content": f"hello{edit}",
                            "created_at": f"{at}{turn}Z",
                        }
                    )
        self.write(conversations, messages)

    def write(self, conversations: list[Any], messages: list[Any]) -> None:
        source = self.folder / "data" / "source"
        source.mkdir(parents=True, exist_ok=True)
        for name, rows in (("conversations", conversations), ("messages", messages)):
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (source / f"{name}.jsonl").write_text(text, encoding="utf-8")

    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.folder / ".dagster"))

    def materialized(self, asset: str) -> set[str]:
        with self.instance() as instance:
            return instance.get_materialized_partitions(dg.AssetKey(asset))


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("ENABLE_MULTITHREADING", "false")
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path, monkeypatch)


@pytest.fixture
def failing_day(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Makes the messages of a day fail, or none any more."""

    def choose(day: str | None) -> None:
        def prepare(task: Any) -> Any:
            if str(task.claim.day) == day:
                raise ValueError("the moon is full")
            return real(task)

        real = with_messages_by(monkeypatch, prepare)

    return choose

"""A handful of conversations as exported files, which tests change and write again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

FIRST_DAY = date(2024, 1, 1)


def day(number: int) -> date:
    """The day of a number; 1 is the first partition."""
    return FIRST_DAY + timedelta(days=number - 1)


def key(number: int) -> str:
    """The partition key of a day's number."""
    return day(number).isoformat()


def keys(*numbers: int) -> set[str]:
    return {key(number) for number in numbers}


@dataclass
class SmallSource:
    """Rows of a plain export by id.

    Attributes:
        folder: Where `write` puts the files.
    """

    folder: Path
    conversations: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def with_days(cls, folder: Path, *numbers: int) -> SmallSource:
        """Two conversations on each day of these numbers, written."""
        source = cls(folder)
        for number in numbers:
            for name in ("a", "b"):
                source.converse(f"{name}-{number}", number)
        source.write()
        return source

    def converse(self, conversation_id: str, number: int, *, turns: int = 2) -> None:
        """Add a conversation that starts on a day at nine, with messages a minute apart."""
        start = datetime.combine(day(number), time(9), UTC)
        self.conversations[conversation_id] = {
            "conversation_id": conversation_id,
            "user_id": "u-1",
            "title": "Späte Lieferung ส่งช้า",
            "created_at": start.isoformat(),
        }
        for turn in range(turns):
            self.messages[f"{conversation_id}:{turn}"] = {
                "message_id": f"{conversation_id}:{turn}",
                "conversation_id": conversation_id,
                "role": "assistant" if turn % 2 else "user",
                "content": f"message {turn} of {conversation_id}",
                "created_at": (start + timedelta(minutes=turn)).isoformat(),
            }

    def write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("conversations", self.conversations), ("messages", self.messages)):
            text = "".join(json.dumps(row) + "\n" for row in rows.values())
            (self.folder / f"{name}.jsonl").write_text(text, encoding="utf-8")

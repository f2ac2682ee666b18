"""Two days of talk in a lake with labels, by a taxonomy and corrections that can be changed."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from conversation_analytics.categorization.days import stale_days
from conversation_analytics.storage.days import commit_days
from conversation_analytics_tests.builders import (
    Pipeline,
    Row,
    conversation,
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

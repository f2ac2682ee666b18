"""Two days of talk in a lake, translated by an asker of the test's."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from conversation_analytics_tests.builders import Pipeline, Row, conversation, message
from conversation_analytics_tests.translation.askers import FakeAsker

FIRST, SECOND = date(2024, 1, 2), date(2024, 1, 3)

TAXONOMY = """
intents:
  - name: refund
    keywords: [money back]
topics:
  - name: billing
    keywords: [invoice]
"""
ANGRY = "บริการแย่มาก ฉันโกรธมาก"
HAPPY = "ขอบคุณมากค่ะ บริการดีมาก"
DIFY = {"dify_base_url": "http://dify.test/v1", "dify_translate_api_key": "app-secret"}


def said(id_: str, conversation_id: str, text: str, day: date = FIRST, role: str = "user") -> Row:
    return message(id_, conversation_id, f"{day}T10:00:00+00:00", role, content=text)


class Translated(Pipeline):
    """A lake with translations.

    Attributes:
        asker: Translates, and remembers what it was asked; replace its `reply` to have it fail.
        rows_of: Source rows by id, to be changed and exported again.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        taxonomy = folder / "taxonomy.yaml"
        taxonomy.write_text(TAXONOMY)
        super().__init__(folder, categories=True, **{"taxonomy_file": taxonomy, **DIFY, **settings})
        self.asker: FakeAsker = FakeAsker()
        self.titles: dict[str, str | None] = {"a": "คำถามเรื่องราคา", "b": None, "c": None}
        self.said = [
            said("a1", "a", ANGRY),
            said("a2", "a", "We are very sorry to hear that", role="assistant"),
            said("b1", "b", HAPPY),
            said("c1", "c", HAPPY, SECOND),
        ]

    def refresh(self, *days: date) -> list[str]:
        """Export what there is and make the days; tells what went wrong."""
        started = {"a": FIRST, "b": FIRST, "c": SECOND}
        self.export(
            [
                conversation(id_, f"{started[id_]}T10:00:00+00:00", title=title)
                for id_, title in self.titles.items()
            ],
            self.said,
        )
        return self.run(*days or (FIRST, SECOND)).errors

    def rows(self, day: date = FIRST) -> dict[str, Row]:
        """Rows by their message or, of a title, by their conversation."""
        return {
            row["message_id"] or row["conversation_id"]: row
            for row in self.table("translations", "translations", day).to_pylist()
        }

    def counts(self, day: date = FIRST) -> dict[str, int]:
        return {name: n for name, n in self.manifest("translations", day).counts.items() if n}

"""Labels of originals against labels of translations, by the same models."""

from __future__ import annotations

import pytest

from conversation_analytics.dify.questions import Question, Reply
from conversation_analytics_tests.translation.askers import succeeded
from conversation_analytics_tests.translation.translated_lake import (
    ANGRY,
    FIRST,
    HAPPY,
    Translated,
    said,
)

GOOD = {
    ANGRY: "The service is terrible, I am very angry and disappointed",
    HAPPY: "Thank you so much, the service is wonderful, I am very happy",
    "คำถามเรื่องราคา": "A question about prices",
}
# Says the opposite of what was said.
BAD = GOOD | {ANGRY: GOOD[HAPPY]}


def by(dictionary: dict[str, str]) -> object:
    def reply(asked: Question) -> Reply:
        return succeeded(dictionary[asked.content["text"]])

    return reply


@pytest.mark.parametrize(("dictionary", "differing"), [(GOOD, 0), (BAD, 1)])
def test_a_translation_that_feels_otherwise_than_its_original_is_counted(
    translated: Translated, dictionary: dict[str, str], differing: int
) -> None:
    translated.asker.reply = by(dictionary)  # type: ignore[assignment]

    assert translated.refresh(FIRST) == []

    counts = translated.manifest("translations", FIRST).by_language
    assert counts.keys() == {"th"}
    assert counts["th"]["succeeded"] == 3
    assert counts["th"]["sentiment_compared"] == 2
    assert counts["th"].get("sentiment_differing", 0) == differing


def test_intents_are_compared_where_both_have_one(translated: Translated) -> None:
    wants = "คืนเงินให้ฉัน money back"
    translated.said.append(said("b2", "b", wants))
    translated.asker.reply = by(GOOD | {wants: "I want my money back"})  # type: ignore[assignment]

    assert translated.refresh(FIRST) == []

    counts = translated.manifest("translations", FIRST).by_language["th"]
    assert counts["intent_compared"] == 1
    assert counts.get("intent_differing", 0) == 0


def test_what_failed_is_counted_in_its_language_and_not_compared(translated: Translated) -> None:
    translated.asker.reply = lambda _: Reply(status="failed", error="no")

    assert translated.refresh(FIRST) == []

    assert translated.manifest("translations", FIRST).by_language == {"th": {"failed": 3}}

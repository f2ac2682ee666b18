"""What the made-up workflows of the contract server know of the generator's texts."""

from __future__ import annotations

import pytest

from conversation_analytics_tests.services.phrasebook import meaning_of


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("ขอบคุณครับ แค่นี้แหละ", "ok thx bye"),
        ("¿Por qué tarda tanto? 😭", "Why does it take so long? 😭"),
        ("Compré el plan Pro y pagué 290 USD.", "Yes, it was the Pro plan, I paid 290 USD."),
        ("我买的是升降桌，付了162 CNY。", "Yes, it was a standing desk, I paid 162 CNY."),
    ],
)
def test_a_phrase_means_the_english_one_of_its_place(text: str, english: str) -> None:
    found = meaning_of(text)
    assert found
    assert found.english == english


def test_what_is_not_in_the_book_means_nothing() -> None:
    assert meaning_of("Wo ist mein Paket?") is None

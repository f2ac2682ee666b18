"""Made-up labelled texts, and an encoder that knows nothing, for tests of what learns from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conversation_analytics.categorization.features import Features
from conversation_analytics.categorization.labelled import Labelled
from conversation_analytics.categorization.linear import Dense

SAID = {
    "cancel": ["cancel the {}", "I no longer want this {}", "please stop my {}"],
    "refund": ["give me my money back for the {}", "refund the {}", "I paid twice for a {}"],
    "status": ["where is the {}", "has my {} been sent yet", "when does the {} arrive"],
}
THINGS = ["hotel", "taxi", "phone", "plan", "menu", "ticket", "bus", "jacket", "lamp", "book"]


class Blind:
    """An encoder to which all texts are alike."""

    name = "blind"
    version = "1"

    def of(self, texts: Sequence[str], features: Features) -> Dense:
        return np.zeros((features.count, 1), dtype=np.float32)


BLIND = Blind()


def labelled(text: str, label: str, language: str | None = "en") -> Labelled:
    return Labelled(text, {"intent": label}, language)


def rows(things: Sequence[str] = THINGS, language: str | None = "en") -> list[Labelled]:
    """Texts of three intents about some things."""
    return [
        labelled(said.format(thing), label, language)
        for label, sentences in SAID.items()
        for said in sentences
        for thing in things
    ]

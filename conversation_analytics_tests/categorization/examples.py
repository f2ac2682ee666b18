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
    compares = False

    def of(self, texts: Sequence[str], features: Features) -> Dense:
        return np.zeros((features.count, 1), dtype=np.float32)


BLIND = Blind()


class Sighted:
    """An encoder to which a text is about what its marks say, whatever its words are.

    Args:
        length: of its vectors.
        compares: whether a text is compared with all examples.
    """

    name = "sighted"
    version = "1"

    def __init__(self, length: float, *, compares: bool = False) -> None:
        self._length = length
        self.compares = compares

    def of(self, texts: Sequence[str], features: Features) -> Dense:
        marks = [[self._length * text.count(mark) for mark in "✂€"] for text in texts]
        return np.array(marks, dtype=np.float32).reshape(len(texts), 2)


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

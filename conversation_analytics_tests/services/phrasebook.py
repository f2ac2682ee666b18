"""What texts of the generator mean, by the phrases that they are made of.

A text is told by the English phrase of the same place, with the same order, product, city and
amount. So the workflows of a contract server can give translations that mean what they should,
without any model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from conversation_analytics.generator.texts import Language, languages

_SLOT: Final = re.compile(r"\\\{(order|product|city|amount)\\\}")
_LISTS: Final = (
    "thanks",
    "welcome",
    "angry",
    "reopen",
    "retry",
    "apology",
    "escalation",
    "agent_hello",
    "agent_check",
    "user_detail",
    "greeting",
)
# The place among the English products of each of another language's.
_PRODUCTS: Final = (0, 3, 4, 2, 5, 1)


class Meaning(NamedTuple):
    """What a text says.

    Attributes:
        english: the same in English.
        scenario: what matter it belongs to; empty if to any.
    """

    english: str
    scenario: str


class _Phrase(NamedTuple):
    language: Language
    written: re.Pattern[str]
    english: str
    scenario: str


@cache
def meaning_of(text: str) -> Meaning | None:
    """What a text of the generator says; null if it is not in the book."""
    for phrase in _book():
        if found := phrase.written.fullmatch(text):
            spoken = phrase.language is _english()
            english = text if spoken else _in_english(phrase, found.groupdict())
            return Meaning(english, phrase.scenario)
    return None


def _in_english(phrase: _Phrase, said: dict[str, str | None]) -> str:
    language, english = phrase.language, _english()
    product = said.get("product")
    if product in language.products:
        said["product"] = english.products[_PRODUCTS[language.products.index(product)]]
    slots = {"order": "my order", "product": "it", "city": "my town", "amount": "the money"}
    body = phrase.english.format_map(slots | {k: v for k, v in said.items() if v})
    greeting = english.greeting[0] if said.get("hello") else ""
    return " ".join(filter(None, (greeting, body, said.get("tail"))))


@cache
def _book() -> list[_Phrase]:
    return [
        _Phrase(language, _pattern(language, own), english, scenario)
        for language in languages()
        for own, english, scenario in _pairs(language)
    ]


def _pattern(language: Language, phrase: str) -> re.Pattern[str]:
    body = _SLOT.sub(r"(?P<\1>.+?)", re.escape(phrase))
    hello = "|".join(map(re.escape, language.greeting))
    return re.compile(rf"(?:(?P<hello>{hello}) )?{body}(?: (?P<tail>[^\w\s]+|#AGENT))?", re.DOTALL)


def _pairs(language: Language) -> Iterator[tuple[str, str, str]]:
    """Each phrase of a language with the English one of its place, and its scenario."""
    english = _english()
    for name in _LISTS:
        yield from _aligned(getattr(language, name), getattr(english, name), "")
    for own, same in zip(language.small_talk, english.small_talk, strict=False):
        yield own.user, same.user, ""
        yield own.assistant, same.assistant, ""
    theirs = {scenario.name: scenario for scenario in english.scenarios}
    for scenario in language.scenarios:
        other = theirs[scenario.name]
        yield scenario.title, other.title, scenario.name
        yield scenario.agent, other.agent, scenario.name
        yield from _aligned(scenario.open, other.open, scenario.name)
        yield from _aligned(scenario.answer, other.answer, scenario.name)
        for one, same in zip(scenario.more, other.more, strict=False):
            yield one.user, same.user, scenario.name
            yield one.assistant, same.assistant, scenario.name


def _aligned(
    own: tuple[str, ...], english: tuple[str, ...], scenario: str
) -> Iterator[tuple[str, str, str]]:
    for place, phrase in enumerate(own):
        yield phrase, english[min(place, len(english) - 1)], scenario


@cache
def _english() -> Language:
    return next(language for language in languages() if language.code == "en")

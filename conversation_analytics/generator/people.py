"""Who writes: a few people often, most of them rarely, and more of them as time goes by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conversation_analytics.generator.draws import Random
from conversation_analytics.generator.texts import Language

SEGMENTS = ("consumer", "consumer", "consumer", "business", "business", "vip")
PLANS = ("free", "free", "free", "basic", "basic", "pro", "pro", "enterprise")
CLIENTS = ("3.8.1", "3.9.0", "3.9.2", "4.0.0", "4.1.3")
_CHANNELS = ("web", "web", "mobile", "mobile", "whatsapp", "email")
_LINE_CHANNELS = ("line", "line", "line", "web", "mobile", "email")
_LINE_LANGUAGES = frozenset({"th", "ja"})

_MESSAGES_PER_USER = 25
_SHIFT = 20
_AT_START = 0.4
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who writes; all of it follows from the number and the seed."""

    user_id: str
    language: Language
    country: str
    segment: str
    plan: str
    channel: str
    client: str
    billing_currency: str


class Population:
    """People by number, worked out when needed: none are held in memory."""

    def __init__(self, languages: Sequence[Language], *, messages: int, seed: int) -> None:
        total = sum(language.share for language in languages)
        self._languages = languages
        self._sizes = [
            max(1.0, messages / _MESSAGES_PER_USER * language.share / total)
            for language in languages
        ]
        self._seed = seed * 0xBF58476D1CE4E5B9

    def pick(self, random: Random, language: int, progress: float) -> Person:
        """Someone of a language, at `progress`, 0 to 1, of the period.

        How often the n-th of them writes falls with 1 / (n + 20), Zipf's law as Mandelbrot
        shifted it, so that no single one has a share worth noticing.
        """
        size = self._sizes[language] * (_AT_START + (1 - _AT_START) * progress)
        rank = int(_SHIFT * ((1 + size / _SHIFT) ** random() - 1))
        return self.person(language, rank)

    def person(self, language: int, rank: int) -> Person:
        """The person of a language with that rank, 0 for the one who writes most."""
        spoken = self._languages[language]
        number = rank * len(self._languages) + language
        bits = _mixed(number * 0x9E3779B97F4A7C15 + self._seed)
        channels = _LINE_CHANNELS if spoken.code in _LINE_LANGUAGES else _CHANNELS
        channel = channels[(bits >> 8) % len(channels)]
        segment = SEGMENTS[(bits >> 16) % len(SEGMENTS)]
        return Person(
            user_id=f"u-{number:07d}",
            language=spoken,
            country=spoken.countries[(bits >> 24) % len(spoken.countries)],
            segment=segment,
            plan=PLANS[(bits >> 32) % len(PLANS)],
            channel=channel,
            client=f"{channel}/{CLIENTS[(bits >> 40) % len(CLIENTS)]}",
            billing_currency="THB" if spoken.code == "th" and segment != "consumer" else "USD",
        )


def _mixed(number: int) -> int:
    """A number with its bits spread, so that neighbours differ in all of them."""
    bits = number & _MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)

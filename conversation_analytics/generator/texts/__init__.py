"""What people and assistants say: one YAML file a language, all written for this package.

A text may hold ``{order}``, ``{product}``, ``{city}`` and ``{amount}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

Texts = tuple[str, ...]

ESCALATION_MARKER = "#AGENT"
"""What an assistant writes behind its answer to have a person take over."""

SYSTEM_PROMPT = (
    "You are the customer service assistant of a shop. Answer briefly and politely, "
    f"in the customer's language. Write {ESCALATION_MARKER} when a person has to take over."
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and the answer that fits it."""

    user: str
    assistant: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is said about one matter: how it opens, is answered, goes on and is settled."""

    name: str
    title: str
    open: Texts
    answer: Texts
    more: tuple[Exchange, ...]
    agent: str


@dataclass(frozen=True, slots=True)
class Language:
    """The texts and habits of one language.

    Attributes:
        code: ISO 639-1.
        utc_offset: hours east of Greenwich where most of its speakers are awake by day.
        share: weight among all languages.
        characters_per_token: characters a token stands for, roughly.
        currency: what prices in the texts are in.
    """

    code: str
    utc_offset: int
    share: float
    characters_per_token: int
    countries: Texts
    currency: str
    products: Texts
    cities: Texts
    greeting: Texts
    thanks: Texts
    welcome: Texts
    angry: Texts
    reopen: Texts
    retry: Texts
    apology: Texts
    escalation: Texts
    agent_hello: Texts
    agent_check: Texts
    user_detail: Texts
    small_talk: tuple[Exchange, ...]
    scenarios: tuple[Scenario, ...]


@cache
def languages() -> tuple[Language, ...]:
    """Every language there is a file for, by code."""
    files = (file for file in resources.files(__name__).iterdir() if file.name.endswith(".yaml"))
    return tuple(
        _language(yaml.safe_load(file.read_text(encoding="utf-8")))
        for file in sorted(files, key=lambda file: file.name)
    )


def _language(content: dict[str, Any]) -> Language:
    lists = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
    scenarios = tuple(
        Scenario(
            name,
            scenario["title"],
            tuple(scenario["open"]),
            tuple(scenario["answer"]),
            _exchanges(scenario["more"]),
            scenario["agent"],
        )
        for name, scenario in content["scenarios"].items()
    )
    small_talk = _exchanges(content["small_talk"])
    read = {**content, **lists, "small_talk": small_talk, "scenarios": scenarios}
    return Language(code=read.pop("language"), **read)


def _exchanges(content: list[dict[str, str]]) -> tuple[Exchange, ...]:
    return tuple(Exchange(item["user"], item["assistant"]) for item in content)

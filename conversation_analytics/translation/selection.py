"""Which texts of a day are translated, and into what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.categorization.chunks import SPEAKERS
from conversation_analytics.categorization.labelling import SURE_OF_LANGUAGE
from conversation_analytics.categorization.language import UNDETERMINED, languages_of
from conversation_analytics.categorization.text import spoken

Policy = Literal["all", "low_confidence", "none"]
About = tuple[str, str | None]
"""A conversation, and a message of it or null for the whole."""

_UNSURE: Final = ("below_threshold", "unmeasured_language")
# The labels of which the policy `low_confidence` looks at the reason that there is none.
_OF_MESSAGES: Final = ("sentiment", "intent")
_OF_CONVERSATIONS: Final = ("topic", "intent")
_ROWS_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be translated.

    Attributes:
        targets: codes of the languages to translate into.
        policy: which texts: ``all``, ``low_confidence`` for those that local models could not
            label, or ``none``.
    """

    targets: tuple[str, ...]
    policy: Policy


class Selected(NamedTuple):
    """A text to be translated.

    Attributes:
        conversation_id: the conversation.
        message_id: the message; null for the conversation's title.
        language: what it is written in.
        target: what it is to be translated into.
        text: the text.
    """

    conversation_id: str
    message_id: str | None
    language: str
    target: str
    text: str


class _Text(NamedTuple):
    about: About
    language: str
    text: str


def select(
    plan: Plan, conversations: pa.Table, messages: pa.Table, categories: pa.Table
) -> list[Selected]:
    """The texts of a day that are to be translated: of messages that somebody speaks, and titles.

    Args:
        plan: what is to be translated.
        conversations: a table of `schemas.CONVERSATIONS`.
        messages: theirs, a table of `schemas.MESSAGES`.
        categories: theirs, a table of `schemas.CATEGORIES`.
    """
    if plan.policy == "none":
        return []
    labels = _Labels(categories)
    wanted = labels.unsure() if plan.policy == "low_confidence" else None
    return [
        Selected(*one.about, one.language, target, one.text)
        for texts in (_titles(conversations, labels), _messages(messages, labels))
        for one in texts
        if wanted is None or one.about in wanted
        for target in plan.targets
        if one.language != UNDETERMINED and not is_same(one.language, target) and says(one.text)
    ]


def is_same(language: str, target: str) -> bool:
    """Whether two codes name one language, whatever its script or country: ``zh`` and ``zh-TW``."""
    return _base(language) == _base(target)


def _base(code: str) -> str:
    return code.partition("-")[0].lower()


def says(text: str) -> bool:
    """Whether a text has words, and is not only code, links, numbers and emoji."""
    return any(map(str.isalpha, spoken(text)))


class _Labels:
    """What the labels of a day tell."""

    def __init__(self, categories: pa.Table) -> None:
        self._categories = categories.filter(pc.equal(categories["rank"], 0))
        rows = self._of_tasks("language").select(
            ["conversation_id", "message_id", "label", "confidence"]
        )
        self._languages: dict[About, tuple[str, float]] = {
            (conversation, message): (label, confidence)
            for conversation, message, label, confidence in _rows(rows)
        }

    def language(self, about: About) -> str:
        """What a message is written in: as its conversation where that is hard to tell."""
        return self.or_of_conversation(about[0], *self._languages.get(about, (UNDETERMINED, 0.0)))

    def or_of_conversation(self, conversation: str, language: str, confidence: float) -> str:
        """A language, if it is sure, else that of a conversation."""
        if language != UNDETERMINED and confidence >= SURE_OF_LANGUAGE:
            return language
        return self._languages.get((conversation, None), (UNDETERMINED, 0.0))[0]

    def unsure(self) -> set[About]:
        """Messages and whole conversations that a local model gave up on for want of confidence."""
        return {
            *self._unsure(_OF_MESSAGES, whole=False),
            *self._unsure(_OF_CONVERSATIONS, whole=True),
        }

    def _unsure(self, tasks: tuple[str, ...], *, whole: bool) -> Iterator[About]:
        rows = self._of_tasks(*tasks)
        unsure = pc.is_in(rows["reason"], pa.array(_UNSURE))
        rows = rows.filter(pc.and_(unsure, pc.equal(rows["message_id"].is_null(), whole)))
        yield from _rows(rows.select(["conversation_id", "message_id"]))

    def _of_tasks(self, *tasks: str) -> pa.Table:
        return self._categories.filter(pc.is_in(self._categories["task"], pa.array(tasks)))


def _messages(messages: pa.Table, labels: _Labels) -> Iterator[_Text]:
    spoken_by = pc.is_in(messages["role"], pa.array(SPEAKERS))
    rows = messages.filter(spoken_by).select(["conversation_id", "message_id", "content"])
    for conversation, message, content in _rows(rows):
        about = (conversation, message)
        yield _Text(about, labels.language(about), content)


def _titles(conversations: pa.Table, labels: _Labels) -> Iterator[_Text]:
    titled = conversations.filter(conversations["title"].is_valid())
    ids, titles = (titled[name].to_pylist() for name in ("conversation_id", "title"))
    for id_, title, told in zip(ids, titles, languages_of(titles), strict=True):
        language = labels.or_of_conversation(id_, told.code, told.confidence)
        yield _Text((id_, None), language, title)


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Rows as tuples, few of them at a time."""
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

"""The labels that an LLM may choose from, with what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final

import orjson

from conversation_analytics.categorization.sentiment import LABELS as SENTIMENTS
from conversation_analytics.categorization.taxonomy import Section, Taxonomy

_ASKS: Final[Mapping[str, str]] = {
    "sentiment": "How the user feels, all in all.",
    "intent": "What the user mainly wants.",
    "topic": "What it is mainly about.",
}
_FEELINGS: Final[Mapping[str, str]] = {
    "negative": "The user is dissatisfied, annoyed, worried, sad or angry.",
    "neutral": "The user states or asks something without showing a feeling.",
    "positive": "The user is satisfied, grateful, glad or enthusiastic.",
}


@dataclass(frozen=True)
class Choices:
    """The labels of a task.

    Attributes:
        task: the task.
        labels: what belongs to each, by its name; empty where nobody said.
        ancestors: what a label is part of, the nearest first, by its name.
    """

    task: str
    labels: Mapping[str, str]
    ancestors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def version(self) -> str:
        """Hash of all that an answer depends on besides the text."""
        return blake2b(orjson.dumps([self.task, self.as_asked()]), digest_size=6).hexdigest()

    def as_asked(self) -> dict[str, Any]:
        """What an LLM is told of the task."""
        labels = {
            name: " ".join(filter(None, (description, self._part_of(name))))
            for name, description in self.labels.items()
        }
        return {"asks": _ASKS[self.task], "labels": labels}

    def _part_of(self, name: str) -> str:
        above = self.ancestors.get(name)
        return f"(Part of {above[0]}.)" if above else ""


def choices_of(taxonomy: Taxonomy) -> dict[str, Choices]:
    """The labels of each task that has some: sentiments, and those of the taxonomy."""
    found = {"sentiment": Choices("sentiment", {name: _FEELINGS[name] for name in SENTIMENTS})}
    sections = sorted(taxonomy.sections.values(), key=lambda section: section.task)
    return found | {one.task: _of_section(one) for one in sections if one.labels}


def _of_section(section: Section) -> Choices:
    return Choices(
        section.task,
        {label.name: label.description for label in section.labels},
        {name: above for name in section.names if (above := tuple(section.ancestors(name)))},
    )

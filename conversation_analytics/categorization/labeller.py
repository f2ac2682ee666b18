"""Everything that labels texts, put together for the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from conversation_analytics.categorization.corrections import Corrections
from conversation_analytics.categorization.features import FEATURES_VERSION
from conversation_analytics.categorization.language import LANGUAGE_VERSION
from conversation_analytics.categorization.llm.step import LlmStep
from conversation_analytics.categorization.sentiment import SentimentModel
from conversation_analytics.categorization.taxonomy import Taxonomy
from conversation_analytics.categorization.taxonomy_labels import TaxonomyLabeller
from conversation_analytics.schemas.categories import TASKS
from conversation_analytics.storage.manifest import version_of

ROLLUP_VERSION: Final = "2"
"""Changes whenever the same messages may make another conversation."""


@dataclass(frozen=True)
class Labeller:
    """What labels conversations.

    Attributes:
        sentiment: the models of sentiment.
        intents: labels what messages want.
        topics: labels what conversations are about.
        corrections: what people say instead.
        taxonomy: the intents and topics.
        llm: what an LLM is asked where these are not sure; null if there is none.
    """

    sentiment: SentimentModel
    intents: TaxonomyLabeller
    topics: TaxonomyLabeller
    corrections: Corrections
    taxonomy: Taxonomy
    llm: LlmStep | None = None

    def model_version(self, task: str) -> str:
        """The version that rows of a task carry."""
        versions: Mapping[str, str] = {
            "language": LANGUAGE_VERSION,
            "sentiment": self.sentiment.version,
            "intent": self.intents.version,
            "topic": self.topics.version,
        }
        return versions[task]

    def taxonomy_version(self, task: str) -> str | None:
        """The version of the labels of a task that the user chooses."""
        labellers = {"intent": self.intents, "topic": self.topics}
        return labellers[task].section.version if task in labellers else None

    def versions(self, corrections: Corrections) -> dict[str, str]:
        """What decides the rows of a day, by task.

        Args:
            corrections: of the day's conversations.
        """
        by_task = self._own_versions()
        languages = corrections.version("language")
        return {
            task: "+".join(filter(None, (own, languages, corrections.version(task))))
            for task, own in by_task.items()
        }

    @property
    def version(self) -> str:
        """Version of everything that labels, corrections apart."""
        return version_of(self._own_versions())

    def gave(self, versions: Mapping[str, str]) -> bool:
        """Whether these are versions of what this labels by, corrections apart."""
        own = self._own_versions()
        return {task: one.partition("+")[0] for task, one in versions.items()} == own

    def _own_versions(self) -> dict[str, str]:
        used = (FEATURES_VERSION, ROLLUP_VERSION, LANGUAGE_VERSION)
        models = {task: (used, self.model_version(task)) for task in TASKS}
        asked = {task: version for task in TASKS if (version := self._llm_version(task))}
        return {
            task: blake2b(
                repr((*models[task], asked[task]) if task in asked else models[task]).encode(),
                digest_size=8,
            ).hexdigest()
            for task in TASKS
        }

    def _llm_version(self, task: str) -> str | None:
        return self.llm.version(task) if self.llm else None

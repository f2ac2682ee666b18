"""The labels of some conversations and their messages.

languages of messages ─> of conversations ─┬─> sentiment of messages    ─> of conversations
                                           ├─> intents of user messages ─> of conversations
                                           └─> topics of conversations

All but languages are told by the same features, found in one pass over the messages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.chunks import Chunk
from conversation_analytics.categorization.corrections import Corrections
from conversation_analytics.categorization.decisions import (
    NULL,
    UNKNOWN,
    Decision,
    Decisions,
    Objects,
    corrected,
    nulls,
    objects,
    there,
    together,
)
from conversation_analytics.categorization.features import Features, extract
from conversation_analytics.categorization.labeller import Labeller
from conversation_analytics.categorization.language import UNDETERMINED, Languages, languages_of
from conversation_analytics.categorization.rollup import (
    Probabilities,
    conversation_intents,
    conversation_languages,
    conversation_sentiments,
)
from conversation_analytics.categorization.sentiment import LABELS, SentimentModel
from conversation_analytics.categorization.taxonomy_labels import TaxonomyLabeller

Numbers = NDArray[np.int64]

SURE_OF_LANGUAGE: Final = 0.6  # below it, a message is taken to be in its conversation's language
_TOPIC_CHARACTERS: Final = 1_000  # of what a user says; later a conversation only goes on


@dataclass(frozen=True)
class Said:
    """What is said for a task of messages or of whole conversations.

    Attributes:
        task: the task.
        whole: whether it is said of conversations.
        decisions: by their numbers in the chunk.
    """

    task: str
    whole: bool
    decisions: Decisions


def label(
    labeller: Labeller, corrections: Corrections, chunk: Chunk, tasks: Collection[str]
) -> list[Said]:
    """What is said of the conversations of a chunk and of their messages.

    Languages are told of every message, sentiment of those somebody speaks, intents of the
    user's, topics of conversations; each conversation has at least one label a task.

    Args:
        labeller: who labels.
        corrections: what people say instead.
        chunk: the conversations.
        tasks: what to tell.
    """
    sayings = _Sayings(chunk, corrections)
    languages = _languages(sayings)
    spoken = _Spoken.of(chunk, languages, only_users="sentiment" not in tasks)
    features = extract(spoken.texts if {*tasks} - {"language"} else [])
    if "sentiment" in tasks:
        _sentiments(sayings, labeller.sentiment, spoken, features)
    if {"intent", "topic"} & {*tasks}:
        users = spoken.of_users
        features = features.between(0, len(users.numbers))
        if "intent" in tasks:
            _intents(sayings, labeller.intents, users, features)
        if "topic" in tasks:
            _topics(sayings, labeller.topics, users, features, languages.of_conversations)
    return [one for one in sayings.said if one.task in tasks]


class _Sayings:
    """Collects what is said, with what people say instead."""

    def __init__(self, chunk: Chunk, corrections: Corrections) -> None:
        self.chunk = chunk
        self.said: list[Said] = []
        self._people = _people(chunk, corrections)

    def of_messages(self, task: str, decisions: Decisions) -> Decisions:
        """Note the labels of messages; tells those that hold."""
        return self._note(task, decisions, whole=False)

    def of_conversations(self, task: str, decisions: Decisions) -> Decisions:
        """Note the labels of conversations; tells those that hold."""
        return self._note(task, decisions, whole=True)

    def _note(self, task: str, decisions: Decisions, *, whole: bool) -> Decisions:
        decisions = corrected(decisions, self._people[task, whole])
        self.said.append(Said(task, whole, decisions))
        return decisions


def _people(
    chunk: Chunk, corrections: Corrections
) -> defaultdict[tuple[str, bool], dict[int, Sequence[str]]]:
    """What people say of a chunk, by task and whether of conversations, then by number."""
    people: defaultdict[tuple[str, bool], dict[int, Sequence[str]]] = defaultdict(dict)
    if not corrections.labels:
        return people
    owners = chunk.conversations.to_pylist()
    whole = {id_: number for number, id_ in enumerate(owners)}
    messages = {
        (owners[owner], id_): number
        for number, (owner, id_) in enumerate(
            zip(chunk.owners.tolist(), chunk.ids.to_pylist(), strict=True)
        )
    }
    for (conversation, message, task), labels in corrections.labels.items():
        of = whole.get(conversation) if message is None else messages.get((conversation, message))
        if of is not None:
            people[task, message is None][of] = labels
    return people


class _Languages(NamedTuple):
    """Languages of messages and of conversations.

    Attributes:
        spoken: of each message; that of its conversation where it is too short to tell.
        of_conversations: of each conversation.
    """

    spoken: Objects
    of_conversations: Objects


def _languages(sayings: _Sayings) -> _Languages:
    chunk = sayings.chunk
    said = sayings.of_messages("language", told(languages_of(chunk.texts)))
    sizes = np.fromiter(map(len, chunk.texts), dtype=np.int64, count=len(chunk.texts))
    found = conversation_languages(
        said, chunk.owners, sizes, chunk.by_user, len(chunk.conversations)
    )
    of_conversations = sayings.of_conversations("language", found).labels
    sure = (said.labels != UNDETERMINED) & (said.confidence >= SURE_OF_LANGUAGE)
    spoken = np.where(sure, said.labels, of_conversations[chunk.owners])
    return _Languages(spoken, of_conversations)


def told(languages: Languages) -> Decisions:
    """Languages of texts as decisions."""
    known, count = languages.codes != UNDETERMINED, len(languages)
    details = nulls(count)
    for number, shares in languages.mixed.items():
        details[number] = {"shares": shares}
    return Decisions(
        np.arange(count),
        np.zeros(count, dtype=np.int64),
        languages.codes,
        np.where(known, languages.confidence, 0),
        np.where(languages.by_script, "rule", "model").astype(object),
        np.where(known, NULL, "too_short"),
        details,
    )


@dataclass(frozen=True)
class _Spoken:
    """Messages that somebody speaks, the users' first.

    Attributes:
        numbers: in the chunk.
        texts: of each.
        languages: of each.
        owners: number of each one's conversation.
        users: how many are the users'.
    """

    numbers: Numbers
    texts: list[str]
    languages: Objects
    owners: Numbers
    users: int

    @classmethod
    def of(cls, chunk: Chunk, languages: _Languages, *, only_users: bool) -> _Spoken:
        """Those of a chunk."""
        of_users = np.flatnonzero(chunk.by_user)
        others = np.flatnonzero(chunk.spoken & ~chunk.by_user)
        numbers = of_users if only_users else np.concatenate([of_users, others])
        return cls(
            numbers,
            [chunk.texts[number] for number in numbers.tolist()],
            languages.spoken[numbers],
            chunk.owners[numbers],
            len(of_users),
        )

    @property
    def of_users(self) -> _Spoken:
        """The users' alone."""
        end = self.users
        return _Spoken(
            self.numbers[:end], self.texts[:end], self.languages[:end], self.owners[:end], end
        )


def _sentiments(
    sayings: _Sayings, model: SentimentModel, spoken: _Spoken, features: Features
) -> None:
    """How each message feels, and how the users of conversations do."""
    found = model.probabilities(spoken.languages, features)
    decided = felt(found, spoken.languages, features.empty).about(spoken.numbers)
    said = sayings.of_messages("sentiment", decided)
    chunk = sayings.chunk
    counted = np.full((len(chunk.ids), len(LABELS)), np.nan, dtype=np.float32)
    counted[spoken.numbers] = found
    counted[said.numbers[said.abstained]] = np.nan
    by_people = said.rows(said.methods == "human")
    counted[by_people.numbers] = by_people.labels[:, None] == objects(LABELS)
    reasons = nulls(len(chunk.ids))
    reasons[said.numbers] = said.reasons
    of_users = chunk.by_user
    sayings.of_conversations(
        "sentiment",
        conversation_sentiments(
            counted[of_users], reasons[of_users], chunk.owners[of_users], len(chunk.conversations)
        ),
    )


def felt(probabilities: Probabilities, languages: Objects, empty: NDArray[np.bool_]) -> Decisions:
    """The sentiment of texts as decisions.

    Args:
        probabilities: texts × `sentiment.LABELS`; not numbers in a language without a model.
        languages: what each is written in.
        empty: which texts have no words.
    """
    count = len(empty)
    reasons = np.where(np.isnan(probabilities[:, 0]), "unmeasured_language", NULL)
    reasons[languages == UNDETERMINED] = "too_short"
    reasons[empty] = "empty_text"
    known = ~there(reasons)
    likely = np.where(known[:, None], probabilities, 0)
    return Decisions(
        np.arange(count),
        np.zeros(count, dtype=np.int64),
        np.where(known, objects(LABELS)[likely.argmax(axis=1)], UNKNOWN),
        likely.max(axis=1).astype(np.float64),
        objects(["model"] * count),
        reasons,
        nulls(count),
    )


def _intents(
    sayings: _Sayings, labeller: TaxonomyLabeller, users: _Spoken, features: Features
) -> None:
    """What each of the users' messages wants, and what the users of conversations do."""
    chunk = sayings.chunk
    found = labeller.label(users.texts, features, users.languages)
    said = sayings.of_messages("intent", found.about(users.numbers[found.numbers]))
    of_users = said.rows(chunk.by_user[said.numbers])
    owners = chunk.owners[of_users.numbers]
    courtesies = labeller.section.courtesies
    rolled = conversation_intents(of_users, owners, len(chunk.conversations), courtesies)
    sayings.of_conversations("intent", rolled)


def _topics(
    sayings: _Sayings,
    labeller: TaxonomyLabeller,
    users: _Spoken,
    features: Features,
    languages: Objects,
) -> None:
    """What conversations are about, by what their users say first."""
    count = len(sayings.chunk.conversations)
    lengths = np.fromiter(map(len, users.texts), dtype=np.int64, count=len(users.texts))
    ends = np.cumsum(lengths)
    of_each = np.searchsorted(users.owners, np.arange(count + 1))
    before = np.append(0, ends)[:-1] - np.append(0, ends)[of_each[users.owners]]
    first = before < _TOPIC_CHARACTERS
    texts = [
        "\n".join(users.texts[start:end])[:_TOPIC_CHARACTERS]
        for start, end in zip(of_each.tolist(), of_each[1:].tolist(), strict=False)
    ]
    if not first.all():
        features = features.only(first)
    joined = features.joined(users.owners[first], count)
    found = labeller.label(texts, joined, languages)
    silent = np.array([not text for text in texts], dtype=bool)
    nothing = Decision(UNKNOWN, 0.0, "model", "no_message")
    unheard = Decisions.of((number, 0, nothing) for number in np.flatnonzero(silent).tolist())
    spoken = found.rows(~silent[found.numbers])
    sayings.of_conversations("topic", together([spoken, unheard]))
    sayings.of_messages("topic", Decisions.of([]))  # people may know those too

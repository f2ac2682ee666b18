"""The labels of some conversations and their messages.

languages of messages ─> of conversations ─┬─> sentiment of messages    ─> of conversations
                                           ├─> intents of user messages ─> of conversations
                                           └─> topics of conversations
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.chunks import Chunk
from conversation_analytics.categorization.corrections import Corrections, Target
from conversation_analytics.categorization.decisions import UNKNOWN, Decision, Method
from conversation_analytics.categorization.features import Features, extract
from conversation_analytics.categorization.labeller import Labeller
from conversation_analytics.categorization.language import UNDETERMINED, Language, languages_of
from conversation_analytics.categorization.rollup import (
    Probabilities,
    conversation_intents,
    conversation_language,
    conversation_sentiment,
)
from conversation_analytics.categorization.sentiment import LABELS, SentimentModel
from conversation_analytics.categorization.taxonomy_labels import TaxonomyLabeller

Numbers = NDArray[np.int64]

_SURE: Final = 0.6  # below it, a message is taken to be in its conversation's language
_TOPIC_CHARACTERS: Final = 1_000  # of what a user says; later a conversation only goes on


class Said(NamedTuple):
    """Labels for a task.

    Attributes:
        target: the message or the conversation, and the task.
        created_at: microseconds since 1970, of the message or of the conversation's start.
        decisions: the labels, the main one first.
    """

    target: Target
    created_at: int
    decisions: Sequence[Decision]


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
    feels = "sentiment" in tasks
    order = _order(chunk, languages.spoken, only_users=not feels)
    features = extract(
        [chunk.texts[n] for n in order] if {"sentiment", "intent"} & {*tasks} else []
    )
    if feels:
        _sentiments(sayings, labeller.sentiment, languages, order, features)
    if "intent" in tasks:
        _intents(sayings, labeller.intents, languages, order, features)
    if "topic" in tasks:
        _topics(sayings, labeller.topics, languages)
    return [one for one in sayings.all() if one.target.task in tasks]


class _Sayings:
    """Collects what is said, with what people say instead."""

    def __init__(self, chunk: Chunk, corrections: Corrections) -> None:
        self.chunk = chunk
        self._labels = corrections.labels
        self._said: list[Said] = []
        self._done: set[Target] = set()

    def of_message(self, task: str, number: int, decision: Decision) -> Decision:
        """Note the label of a message; tells the one that holds."""
        chunk = self.chunk
        owner = chunk.conversations[chunk.owners[number]]
        target = Target(owner, chunk.ids[number], task)
        return self._note(target, chunk.created_at[number], [decision])[0]

    def of_conversation(self, task: str, number: int, decisions: Sequence[Decision]) -> Decision:
        """Note the labels of a conversation; tells the main one that holds."""
        target = Target(self.chunk.conversations[number], None, task)
        return self._note(target, self.chunk.started_at[number], decisions)[0]

    def _note(
        self, target: Target, created_at: int, decisions: Sequence[Decision]
    ) -> Sequence[Decision]:
        if target in self._labels:
            self._done.add(target)
            decisions = _corrected(self._labels[target], decisions)
        self._said.append(Said(target, created_at, decisions))
        return decisions

    def all(self) -> Iterator[Said]:
        """Everything noted, and what people say where nothing else says anything."""
        yield from self._said
        open_ = [target for target in self._labels if target not in self._done]
        if not open_:
            return
        chunk = self.chunk
        times = dict(zip(chunk.conversations, chunk.started_at, strict=True))
        of_messages = {
            (chunk.conversations[owner], id_): at
            for owner, id_, at in zip(chunk.owners, chunk.ids, chunk.created_at, strict=True)
        }
        for target in open_:
            key = (target.conversation_id, target.message_id)
            at = times.get(key[0]) if key[1] is None else of_messages.get((key[0], key[1]))
            if at is not None:
                yield Said(target, at, _corrected(self._labels[target], ()))


def _corrected(labels: Sequence[str], decisions: Sequence[Decision]) -> list[Decision]:
    """What people say, with what would have been said otherwise."""
    details = dict(decisions[0].details or {}) if decisions else {}
    if decisions:
        before = decisions[0]
        details["instead_of"] = {
            "label": before.label,
            "confidence": round(before.confidence, 4),
            "method": before.method,
        }
    return [
        Decision(label, 1.0, "human", details=details if not rank else None)
        for rank, label in enumerate(labels)
    ]


class _Languages(NamedTuple):
    """Languages of messages and of conversations.

    Attributes:
        spoken: of each message; that of its conversation where it is too short to tell.
        of_conversations: of each conversation.
    """

    spoken: list[str]
    of_conversations: list[str]


def _languages(sayings: _Sayings) -> _Languages:
    chunk = sayings.chunk
    found = languages_of(chunk.texts)
    for number, language in enumerate(found):
        said = sayings.of_message("language", number, told(language))
        if said.method == "human":
            found[number] = Language(said.label, 1.0)
    of_conversations = []
    for owner, numbers in enumerate(chunk.of_each(np.ones(len(chunk.ids), dtype=bool))):
        messages = [
            (found[n], len(chunk.texts[n]), bool(chunk.by_user[n])) for n in numbers.tolist()
        ]
        decision = conversation_language(messages)
        of_conversations.append(sayings.of_conversation("language", owner, [decision]).label)
    spoken = [
        language.code
        if language.code != UNDETERMINED and language.confidence >= _SURE
        else of_conversations[owner]
        for language, owner in zip(found, chunk.owners.tolist(), strict=True)
    ]
    return _Languages(spoken, of_conversations)


def told(language: Language) -> Decision:
    """A language as a decision."""
    if language.code == UNDETERMINED:
        return Decision(UNDETERMINED, 0.0, "model", "too_short")
    details = {"shares": language.shares} if len(language.shares) > 1 else None
    method: Method = "rule" if language.by_script else "model"
    return Decision(language.code, min(language.confidence, 1.0), method, details=details)


def _order(chunk: Chunk, languages: Sequence[str], *, only_users: bool) -> list[int]:
    """The messages to look at: the user's first, each language's one after the other."""
    wanted = chunk.by_user if only_users else chunk.spoken
    numbers: list[int] = np.flatnonzero(wanted).tolist()
    return sorted(numbers, key=lambda n: (not chunk.by_user[n], languages[n]))


def _sentiments(
    sayings: _Sayings,
    model: SentimentModel,
    languages: _Languages,
    order: list[int],
    features: Features,
) -> None:
    """How each message feels, and how the users of conversations do."""
    chunk = sayings.chunk
    found = np.full((len(chunk.ids), len(LABELS)), np.nan, dtype=np.float32)
    decisions: dict[int, Decision] = {}
    for start, end, language in _runs([languages.spoken[n] for n in order]):
        numbers = order[start:end]
        part = features.between(start, end)
        if language in model.languages:
            found[numbers] = model.probabilities(language, part)
        for n, empty in zip(numbers, _empty(part), strict=True):
            decision = felt(found[n] if language in model.languages else None, empty=empty)
            decisions[n] = sayings.of_message("sentiment", n, decision)
            found[n] = _as_probabilities(decisions[n], found[n])
    for owner, of_user in enumerate(chunk.of_each(chunk.by_user)):
        own = found[of_user]
        has = ~np.isnan(own[:, 0])
        reasons = [str(decisions[n].reason) for n in of_user[~has].tolist()]
        decision = conversation_sentiment(own[has], reasons)
        sayings.of_conversation("sentiment", owner, [decision])


def felt(probabilities: Probabilities | None, *, empty: bool) -> Decision:
    """A text's sentiment as a decision.

    Args:
        probabilities: of `sentiment.LABELS`; null in a language without a model.
        empty: whether the text has no words.
    """
    if empty:
        return Decision(UNKNOWN, 0.0, "model", "empty_text")
    if probabilities is None:
        return Decision(UNKNOWN, 0.0, "model", "unmeasured_language")
    best = int(probabilities.argmax())
    return Decision(LABELS[best], float(probabilities[best]), "model")


def _as_probabilities(decision: Decision, found: Probabilities) -> Probabilities:
    """What a message counts for in its conversation."""
    if decision.abstained:
        return np.full(len(LABELS), np.nan, dtype=np.float32)
    if decision.method == "human":
        return np.array([label == decision.label for label in LABELS], dtype=np.float32)
    return found


def _intents(
    sayings: _Sayings,
    labeller: TaxonomyLabeller,
    languages: _Languages,
    order: list[int],
    features: Features,
) -> None:
    """What each of the users' messages wants, and what the users of conversations do."""
    chunk = sayings.chunk
    numbers = [n for n in order if chunk.by_user[n]]
    texts = [chunk.texts[n] for n in numbers]
    spoken = [languages.spoken[n] for n in numbers]
    found = labeller.label(texts, features.between(0, len(numbers)), spoken)
    decisions = {
        n: sayings.of_message("intent", n, some[0]) for n, some in zip(numbers, found, strict=True)
    }
    for owner, own in enumerate(chunk.of_each(chunk.by_user)):
        of_user = [decisions[n] for n in own.tolist()]
        sayings.of_conversation("intent", owner, conversation_intents(of_user))


def _topics(sayings: _Sayings, labeller: TaxonomyLabeller, languages: _Languages) -> None:
    """What conversations are about, by what their users say first."""
    chunk = sayings.chunk
    texts = [
        "\n".join(chunk.texts[n][:_TOPIC_CHARACTERS] for n in own.tolist())[:_TOPIC_CHARACTERS]
        for own in chunk.of_each(chunk.by_user)
    ]
    found = labeller.label(texts, extract(texts), languages.of_conversations)
    for owner, (text, decisions) in enumerate(zip(texts, found, strict=True)):
        nothing: list[Decision] = [Decision(UNKNOWN, 0.0, "model", "no_message")]
        sayings.of_conversation("topic", owner, decisions if text else nothing)


def _runs(values: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Start, end and value of each run of equal values."""
    start = 0
    for end in range(1, len(values) + 1):
        if end == len(values) or values[end] != values[start]:
            yield start, end, values[start]
            start = end


def _empty(features: Features) -> NDArray[np.bool_]:
    """Which texts have no word, glyph or symbol."""
    words = np.bincount(features.docs[features.words.starts], minlength=features.count)
    empty: NDArray[np.bool_] = words == 0
    return empty

"""Which topic of a run is which of the run before: the same, parts of one, several in one, new.

Topics are compared by the conversations that both runs saw, as far as there are any, and by their
most telling features. One-to-one pairs are those of the highest total (Kuhn's Hungarian method,
1955); what else became of a topic is told as MONIC does (Spiliopoulou et al. 2006).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.features import FEATURES_VERSION, Hashes
from conversation_analytics.errors import CategorizationError

Shares = NDArray[np.float64]

SAME: Final = 0.7
"""Likeness from which on two topics are one: each has some 54 % of the other, or more."""

PART: Final = 0.6
"""Share of a topic in another from which on it is part of that."""

STATE_VERSION: Final = 1
_KEPT: Final = 48  # members by which a topic is known again
_KEPT_OF_ALL: Final = 512  # conversations that tell how many of a run are in the next

Fate = Literal["continued", "merged", "split", "died"]
Origin = Literal["continued", "merged", "split", "born"]


class Found(NamedTuple):
    """A topic of a run.

    Attributes:
        members: hashes of all its conversations' ids.
        features: weights of its most telling features by bucket: a vector of length 1.
    """

    members: Hashes
    features: Mapping[int, float]


@dataclass(frozen=True)
class Traits:
    """What a topic is known again by.

    Attributes:
        size: its conversations.
        members: hashes of some of them: the lowest, so that two runs keep the same.
        features: weights of its most telling features by bucket: a vector of length 1.
    """

    size: int
    members: frozenset[int]
    features: Mapping[int, float]

    @classmethod
    def of(cls, topic: Found) -> Traits:
        """The traits of a topic."""
        return cls(len(topic.members), _lowest(topic.members, _KEPT), topic.features)


@dataclass(frozen=True)
class State:
    """What a run leaves to the next: no text, and a few kilobytes a topic.

    Attributes:
        topics: traits by id.
        next_id: the first id that no topic ever had.
        conversations: how many the run had, in topics or not.
        sample: hashes of some of them: the lowest.
        features: the version of the features that the traits are made of.
    """

    topics: Mapping[int, Traits] = field(default_factory=dict)
    next_id: int = 1
    conversations: int = 0
    sample: frozenset[int] = frozenset()
    features: str = FEATURES_VERSION

    def as_dict(self) -> dict[str, Any]:
        """The state as JSON can hold it."""
        return {
            "version": STATE_VERSION,
            "features": self.features,
            "next_id": self.next_id,
            "conversations": self.conversations,
            "sample": _written(self.sample),
            "topics": {
                str(id_): {
                    "size": one.size,
                    "members": _written(one.members),
                    "features": {str(bucket): weight for bucket, weight in one.features.items()},
                }
                for id_, one in self.topics.items()
            },
        }

    @classmethod
    def from_dict(cls, data: Any) -> State:
        """The state that `as_dict` gave.

        Raises:
            CategorizationError: it is none, or of another version; says what to do.
        """
        version = data.get("version") if isinstance(data, Mapping) else None
        if version != STATE_VERSION:
            raise CategorizationError(
                f"the state of topic discovery has the version {version!r} and must have "
                f"{STATE_VERSION}: remove it, and topics get new ids"
            )
        try:
            topics = {
                int(id_): Traits(
                    int(one["size"]),
                    _read(one["members"]),
                    {int(bucket): float(weight) for bucket, weight in one["features"].items()},
                )
                for id_, one in data["topics"].items()
            }
            state = cls(
                topics,
                int(data["next_id"]),
                int(data["conversations"]),
                _read(data["sample"]),
                str(data["features"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CategorizationError(
                f"the state of topic discovery is damaged ({error!r}): remove it, and topics get "
                "new ids"
            ) from error
        if any(not 0 < id_ < state.next_id for id_ in topics):
            raise CategorizationError(
                f"the state of topic discovery is damaged: next_id is {state.next_id} and must be "
                "above all ids, which are above 0: remove it, and topics get new ids"
            )
        return state


@dataclass(frozen=True)
class Ended:
    """What became of a topic of the run before.

    Attributes:
        topic: its id.
        fate: it goes on; most of it is in another; it is in several; or it is in none.
        into: ids of the topics it went into; its own if it goes on.
    """

    topic: int
    fate: Fate
    into: tuple[int, ...]

    @property
    def words(self) -> str:
        """Its fate with the topics it went into, such as ``merged (3)``."""
        return _worded(self.fate, self.into, self.topic)


@dataclass(frozen=True)
class Began:
    """Where a topic of this run comes from.

    Attributes:
        topic: its id.
        origin: it went on; several became it; it is part of what was one; or it is new.
        of: ids of the topics it comes from; its own if it went on.
    """

    topic: int
    origin: Origin
    of: tuple[int, ...]

    @property
    def words(self) -> str:
        """Its origin with the topics it comes from, such as ``split (3)``."""
        return _worded(self.origin, self.of, self.topic)


@dataclass(frozen=True)
class Lineage:
    """How the topics of a run follow from those of the one before.

    Attributes:
        ids: of this run's topics, in their order.
        ended: what became of each old topic, by id.
        began: where each topic of this run comes from, in their order.
        state: for the next run.
    """

    ids: tuple[int, ...]
    ended: tuple[Ended, ...]
    began: tuple[Began, ...]
    state: State


def follow(before: State, topics: Sequence[Found], everyone: Hashes) -> Lineage:
    """Give topics their ids.

    Args:
        before: what the run before left.
        topics: this run's.
        everyone: hashes of all conversations of this run.
    """
    old = sorted(before.topics)
    inside, part, alike = _compared(before, topics, everyone)
    pairs = _pairs(inside, part, alike)
    heirs = {
        a: int(inside[a].argmax())
        for a in range(len(old))
        if a not in pairs and inside[a].max(initial=0) >= PART
    }
    told = {*pairs.values(), *heirs.values()}
    parents = {
        b: int(part[:, b].argmax())
        for b in range(len(topics))
        if b not in told and part[:, b].max(initial=0) >= PART
    }
    same = {b: old[a] for a, b in pairs.items()}
    next_id = before.next_id + len(topics) - len(pairs)
    new = iter(range(before.next_id, next_id))
    ids = tuple(same[b] if b in same else next(new) for b in range(len(topics)))
    traits = {id_: Traits.of(topic) for id_, topic in zip(ids, topics, strict=True)}
    return Lineage(
        ids,
        tuple(_ended(a, id_, ids, pairs, heirs, parents) for a, id_ in enumerate(old)),
        tuple(_began(b, id_, old, same, heirs, parents) for b, id_ in enumerate(ids)),
        State(traits, next_id, len(everyone), _lowest(everyone, _KEPT_OF_ALL)),
    )


def _ended(
    a: int,
    id_: int,
    ids: Sequence[int],
    pairs: Mapping[int, int],
    heirs: Mapping[int, int],
    parents: Mapping[int, int],
) -> Ended:
    if a in pairs:
        return Ended(id_, "continued", (id_,))
    if a in heirs:
        return Ended(id_, "merged", (ids[heirs[a]],))
    pieces = tuple(ids[b] for b, parent in parents.items() if parent == a)
    return Ended(id_, "split" if pieces else "died", pieces)


def _began(
    b: int,
    id_: int,
    old: Sequence[int],
    same: Mapping[int, int],
    heirs: Mapping[int, int],
    parents: Mapping[int, int],
) -> Began:
    if b in same:
        return Began(id_, "continued", (id_,))
    if b in heirs.values():
        return Began(id_, "merged", tuple(old[a] for a, heir in heirs.items() if heir == b))
    if b in parents:
        return Began(id_, "split", (old[parents[b]],))
    return Began(id_, "born", ())


def _compared(
    before: State, topics: Sequence[Found], everyone: Hashes
) -> tuple[Shares, Shares, Shares]:
    """Old × new topics: the share of the old one in the new, of the new in the old, and of both.

    Of both is the harmonic mean of the two shares (F1). Where some of an old one's members are not
    in this run, that part counts by how alike the features are.
    """
    now = {int(one): n for n, topic in enumerate(topics) for one in topic.members}
    seen = set(everyone.tolist())
    there = np.zeros((len(before.topics), len(topics) + 1))
    kept, sizes = np.ones((len(there), 1)), np.ones((len(there), 1))
    words = np.zeros((len(there), len(topics)))
    for a, (_, one) in enumerate(sorted(before.topics.items())):
        for member in one.members & seen:
            there[a, now.get(member, -1)] += 1
        kept[a], sizes[a] = len(one.members), one.size
        if before.features == FEATURES_VERSION:
            words[a] = [_cosine(one.features, topic.features) for topic in topics]
    still = there.sum(axis=1, keepdims=True)
    inside = there[:, :-1] / np.maximum(still, 1)
    counts = there[:, :-1] / kept * sizes
    known = before.conversations * len(before.sample & seen) / max(len(before.sample), 1)
    own = np.array([len(topic.members) for topic in topics]) * (known / max(len(everyone), 1))
    part = counts / np.maximum(np.maximum(counts.sum(axis=0), own), 1e-9)
    both = 2 * inside * part / np.maximum(inside + part, 1e-9)
    weight = still / kept
    inside, part, both = (weight * one + (1 - weight) * words for one in (inside, part, both))
    return inside, part, both


def _pairs(inside: Shares, part: Shares, alike: Shares) -> dict[int, int]:
    """New topics by the old ones that they are.

    A topic that is all that became of another is that one, however much it shrank or grew.
    """
    from scipy.optimize import linear_sum_assignment

    linked = np.maximum(inside, part) >= PART
    alone = linked & (linked.sum(axis=1, keepdims=True) == 1)
    alone &= linked.sum(axis=0, keepdims=True) == 1
    allowed = (alike >= SAME) | alone
    rows, columns = linear_sum_assignment(np.where(allowed, 1 + alike, 0), maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return {a: b for a, b in pairs if allowed[a, b]}


def _worded(what: str, others: Sequence[int], own: int) -> str:
    listed = ", ".join(str(other) for other in others if other != own)
    return f"{what} ({listed})" if listed else what


def _lowest(hashes: Hashes, count: int) -> frozenset[int]:
    """The lowest of some hashes: a sample that is the same whatever else there is."""
    return frozenset(np.sort(hashes)[:count].tolist())


def _written(hashes: frozenset[int]) -> list[str]:
    return [f"{one:016x}" for one in sorted(hashes)]


def _read(hashes: Sequence[str]) -> frozenset[int]:
    return frozenset(int(one, 16) for one in hashes)


def _cosine(one: Mapping[int, float], other: Mapping[int, float]) -> float:
    return sum(weight * other.get(bucket, 0.0) for bucket, weight in one.items())

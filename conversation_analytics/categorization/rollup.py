"""What the messages of conversations come to: their language, how users feel, what they want."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.decisions import (
    NULL,
    UNKNOWN,
    Decision,
    Decisions,
    Objects,
    nulls,
    objects,
    there,
    together,
)
from conversation_analytics.categorization.language import UNDETERMINED
from conversation_analytics.categorization.sentiment import LABELS

Numbers = NDArray[np.int64]
Probabilities = NDArray[np.float32]

MOST_INTENTS: Final = 3
_LONGEST: Final = 200  # characters of a message that count for the language


def conversation_languages(
    said: Decisions, owners: Numbers, sizes: Numbers, by_user: NDArray[np.bool_], count: int
) -> Decisions:
    """The language most of each conversation is in: its user's, if that can be told.

    Args:
        said: the language of each message.
        owners: number of each one's conversation.
        sizes: characters of each.
        by_user: whether the user wrote it.
        count: conversations.
    """
    told = np.flatnonzero(said.labels != UNDETERMINED)
    users = np.bincount(owners[told], weights=by_user[told], minlength=count) > 0
    told = told[by_user[told] | ~users[owners[told]]]
    codes, which = np.unique(np.append(said.labels[told], UNDETERMINED), return_inverse=True)
    places = owners[told] * len(codes) + which[:-1]
    length = np.clip(sizes[told], 1, _LONGEST)
    sure, weights = (
        np.bincount(places, weights=some, minlength=count * len(codes)).reshape(count, len(codes))
        for some in (length, length * said.confidence[told])
    )
    best, each = weights.argmax(axis=1), np.arange(count)
    shares = sure / np.maximum(sure.sum(axis=1, keepdims=True), 1)
    several = np.flatnonzero((sure > 0).sum(axis=1) > 1).tolist()
    details = nulls(count)
    details[several] = objects([{"shares": _shares(codes, shares[n])} for n in several])
    known = sure[each, best] > 0
    silent = np.where(np.bincount(owners, minlength=count) > 0, "too_short", "no_message")
    return Decisions(
        each,
        np.zeros_like(each),
        np.where(known, codes[best], UNDETERMINED).astype(object),
        weights[each, best] / np.where(known, sure[each, best], 1),
        objects(["model"] * count),
        np.where(known, NULL, silent.astype(object)),
        details,
    )


def _shares(codes: Objects, shares: NDArray[np.float64]) -> dict[str, float]:
    return {codes[n]: round(float(shares[n]), 4) for n in np.flatnonzero(shares).tolist()}


def conversation_sentiments(
    found: Probabilities, reasons: Objects, owners: Numbers, count: int
) -> Decisions:
    """How users feel over conversations, and how that changes.

    The probabilities of a user's messages are averaged; the score of a message is that of
    positive less that of negative. The start is the first third of the messages, the end the last.

    Args:
        found: the users' messages × `sentiment.LABELS`; not a number where one has no sentiment.
        reasons: why it has none.
        owners: number of each one's conversation, ascending.
        count: conversations.
    """
    has = ~np.isnan(found[:, 0])
    of_user, own = found[has].astype(np.float64), owners[has]
    messages = np.bincount(own, minlength=count)
    some = np.maximum(messages, 1)
    sums = [np.bincount(own, column, minlength=count) for column in of_user.T]
    mean = np.stack(sums, axis=1) / some[:, None]
    last = np.cumsum(messages)
    first, third = last - messages, np.maximum(1, messages // 3)
    scores = np.append(0.0, np.cumsum(of_user[:, 2] - of_user[:, 0]))
    start = (scores[np.minimum(first + third, last)] - scores[first]) / third
    end = (scores[last] - scores[np.maximum(last - third, first)]) / third
    negative = np.bincount(own, of_user.argmax(axis=1) == 0, minlength=count) / some
    trajectory = {
        "score": np.round(mean[:, 2] - mean[:, 0], 4),
        "start": np.round(start, 4),
        "end": np.round(end, 4),
        "change": np.round(end - start, 4),
        "negative_share": np.round(negative, 4),
        "messages": messages,
    }
    rows = zip(*(column.tolist() for column in trajectory.values()), strict=True)
    details = objects([dict(zip(trajectory, row, strict=True)) for row in rows])
    felt, best = messages > 0, mean.argmax(axis=1)
    details[~felt] = None
    return Decisions(
        np.arange(count),
        np.zeros(count, dtype=np.int64),
        np.where(felt, objects(LABELS)[best], UNKNOWN),
        mean.max(axis=1),
        objects(["model"] * count),
        np.where(felt, NULL, _most_frequent(reasons, owners, count)),
        details,
    )


def _most_frequent(reasons: Objects, owners: Numbers, count: int) -> Objects:
    """Why the messages of each conversation mostly have no sentiment."""
    told = there(reasons)
    names, which = np.unique(np.append(reasons[told], "no_message"), return_inverse=True)
    places = owners[told] * len(names) + which[:-1]
    counts = np.bincount(places, minlength=count * len(names))
    counts = counts.reshape(count, len(names))
    return np.where(counts.any(axis=1), names[counts.argmax(axis=1)], "no_message").astype(object)


def conversation_intents(
    said: Decisions, owners: Numbers, count: int, courtesies: Collection[str] = ()
) -> Decisions:
    """What users want in conversations: the intents of their messages, by how sure they are.

    Args:
        said: the intent of each of the users' messages.
        owners: number of each one's conversation, ascending.
        count: conversations.
        courtesies: intents that come after all others, such as a greeting.
    """
    given = np.flatnonzero(~said.abstained)
    wanted = _wanted(said.rows(given), owners[given], courtesies)
    silent = np.ones(count, dtype=bool)
    silent[owners[given]] = False
    unsure = np.flatnonzero(silent[owners])
    likeliest = unsure[np.lexsort((-said.confidence[unsure], owners[unsure]))]
    likeliest = likeliest[_firsts(owners[likeliest])]
    silent[owners[likeliest]] = False
    nothing = Decision(UNKNOWN, 0.0, "model", "no_message")
    return together(
        [
            wanted,
            said.rows(likeliest).about(owners[likeliest]),
            Decisions.of((number, 0, nothing) for number in np.flatnonzero(silent).tolist()),
        ]
    )


def _wanted(given: Decisions, owners: Numbers, courtesies: Collection[str]) -> Decisions:
    """The intents of the messages that have one, as those of their conversations."""
    names, which = np.unique(np.append(given.labels, UNKNOWN), return_inverse=True)
    places, group = np.unique(owners * len(names) + which[:-1], return_inverse=True)
    sums, counts = np.bincount(group, given.confidence), np.bincount(group)
    surest = np.lexsort((-given.confidence, group))[np.cumsum(counts) - counts]
    courteous = np.isin(names, list(courtesies))[places % len(names)]
    order = np.lexsort((places, -sums, courteous, places // len(names)))
    own = places[order] // len(names)
    firsts = _firsts(own)
    ranks = np.arange(len(own)) - np.repeat(firsts, np.diff(firsts, append=len(own)))
    order, own, ranks = (some[ranks < MOST_INTENTS] for some in (order, own, ranks))
    best = given.rows(surest[order])
    details = objects([{"messages": messages} for messages in counts[order].tolist()])
    return Decisions(own, ranks, best.labels, best.confidence, best.methods, best.reasons, details)


def _firsts(values: NDArray[Any]) -> Numbers:
    """Where each run of equal values begins."""
    differs = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=differs[1:])
    return np.flatnonzero(differs)

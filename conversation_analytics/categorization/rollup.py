"""What the messages of a conversation come to: its language, how its user feels, what they want."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.decisions import UNKNOWN, Decision
from conversation_analytics.categorization.language import UNDETERMINED, Language
from conversation_analytics.categorization.sentiment import LABELS

Probabilities = NDArray[np.float32]

MOST_INTENTS: Final = 3
_LONGEST: Final = 200  # characters of a message that count for the language


def conversation_language(said: Sequence[tuple[Language, int, bool]]) -> Decision:
    """The language most of a conversation is in: its user's, if that can be told.

    Args:
        said: of each message its language, its characters, and whether the user wrote it.
    """
    for only_user in (True, False):
        weights: dict[str, float] = defaultdict(float)
        sure: dict[str, float] = defaultdict(float)
        for language, length, by_user in said:
            if language.code != UNDETERMINED and by_user >= only_user:
                size = min(length, _LONGEST)
                weights[language.code] += size * language.confidence
                sure[language.code] += size
        if weights:
            total = sum(sure.values())
            code = max(weights, key=lambda one: weights[one])
            shares = {one: round(sure[one] / total, 4) for one in sorted(sure)}
            details = {"shares": shares} if len(shares) > 1 else None
            return Decision(code, weights[code] / sure[code], "model", details=details)
    return Decision(UNDETERMINED, 0.0, "model", "too_short" if said else "no_message")


def conversation_sentiment(of_user: Probabilities, reasons: Sequence[str]) -> Decision:
    """How a user feels over a conversation, and how that changes.

    The probabilities of the user's messages are averaged; the score of a message is that of
    positive less that of negative. The start is the first third of the messages, the end the last.

    Args:
        of_user: messages × `sentiment.LABELS`, in their order, of the user's messages that have a
            sentiment.
        reasons: why others of the user's messages have none.
    """
    if not len(of_user):
        reason = max(set(reasons), key=reasons.count) if reasons else "no_message"
        return Decision(UNKNOWN, 0.0, "model", reason)  # type: ignore[arg-type]  # decisions' own
    mean = of_user.mean(axis=0)
    scores = of_user[:, 2] - of_user[:, 0]
    third = max(1, len(scores) // 3)
    start, end = float(scores[:third].mean()), float(scores[-third:].mean())
    details = {
        "score": round(float(mean[2] - mean[0]), 4),
        "start": round(start, 4),
        "end": round(end, 4),
        "change": round(end - start, 4),
        "negative_share": round(float((of_user.argmax(axis=1) == 0).mean()), 4),
        "messages": len(scores),
    }
    best = int(mean.argmax())
    return Decision(LABELS[best], float(mean[best]), "model", details=details)


def conversation_intents(of_user: Sequence[Decision]) -> list[Decision]:
    """What a user wants in a conversation: the intents of the messages, by how sure they are.

    Args:
        of_user: of each of the user's messages.
    """
    given = [one for one in of_user if not one.abstained]
    if not given:
        likeliest = max(of_user, key=lambda one: one.confidence, default=None)
        if likeliest is None:
            return [Decision(UNKNOWN, 0.0, "model", "no_message")]
        return [likeliest]
    sums: dict[str, float] = defaultdict(float)
    best: dict[str, Decision] = {}
    for one in given:
        sums[one.label] += one.confidence
        if one.label not in best or one.confidence > best[one.label].confidence:
            best[one.label] = one
    ranked = sorted(best, key=lambda label: (-sums[label], label))[:MOST_INTENTS]
    counts = {label: sum(one.label == label for one in given) for label in ranked}
    return [
        Decision(
            label, best[label].confidence, best[label].method, details={"messages": counts[label]}
        )
        for label in ranked
    ]

"""Why a text gets its labels, in words that people can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from conversation_analytics.categorization.decisions import Decision
from conversation_analytics.categorization.evidence import evidence_of
from conversation_analytics.categorization.features import Features, extract
from conversation_analytics.categorization.labeller import Labeller
from conversation_analytics.categorization.labelling import felt, told
from conversation_analytics.categorization.language import languages_of
from conversation_analytics.categorization.linear import Floats
from conversation_analytics.categorization.sentiment import LABELS, SentimentModel, numbers_of
from conversation_analytics.schemas.categories import TASKS

_MOST: Final = 10
_FEELINGS: Final = "(feeling words)"


def explained(labeller: Labeller, text: str) -> dict[str, list[dict[str, Any]]]:
    """What is said of a text, as of a user's message and of a conversation of it alone.

    Returns:
        By task the labels, the main one first: `label`, `confidence`, `method`, `reason` if none
        is given, `model_version`, `taxonomy_version`, and `why`.
    """
    languages, features = languages_of([text]), extract([text])
    (code,) = languages.codes
    likely = labeller.sentiment.probabilities(languages.codes, features)
    decisions = {
        "language": told(languages),
        "topic": labeller.topics.label([text], features, languages.codes),
        "intent": labeller.intents.label([text], features, languages.codes),
        "sentiment": felt(likely, languages.codes, features.empty),
    }
    why: dict[str, Mapping[str, Any]] = {
        "language": {},
        "topic": labeller.topics.explain(text),
        "intent": labeller.intents.explain(text),
        "sentiment": _why_it_feels_so(labeller.sentiment, code, likely[0], features),
    }
    return {
        task: [_shown(labeller, task, one, why[task]) for one in decisions[task].of_each(1)[0]]
        for task in TASKS
    }


def _shown(
    labeller: Labeller, task: str, decision: Decision, why: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "label": decision.label,
        "confidence": round(decision.confidence, 4),
        "method": decision.method,
        "reason": decision.reason,
        "model_version": labeller.model_version(task),
        "taxonomy_version": labeller.taxonomy_version(task),
        "why": {**(decision.details or {}), **why},
    }


def _why_it_feels_so(
    model: SentimentModel, language: str, likely: Floats, features: Features
) -> dict[str, Any]:
    """What speaks most for the likeliest sentiment, and how likely each is."""
    if np.isnan(likely).any():
        return {}
    best, head = int(likely.argmax()), model.heads[language]
    lexicons = numbers_of(head.lexicons, features) @ head.model.dense[:, best]
    evidence = evidence_of(head.model, features, best, {_FEELINGS: float(lexicons[0])})
    return {
        "candidates": [
            {"label": label, "confidence": round(p, 4)}
            for label, p in zip(LABELS, likely.tolist(), strict=True)
        ],
        "features": [
            {"text": one.text, "weight": round(one.weight, 4)}
            for one in evidence[:_MOST]
            if one.weight > 0
        ],
    }

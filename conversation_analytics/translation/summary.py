"""What a day's translations come to, for people: language by language, and how labels compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from conversation_analytics.schemas.translations import STATUSES

Numbers = Mapping[str, Mapping[str, int]]
"""Those of `Manifest.by_language`."""

COMPARED: Final = ("sentiment", "intent")
"""Tasks of which labels of originals and translations are compared."""


def language_rows(by_language: Numbers) -> list[dict[str, Any]]:
    """One row a language: texts by status, and how often labels differ from the original's."""
    return [
        {
            "language": language,
            **{status: numbers.get(status, 0) for status in STATUSES},
            **{f"{task} differs": _in_words(numbers, task) for task in COMPARED},
        }
        for language, numbers in by_language.items()
    ]


def disagreement(by_language: Numbers) -> dict[str, float]:
    """The share of labels that differ over all languages, by task; without those that have none."""
    found = {task: _share(by_language.values(), task) for task in COMPARED}
    return {task: share for task, share in found.items() if share is not None}


def _share(numbers: Iterable[Mapping[str, int]], task: str) -> float | None:
    differing, compared = (
        sum(one.get(f"{task}_{what}", 0) for one in numbers) for what in ("differing", "compared")
    )
    return round(differing / compared, 4) if compared else None


def _in_words(numbers: Mapping[str, int], task: str) -> str | None:
    share = _share([numbers], task)
    if share is None:
        return None
    differing, compared = numbers.get(f"{task}_differing", 0), numbers[f"{task}_compared"]
    return f"{differing} of {compared} ({share:.0%})"

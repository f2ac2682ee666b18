"""Which questions are asked together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from conversation_analytics.dify.records import size_of
from conversation_analytics.dify.standing import Askable

_SMALLER = 4


def batches(
    questions: Iterable[Askable], *, most: int, most_characters: int
) -> list[list[Askable]]:
    """Questions in batches, each of which is one call.

    Those of one batch have failed equally often, and a call that may pay again for a lost one pays
    for nothing else. What has failed is asked in ever smaller batches, so that one question which
    no call survives does not take the others with it.

    Args:
        questions: the questions.
        most: most questions in a batch none of which has failed.
        most_characters: most characters in a batch of more than one.
    """
    alike: dict[tuple[int, bool], list[Askable]] = {}
    for one in questions:
        alike.setdefault((one.standing.failures, one.standing.repeats), []).append(one)
    return [
        batch
        for (failures, _), group in sorted(alike.items(), key=lambda item: item[0])
        for batch in _filled(group, max(1, most // _SMALLER**failures), most_characters)
    ]


def _filled(group: Sequence[Askable], most: int, most_characters: int) -> Iterator[list[Askable]]:
    batch: list[Askable] = []
    characters = 0
    for one in group:
        size = size_of(one.question.content)
        if batch and (len(batch) == most or characters + size > most_characters):
            yield batch
            batch, characters = [], 0
        batch.append(one)
        characters += size
    if batch:
        yield batch

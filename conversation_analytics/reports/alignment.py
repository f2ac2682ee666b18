"""What means the same in two periods: whom rows are of, and the labels that rows have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc

from conversation_analytics.reports.arrays import Numbers
from conversation_analytics.reports.facts import Facts
from conversation_analytics.reports.pooling import OTHER
from conversation_analytics.schemas.metric import Relation


def same_who(now: Facts, before: Facts) -> Numbers:
    """The number now of each user, and of each conversation of nobody, of the period before.

    Those that are not there now have numbers after all that are.
    """
    found = []
    for new, old, first in (
        (now.users, before.users, 0),
        (now.nobodies, before.nobodies, len(now.users)),
    ):
        place = pc.fill_null(pc.index_in(old, new), -1).to_numpy().astype(np.int64)
        found.append(np.where(place < 0, -1, place + first))
    who = np.concatenate(found)
    unknown = who < 0
    who[unknown] = len(now.users) + len(now.nobodies) + np.arange(unknown.sum())
    return who


class SameLabels:
    """The labels of a dimension that mean the same in both periods.

    A value that is shown in one period and pooled in the other is `OTHER` in both, and so is what
    is in no breakdown.

    Args:
        now: a period.
        before: the one before it.
        dimension: the dimension.
    """

    def __init__(self, now: Facts, before: Facts, dimension: str) -> None:
        self._periods = (now, before)
        self._dimension = dimension
        (shown, there), (was_shown, was_there) = (
            (set(facts.shown[dimension].names), set(facts.values[dimension]))
            for facts in self._periods
        )
        pooled = (shown - was_shown) & was_there | (was_shown - shown) & there
        self._names = sorted({*shown - pooled, *was_shown - pooled, OTHER})
        place = {name: number for number, name in enumerate(self._names)}
        self._places = [
            # The last is of rows without a label, whose number is -1.
            np.array([place.get(name, place[OTHER]) for name in (*own, OTHER)])
            for own in (facts.shown[dimension].names for facts in self._periods)
        ]

    def of(self, relation: Relation) -> tuple[Sequence[str], Numbers]:
        """The labels that a relation has, and the number of each row's, those of now first."""
        number = np.concatenate(
            [
                places[facts.groups(relation, self._dimension)]
                for places, facts in zip(self._places, self._periods, strict=True)
            ]
        )
        there = np.bincount(number, minlength=len(self._names)) > 0
        names = [self._names[n] for n in np.flatnonzero(there).tolist()]
        return names, (np.cumsum(there) - 1)[number]

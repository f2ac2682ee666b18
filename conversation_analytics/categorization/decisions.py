"""What is said of a text for a task: a label, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.schemas.categories import Method, Reason

Objects: TypeAlias = NDArray[np.object_]

NULL: Final[Objects] = np.array(None, dtype=object)
"""Null, as one column and another can be mixed with it."""

UNKNOWN: Final = "unknown"
"""The label of a text that none is said of."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A label, or the honesty to give none.

    Attributes:
        label: the label; `UNKNOWN` or, of languages, ``und`` if there is none.
        confidence: probability that it is right, 0 to 1; of the likeliest label if none is given.
        method: who decided.
        reason: why no label is given; null if one is.
        details: what led there, as JSON can hold it.
    """

    label: str
    confidence: float
    method: Method
    reason: Reason | None = None
    details: Mapping[str, Any] | None = None

    @property
    def abstained(self) -> bool:
        """Whether no label is given."""
        return self.reason is not None


@dataclass(frozen=True)
class Decisions:
    """Many decisions, column by column: rows, each a `Decision` on something that has a number.

    Attributes:
        numbers: int64, what each is said of.
        ranks: int64, 0 for the main label of it, then the others that hold as well.
        labels: as in `Decision`, like all that follow.
        confidence: float64.
        methods: of each.
        reasons: of each.
        details: of each.
    """

    numbers: NDArray[np.int64]
    ranks: NDArray[np.int64]
    labels: Objects
    confidence: NDArray[np.float64]
    methods: Objects
    reasons: Objects
    details: Objects

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, Decision]]) -> Decisions:
        """Number, rank and decision of each row as columns."""
        some = list(rows)
        decisions = [decision for _, _, decision in some]
        return cls(
            np.array([number for number, _, _ in some], dtype=np.int64),
            np.array([rank for _, rank, _ in some], dtype=np.int64),
            objects([one.label for one in decisions]),
            np.array([one.confidence for one in decisions], dtype=np.float64),
            objects([one.method for one in decisions]),
            objects([one.reason for one in decisions]),
            objects([one.details for one in decisions]),
        )

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def abstained(self) -> NDArray[np.bool_]:
        """Where no label is given."""
        return there(self.reasons)

    def rows(self, chosen: NDArray[Any]) -> Decisions:
        """Some rows: a mask, or their places."""
        return Decisions(*(getattr(self, column.name)[chosen] for column in fields(self)))

    def about(self, numbers: NDArray[np.int64]) -> Decisions:
        """The same said of something else, row by row."""
        return replace(self, numbers=numbers)

    def of_each(self, count: int) -> list[list[Decision]]:
        """The decisions on each of so many things that are numbered from 0, the main one first."""
        found: list[list[Decision]] = [[] for _ in range(count)]
        columns = (self.labels, self.confidence, self.methods, self.reasons, self.details)
        each = zip(*(column.tolist() for column in columns), strict=True)
        for number, decision in zip(self.numbers.tolist(), each, strict=True):
            found[number].append(Decision(*decision))
        return found


def together(parts: Sequence[Decisions]) -> Decisions:
    """All rows, in order of what they are said of and of their ranks."""
    columns = [column.name for column in fields(Decisions)]
    joined = Decisions(
        *(np.concatenate([getattr(part, column) for part in parts]) for column in columns)
    )
    return joined.rows(np.lexsort((joined.ranks, joined.numbers)))


def corrected(decisions: Decisions, people: Mapping[int, Sequence[str]]) -> Decisions:
    """What people say where they say something, with what would have been said otherwise.

    Args:
        decisions: what would have been.
        people: labels by the number of what they are said of.
    """
    if not people:
        return decisions
    wrong = np.isin(decisions.numbers, list(people))
    before = {
        number: decision for number, rank, decision in _each(decisions.rows(wrong)) if rank == 0
    }
    said = (
        (number, rank, _human(label, before.get(number) if not rank else None))
        for number, labels in people.items()
        for rank, label in enumerate(labels)
    )
    return together([decisions.rows(~wrong), Decisions.of(said)])


def _each(decisions: Decisions) -> Iterator[tuple[int, int, Decision]]:
    each = decisions.about(np.arange(len(decisions))).of_each(len(decisions))
    rows = zip(decisions.numbers.tolist(), decisions.ranks.tolist(), each, strict=True)
    yield from ((number, rank, decision) for number, rank, (decision,) in rows)


def _human(label: str, before: Decision | None) -> Decision:
    if before is None:
        return Decision(label, 1.0, "human")
    instead_of = {
        "label": before.label,
        "confidence": round(before.confidence, 4),
        "method": before.method,
    }
    details = {**(before.details or {}), "instead_of": instead_of}
    return Decision(label, 1.0, "human", details=details)


def there(column: Objects) -> NDArray[np.bool_]:
    """Where a column is not null."""
    found: NDArray[np.bool_] = np.not_equal(column, NULL).astype(bool)
    return found


def nulls(count: int) -> Objects:
    """A column of nulls."""
    return objects([None] * count)


def objects(values: Sequence[Any]) -> Objects:
    """Values as a column, whatever they are."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column

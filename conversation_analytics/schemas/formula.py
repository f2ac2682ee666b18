"""What metrics make of the rows of a relation: as SQL, and as the terms that each row adds.

Both say the same: SQL is for people and for whoever computes a metric elsewhere; reports compute
the terms once a row and put them together for every value of every dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

ALL = "true"
"""The condition that holds for every row."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows a condition holds for.

    Attributes:
        which: the condition; null is as good as false.
    """

    which: str = ALL

    @property
    def sql(self) -> str:
        """The aggregate."""
        return "count(*)" if self.which == ALL else f"count(*) FILTER ({self.which})"

    @property
    def term(self) -> str:
        """What a row adds."""
        return self.which


@dataclass(frozen=True, slots=True)
class Sum:
    """What rows for which a condition holds come to together.

    Attributes:
        of: what each row has; null adds nothing.
        which: the condition.
        counts: whether it is 0 where there is nothing to sum up, not null.
    """

    of: str
    which: str = ALL
    counts: bool = False

    @property
    def sql(self) -> str:
        """The aggregate."""
        found = f"sum({self.of})" + ("" if self.which == ALL else f" FILTER ({self.which})")
        return f"coalesce({found}, 0)" if self.counts else found

    @property
    def term(self) -> str:
        """What a row adds; null if nothing."""
        return self.of if self.which == ALL else f"CASE WHEN {self.which} THEN {self.of} END"


@dataclass(frozen=True, slots=True)
class Ratio:
    """One sum by another: null where the other is 0."""

    top: Count | Sum
    bottom: Count | Sum

    @property
    def sql(self) -> str:
        """The aggregate."""
        return f"{self.top.sql} / nullif({self.bottom.sql}, 0)"


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of the rows that have a value: a ratio too."""

    of: str

    @property
    def top(self) -> Sum:
        """What is divided."""
        return Sum(self.of)

    @property
    def bottom(self) -> Count:
        """What it is divided by."""
        return Count(f"{self.of} IS NOT NULL")

    @property
    def sql(self) -> str:
        """The aggregate."""
        return f"avg({self.of})"


@dataclass(frozen=True, slots=True)
class Users:
    """Distinct users with a row for which a condition holds.

    Attributes:
        which: the condition; null is as good as false.
    """

    which: str

    @property
    def sql(self) -> str:
        """The aggregate."""
        return f"count(DISTINCT user_id) FILTER ({self.which})"


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of what rows have, interpolated linearly; null where none has any.

    Attributes:
        of: what each row has, or null.
        percents: those that are asked for together, so that DuckDB sorts once for all of them.
        percent: which of them it is.
    """

    of: str
    percents: tuple[int, ...]
    percent: int

    @property
    def sql(self) -> str:
        """The aggregate."""
        shares = ", ".join(str(percent / 100) for percent in self.percents)
        return f"quantile_cont({self.of}, [{shares}])[{self.percents.index(self.percent) + 1}]"


Formula: TypeAlias = Count | Sum | Ratio | Mean | Users | Quantile


def terms(formula: Formula) -> list[str]:
    """What of each row a formula needs, in SQL."""
    match formula:
        case Ratio() | Mean():
            return [formula.top.term, formula.bottom.term]
        case Users():
            return [formula.which]
        case Quantile():
            return [formula.of]
        case _:
            return [formula.term]

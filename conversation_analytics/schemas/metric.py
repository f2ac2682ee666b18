"""How a metric is described, and the kinds there are: numbers, sums, ratios and quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from conversation_analytics.schemas.formula import (
    ALL,
    Count,
    Formula,
    Mean,
    Quantile,
    Ratio,
    Sum,
    Users,
)

Direction = Literal["up_is_good", "down_is_good", "neutral"]
Unit = Literal["count", "tokens", "money", "share", "score", "seconds", "milliseconds"]
Relation = Literal["conversations", "spending", "activity", "times"]

RELATIONS: dict[Relation, str] = {
    "conversations": "one row a conversation that started in the period, with its labels",
    "spending": "one row a conversation that started in the period and currency it cost",
    "activity": "one row a day of the period, conversation, role, model and currency: the "
    "messages made then, summed up",
    "times": "the times that models and users took, of messages made in the period",
}

MADE_OF: dict[Relation, Relation] = {
    "conversations": "conversations",
    "spending": "conversations",
    "activity": "activity",
    "times": "activity",
}
"""The relation in which the users behind a relation's rows are counted."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of reports.

    Attributes:
        name: its name everywhere.
        title: its name for people.
        group: what it is about.
        unit: what it counts or measures.
        description: what it tells, of which rows.
        direction: whether more of it is better.
        relation: the rows it is made of.
        formula: what it makes of them.
        per_currency: whether there is one for each currency.
        headline: whether it is among the first that a reader wants to know.
        decimals: digits after the point worth showing.
    """

    name: str
    title: str
    group: str
    unit: Unit
    description: str
    direction: Direction
    relation: Relation
    formula: Formula
    per_currency: bool = False
    headline: bool = False
    decimals: int = 0

    @property
    def sql(self) -> str:
        """The aggregate over its rows."""
        return self.formula.sql

    @property
    def additive(self) -> bool:
        """Whether those of the days of a period add up to that of the period."""
        return isinstance(self.formula, Count | Sum)

    @property
    def counts(self) -> bool:
        """Whether it is 0 where there are no rows; others are null there."""
        if isinstance(self.formula, Sum):
            return self.formula.counts
        return isinstance(self.formula, Count | Users)


def count(
    name: str,
    title: str,
    group: str,
    relation: Relation,
    formula: Count | Sum | Users,
    **more: Any,
) -> Metric:
    """A number of things: 0 where there are none."""
    shape = {"unit": "count", "direction": "neutral", **more}
    return Metric(name=name, title=title, group=group, relation=relation, formula=formula, **shape)


def total(name: str, title: str, group: str, relation: Relation, of: str, **more: Any) -> Metric:
    """A sum: null where there is nothing to sum up."""
    return count(name, title, group, relation, Sum(of), **more)


def ratio(
    name: str, title: str, group: str, relation: Relation, formula: Ratio | Mean, **more: Any
) -> Metric:
    """A share or mean: what the rows add to one sum by what they add to the other."""
    shape = {"unit": "share", "decimals": 1, **more}
    return Metric(name=name, title=title, group=group, relation=relation, formula=formula, **shape)


def share(
    name: str, title: str, group: str, relation: Relation, which: str, among: str, **more: Any
) -> Metric:
    """A share of rows: those for which one condition holds among those for which another does."""
    both = which if among == ALL else f"{among} AND {which}"
    return ratio(name, title, group, relation, Ratio(Count(both), Count(among)), **more)


def mean(name: str, title: str, group: str, relation: Relation, of: str, **more: Any) -> Metric:
    """A mean over the rows that have a value."""
    return ratio(name, title, group, relation, Mean(of), **more)


def quantiles(
    stem: str,
    title: str,
    group: str,
    relation: Relation,
    of: str,
    percents: Sequence[int],
    *,
    unit: Unit,
    description: str,
    headline: int | None = None,
) -> list[Metric]:
    """Quantiles of a time, each interpolated linearly; one is a headline."""
    ending = {"seconds": "_seconds", "milliseconds": "_ms"}[unit]
    return [
        Metric(
            name=f"{stem}_p{percent}{ending}",
            title=f"{title}, p{percent}",
            group=group,
            unit=unit,
            description=f"{description}: {percent} % took no longer.",
            direction="down_is_good",
            relation=relation,
            formula=Quantile(of, tuple(percents), percent),
            headline=percent == headline,
            decimals=1 if unit == "seconds" else 0,
        )
        for percent in percents
    ]

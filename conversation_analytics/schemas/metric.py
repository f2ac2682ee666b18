"""How a metric is described, and the kinds there are: numbers, sums, ratios and quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

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
        sql: the aggregate over those rows.
        additive: whether those of the days of a period add up to that of the period.
        distinct: whether it counts distinct users.
        counts: whether it is 0 where there are no rows; others are null there.
        per_currency: whether there is one for each currency.
        headline: whether it is among the first that a reader wants to know.
        numerator: of a rate or mean, the SQL of what a row adds to what is divided, never null.
        denominator: what it adds to the divisor.
        decimals: digits after the point worth showing.
    """

    name: str
    title: str
    group: str
    unit: Unit
    description: str
    direction: Direction
    relation: Relation
    sql: str
    additive: bool = False
    distinct: bool = False
    counts: bool = False
    per_currency: bool = False
    headline: bool = False
    numerator: str | None = None
    denominator: str | None = None
    decimals: int = 0


def count(name: str, title: str, group: str, relation: Relation, sql: str, **more: Any) -> Metric:
    """A number of things: 0 where there are none."""
    return Metric(
        **{"unit": "count", "direction": "neutral", "counts": True, "additive": True, **more},
        name=name,
        title=title,
        group=group,
        relation=relation,
        sql=sql,
    )


def total(name: str, title: str, group: str, relation: Relation, of: str, **more: Any) -> Metric:
    """A sum: null where there is nothing to sum up."""
    return Metric(
        **{"unit": "count", "direction": "neutral", "additive": True, **more},
        name=name,
        title=title,
        group=group,
        relation=relation,
        sql=f"sum({of})",
    )


def ratio(
    name: str,
    title: str,
    group: str,
    relation: Relation,
    numerator: str,
    denominator: str,
    **more: Any,
) -> Metric:
    """A share or mean: what the rows add to one sum by what they add to the other."""
    return Metric(
        **{"unit": "share", "decimals": 1, **more},
        name=name,
        title=title,
        group=group,
        relation=relation,
        sql=f"sum({numerator}) / nullif(sum({denominator}), 0)",
        numerator=numerator,
        denominator=denominator,
    )


def share(
    name: str, title: str, group: str, relation: Relation, which: str, among: str, **more: Any
) -> Metric:
    """A share of rows: those for which one condition holds among those for which another does."""
    both = which if among == "true" else f"{among} AND {which}"
    all_ = "count(*)" if among == "true" else f"count(*) FILTER ({among})"
    return Metric(
        **{"unit": "share", "decimals": 1, **more},
        name=name,
        title=title,
        group=group,
        relation=relation,
        sql=f"count(*) FILTER ({both}) / nullif({all_}, 0)",
        numerator=f"CASE WHEN {both} THEN 1 ELSE 0 END",
        denominator=f"CASE WHEN {among} THEN 1 ELSE 0 END",
    )


def mean(name: str, title: str, group: str, relation: Relation, of: str, **more: Any) -> Metric:
    """A mean over the rows that have a value."""
    return Metric(
        **{"decimals": 1, **more},
        name=name,
        title=title,
        group=group,
        relation=relation,
        sql=f"avg({of})",
        numerator=f"coalesce({of}, 0)",
        denominator=f"CASE WHEN {of} IS NULL THEN 0 ELSE 1 END",
    )


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
    # One list, so that DuckDB sorts once for all of them.
    parts = ", ".join(str(percent / 100) for percent in percents)
    return [
        Metric(
            name=f"{stem}_p{percent}{ending}",
            title=f"{title}, p{percent}",
            group=group,
            unit=unit,
            description=f"{description}: {percent} % took no longer.",
            direction="down_is_good",
            relation=relation,
            sql=f"quantile_cont({of}, [{parts}])[{place}]",
            headline=percent == headline,
            decimals=1 if unit == "seconds" else 0,
        )
        for place, percent in enumerate(percents, start=1)
    ]

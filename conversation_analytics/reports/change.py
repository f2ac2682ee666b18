"""Why headline metrics changed from one period to another: what each value of a dimension did.

A value that is shown in one period and pooled in the other counts as `OTHER` in both, so that what
is compared is the same. One that is not there at all in the other period is new or gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np

from conversation_analytics.reports.aggregate import Groups
from conversation_analytics.reports.alignment import SameLabels, same_who
from conversation_analytics.reports.arrays import Numbers, Truths
from conversation_analytics.reports.decomposition import (
    Both,
    Draws,
    Estimate,
    Part,
    holm,
    quantile_change,
)
from conversation_analytics.reports.facts import Facts, Rows
from conversation_analytics.schemas.formula import Mean, Quantile, Ratio, Users, terms
from conversation_analytics.schemas.metric import Metric, Relation
from conversation_analytics.schemas.metrics import METRICS

WHY_DIMENSIONS: Final = ("topic", "intent", "language", "channel", "model")
"""By which changes are looked at."""


@dataclass(frozen=True)
class Contribution:
    """What a value has to do with a change.

    Attributes:
        value: the value, or `OTHER`.
        part: what of the change is due to it.
        distinguishable: whether that can be told from chance; Holm's correction, since all values
            of the dimension are looked at. The interval is of the value by itself.
    """

    value: str
    part: Part
    distinguishable: bool


@dataclass(frozen=True)
class Change:
    """How a metric changed.

    Attributes:
        metric: its name.
        currency: of money.
        now: the figure; null if there was nothing to measure.
        before: the figure of the period before.
        change: the difference and its interval; null where one of the figures is.
        by: by dimension, what of the change is due to each value, the most first; these add up to
            the change. Of quantiles and of distinct users there is none.
    """

    metric: str
    currency: str | None
    now: float | None
    before: float | None
    change: Estimate | None
    by: dict[str, list[Contribution]]


def changes(now: Facts, before: Facts) -> list[Change]:
    """How each headline metric changed, and what the values of `WHY_DIMENSIONS` had to do with it.

    Args:
        now: a period, its values labelled as they are shown.
        before: the one it is compared with, likewise.
    """
    headlines = [metric for metric in METRICS.values() if metric.headline]
    who = same_who(now, before)
    labels = {name: SameLabels(now, before, name) for name in WHY_DIMENSIONS}
    compared = {
        relation: _Compared(now, before, relation, who, labels)
        for relation in dict.fromkeys(metric.relation for metric in headlines)
    }
    return [change for metric in headlines for change in compared[metric.relation].changes(metric)]


def as_document(found: Sequence[Change]) -> dict[str, Any]:
    """Changes as a report says them: by metric, of money by currency too."""
    said: dict[str, Any] = {}
    for one in found:
        if one.currency is None:
            said[one.metric] = _said(one)
        else:
            said.setdefault(one.metric, {})[one.currency] = _said(one)
    return said


def _said(one: Change) -> dict[str, Any]:
    estimate = one.change
    return {
        "now": one.now,
        "before": one.before,
        "change": None if estimate is None else estimate.value,
        "interval": _interval(estimate),
        "distinguishable": estimate is not None and estimate.distinguishable,
        "by": {
            dimension: [
                {
                    "value": each.value,
                    "contribution": each.part.contribution.value,
                    "mix": each.part.mix,
                    "rate": each.part.rate,
                    "interval": _interval(each.part.contribution),
                    "distinguishable": each.distinguishable,
                }
                for each in contributions
            ]
            for dimension, contributions in one.by.items()
        },
    }


def _interval(estimate: Estimate | None) -> list[float] | None:
    return None if estimate is None or estimate.interval is None else list(estimate.interval)


class _Side(NamedTuple):
    """A relation in a period: whom its rows are of, the same in both, and which count."""

    facts: Facts
    relation: Relation
    who: Numbers
    which: Truths

    @property
    def rows(self) -> Rows:
        """The rows."""
        return self.facts.relations[self.relation]

    def currencies(self, metric: Metric) -> dict[str, Truths]:
        """Of each currency that there are amounts of, which rows have one."""
        found = self.rows.by_currency(metric.formula)
        return {self.facts.currencies[number]: which for number, which in found.items()}

    def figure(self, metric: Metric) -> float | None:
        """What a metric comes to; null if nothing was measured."""
        group = np.where(self.which, 0, -1)[None]
        groups = Groups(self.rows, group, 1, len(self.facts.users))
        found = float(groups.of(metric.formula)[0])
        return None if np.isnan(found) else found


class _Compared:
    """A relation in both periods.

    Args:
        now: a period.
        before: the one it is compared with.
        relation: the relation.
        who: `alignment.same_who`.
        labels: by dimension, what means the same in both.
    """

    def __init__(
        self,
        now: Facts,
        before: Facts,
        relation: Relation,
        who: Numbers,
        labels: Mapping[str, SameLabels],
    ) -> None:
        rows, old = (facts.relations[relation] for facts in (now, before))
        self._sides = (
            _Side(now, relation, rows.who, np.ones(len(rows), dtype=bool)),
            _Side(before, relation, who[old.who], np.ones(len(old), dtype=bool)),
        )
        self._relation = relation
        self._labels = labels

    def changes(self, metric: Metric) -> Iterator[Change]:
        """How a metric changed, of money by currency."""
        if not metric.per_currency:
            yield self._change(metric, None, self._sides)
            return
        paid = [side.currencies(metric) for side in self._sides]
        for currency in sorted({name for some in paid for name in some}):
            sides = [
                side._replace(which=some.get(currency, np.zeros_like(side.which)))
                for side, some in zip(self._sides, paid, strict=True)
            ]
            yield self._change(metric, currency, sides)

    def _change(self, metric: Metric, currency: str | None, sides: Sequence[_Side]) -> Change:
        now, before = (side.figure(metric) for side in sides)
        if now is None or before is None:
            return Change(metric.name, currency, now, before, None, {})
        by: dict[str, list[Contribution]] = {}
        match metric.formula:
            case Quantile(of=sql, percent=percent):
                said = self._quantile(sql, percent / 100)
            case Users(which=sql):
                said = self._users(sql)
            case formula:
                draws, labels = self._draws
                both = [self._amounts(sql, sides) for sql in terms(formula)]
                rate = isinstance(formula, Ratio | Mean)
                parts = draws.rate(*both) if rate else draws.volume(*both)
                said = parts[0].contribution
                by = {name: _contributions(own, parts[at]) for name, (own, at) in labels.items()}
        change = Estimate(now - before, said.interval, said.p)
        return Change(metric.name, currency, now, before, change, by)

    @cached_property
    def _draws(self) -> tuple[Draws, dict[str, tuple[Sequence[str], slice]]]:
        """The rows in groups: all of them in the first, then those of the labels of dimensions.

        Returns:
            The groups, and of each dimension that has several labels these and their groups.
        """
        now, before = (side.who for side in self._sides)
        groups = [np.zeros(len(now) + len(before), dtype=np.int64)]
        labels, count = {}, 1
        for name, same in self._labels.items():
            own, number = same.of(self._relation)
            if len(own) > 1:
                groups.append(count + number)
                labels[name] = (own, slice(count, count + len(own)))
                count += len(own)
        return Draws(now, before, np.stack(groups), count), labels

    def _amounts(self, sql: str, sides: Sequence[_Side]) -> Both:
        """What rows add, 0 where they do not count."""
        return Both(*(side.rows.terms[sql].values * side.which for side in sides))

    def _quantile(self, sql: str, share: float) -> Estimate:
        (now, users), (before, old_users) = (
            (term.values[term.valid], side.who[term.valid])
            for side, term in ((side, side.rows.terms[sql]) for side in self._sides)
        )
        return quantile_change(now, users, before, old_users, share)

    def _users(self, sql: str) -> Estimate:
        """Of users who are counted once whatever they did, who cannot be told apart by labels."""
        who = []
        for side in self._sides:
            known = side.rows.who < len(side.facts.users)
            who.append(np.unique(side.who[known & (side.rows.terms[sql].amounts > 0)]))
        whole = np.zeros((1, len(who[0]) + len(who[1])), dtype=np.int64)
        ones = Both(*(np.ones(len(one)) for one in who))
        return Draws(who[0], who[1], whole, 1).volume(ones)[0].contribution


def _contributions(labels: Sequence[str], parts: Sequence[Part]) -> list[Contribution]:
    told = holm([1.0 if one.contribution.p is None else one.contribution.p for one in parts])
    found = [Contribution(*one) for one in zip(labels, parts, told, strict=True)]
    return sorted(found, key=lambda one: (-abs(one.part.contribution.value), one.value))

"""Why headline metrics changed from one period to another: what each value of a dimension did.

A value that is shown in one period and pooled in the other counts as `OTHER` in both, so that what
is compared is the same. One that is not there at all in the other period is new or gone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.reports.decomposition import (
    Estimate,
    Numbers,
    Part,
    Reals,
    Sums,
    holm,
    quantile_change,
    rate_parts,
    volume_parts,
)
from conversation_analytics.reports.facts import COUNTED, NONE, Facts
from conversation_analytics.reports.pooling import OTHER
from conversation_analytics.schemas.metric import Metric, Relation
from conversation_analytics.schemas.metrics import METRICS

WHY_DIMENSIONS: Final = ("topic", "intent", "language", "channel", "model")
"""By which changes are looked at."""

# A figure now and before.
_Both: TypeAlias = tuple[float | None, float | None]

# One user is one draw; a conversation of nobody is one by itself.
_WHO = "coalesce('u' || user_id, 'c' || conversation_id)"
_QUANTILE = re.compile(r"quantile_cont\((?P<of>\w+), \[(?P<shares>[\d., ]+)\]\)\[(?P<place>\d+)\]")


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
    relations = dict.fromkeys(metric.relation for metric in _headlines())
    pooled = _pooled_once(now, before)
    found = [
        change
        for relation in relations
        for change in _Compared(now, before, relation, pooled).changes()
    ]
    places = {name: place for place, name in enumerate(METRICS)}
    return sorted(found, key=lambda each: (places[each.metric], each.currency or ""))


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


def _headlines() -> list[Metric]:
    return [metric for metric in METRICS.values() if metric.headline]


@dataclass(frozen=True)
class _Series:
    """A metric, of one currency if it is money, as SQL of a user's rows."""

    metric: Metric
    currency: str | None = None

    @property
    def figure(self) -> str:
        """The metric, of whatever rows; of users it adds up unless it is a quotient."""
        if self.currency is None:
            return self.metric.sql
        own = self.currency.replace("'", "''")
        return f"{self.metric.sql} FILTER (coalesce(currency, '{NONE}') = '{own}')"

    @property
    def sums(self) -> tuple[str, str]:
        """What is summed up, or numerator and denominator."""
        if self.metric.numerator is None:
            return self.figure, "0"
        return f"sum({self.metric.numerator})", f"sum({self.metric.denominator})"


@dataclass(frozen=True)
class _Rows:
    """Sums of users within the labels of a dimension, of both periods, each in order of both.

    Attributes:
        labels: the labels there are.
        user: number of each row's user.
        group: number of its label.
        values: columns asked for × rows, 0 where null.
        count: rows of the later period, which come first.
    """

    labels: list[str]
    user: Numbers
    group: Numbers
    values: Reals
    count: int

    @classmethod
    def by(
        cls, labels: list[str], group: Numbers, user: Numbers, values: Reals, count: int
    ) -> _Rows:
        """The same rows in order: sorted once, not for each of the sums."""
        order = np.lexsort((user, group, np.arange(len(user)) >= count))
        return cls(labels, user[order], group[order], values[:, order], count)

    def parts(self, metric: Metric, place: int) -> list[Part]:
        """What each label has to do with a change.

        Args:
            metric: the metric.
            place: of it among the series that were asked for.
        """
        top, bottom = self.values[2 * place], self.values[2 * place + 1]
        now, before = (
            Sums(self.user[own], self.group[own], top[own], bottom[own])
            for own in (slice(self.count), slice(self.count, None))
        )
        of = volume_parts if metric.numerator is None else rate_parts
        return of(now, before, len(self.labels))


class _Compared:
    """One relation in both periods.

    Args:
        now: a period.
        before: the one it is compared with.
        relation: the relation.
        pooled: by dimension, labels that count as `OTHER`.
    """

    def __init__(
        self, now: Facts, before: Facts, relation: Relation, pooled: Mapping[str, Collection[str]]
    ) -> None:
        self._periods = (now, before)
        self._relation = relation
        self._pooled = pooled
        self._metrics = [metric for metric in _headlines() if metric.relation == relation]

    def changes(self) -> list[Change]:
        """How its headline metrics changed."""
        series = [
            _Series(metric, currency)
            for metric in self._metrics
            for currency in (self._currencies() if metric.per_currency else [None])
        ]
        figures = dict(zip(series, self._figures([one.figure for one in series]), strict=True))
        quantiles = [one for one in series if "quantile" in one.metric.sql]
        # Users who are counted once whatever they did cannot be told apart by labels.
        apart = [one for one in series if one.metric.additive or one.metric.numerator is not None]
        once = [one for one in series if one not in (*apart, *quantiles)]
        return [
            *(self._quantile(one.metric, figures[one]) for one in quantiles),
            *self._sums({one: figures[one] for one in apart}, WHY_DIMENSIONS),
            *self._sums({one: figures[one] for one in once}, ()),
        ]

    def _sums(self, series: Mapping[_Series, _Both], dimensions: Sequence[str]) -> Iterator[Change]:
        if not series:
            return
        whole, *rows = self._rows(list(series), dimensions)
        several = {
            name: own for name, own in zip(dimensions, rows, strict=True) if len(own.labels) > 1
        }
        for place, (one, (now, before)) in enumerate(series.items()):
            if now is None or before is None:
                yield Change(one.metric.name, one.currency, now, before, None, {})
                continue
            all_ = whole.parts(one.metric, place)[0].contribution
            change = Estimate(now - before, all_.interval, all_.p)
            by = {
                name: _contributions(own.labels, own.parts(one.metric, place))
                for name, own in several.items()
            }
            yield Change(one.metric.name, one.currency, now, before, change, by)

    def _quantile(self, metric: Metric, both: _Both) -> Change:
        said = _QUANTILE.fullmatch(metric.sql)
        assert said is not None, f"{metric.name}: no quantile"  # noqa: S101 - our own list
        share = float(said["shares"].split(",")[int(said["place"]) - 1])
        query = f"""
            SELECT {_WHO} AS who, {said["of"]} AS value FROM {self._relation}
            WHERE {said["of"]} IS NOT NULL
        """  # noqa: S608 - our own names
        tables = [facts.asked(query) for facts in self._periods]
        who = _numbered(pa.concat_tables(tables)["who"])[1]
        (values, users), (old, old_users) = (
            (table["value"].cast(pa.float64()).to_numpy(), own)
            for table, own in zip(tables, np.split(who, [len(tables[0])]), strict=True)
        )
        now, before = both
        change = None
        if now is not None and before is not None:
            change = quantile_change(values, users, old, old_users, share)
        return Change(metric.name, None, now, before, change, {})

    def _figures(self, asked: Sequence[str]) -> list[_Both]:
        """Figures of the whole, now and before."""
        columns = ", ".join(f"({one})::DOUBLE AS f{n}" for n, one in enumerate(asked))
        query = f"SELECT {columns} FROM {self._relation}"  # noqa: S608 - our own names
        found = [facts.asked(query).to_pylist()[0].values() for facts in self._periods]
        return list(zip(*found, strict=True))

    def _currencies(self) -> list[str]:
        query = f"""
            SELECT DISTINCT coalesce(currency, '{NONE}') AS currency FROM {self._relation}
            WHERE cost IS NOT NULL
        """  # noqa: S608 - our own names
        found = (facts.asked(query)["currency"].to_pylist() for facts in self._periods)
        return sorted({currency for currencies in found for currency in currencies})

    def _rows(self, series: Sequence[_Series], dimensions: Sequence[str]) -> list[_Rows]:
        """The sums of series by user, of the whole and by the labels of each dimension."""
        asked = [sql for one in series for sql in one.sums]
        columns = ", ".join(f"coalesce(({sql})::DOUBLE, 0) AS s{n}" for n, sql in enumerate(asked))
        labels = [self._periods[0].column(dimension) for dimension in dimensions]
        keys = ", ".join([f"{_WHO} AS who", *labels])
        query = f"SELECT {keys}, {columns} FROM {self._relation} GROUP BY ALL"  # noqa: S608
        tables = [facts.asked(query) for facts in self._periods]
        table = pa.concat_tables(tables)
        user = _numbered(table["who"])[1]
        values = np.stack([table[f"s{n}"].to_numpy() for n in range(len(asked))])
        groups = [([""], np.zeros_like(user))] + [
            self._labelled(table[column], dimension)
            for dimension, column in zip(dimensions, labels, strict=True)
        ]
        return [_Rows.by(*group, user, values, len(tables[0])) for group in groups]

    def _labelled(self, column: pa.ChunkedArray, dimension: str) -> tuple[list[str], Numbers]:
        """The labels of a column that mean the same in both periods, and the number of each."""
        names, which = _numbered(column.fill_null(OTHER))
        named = [OTHER if name in self._pooled[dimension] else name for name in names]
        labels = sorted(set(named))
        numbers = np.array([labels.index(name) for name in named], dtype=np.int64)
        return labels, numbers[which]


def _pooled_once(now: Facts, before: Facts) -> dict[str, set[str]]:
    """By dimension, labels of one period whose values are there in the other, but pooled."""
    found = {}
    for name in WHY_DIMENSIONS:
        (shown, there), (before_shown, before_there) = (
            (_values(facts.relations, facts, name), _values(facts.raw, facts, name))
            for facts in (now, before)
        )
        found[name] = (shown - before_shown) & before_there | (before_shown - shown) & there
    return found


def _values(relations: Mapping[Relation, pa.Table], facts: Facts, dimension: str) -> set[str]:
    """The values of a dimension that there are."""
    columns = [relations[relation][facts.column(dimension)] for relation in COUNTED]
    return {value for column in columns for value in pc.unique(column.drop_null()).to_pylist()}


def _contributions(labels: Sequence[str], parts: Sequence[Part]) -> list[Contribution]:
    told = holm([1.0 if one.contribution.p is None else one.contribution.p for one in parts])
    found = [Contribution(*one) for one in zip(labels, parts, told, strict=True)]
    return sorted(found, key=lambda one: (-abs(one.part.contribution.value), one.value))


def _numbered(column: pa.ChunkedArray) -> tuple[list[str], Numbers]:
    """The values there are, and the number of each row's."""
    encoded = pc.dictionary_encode(column).combine_chunks()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)

"""The figures of a period: every metric of the whole and of every value of every dimension."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.reports.aggregate import Groups
from conversation_analytics.reports.arrays import Numbers, Reals, Truths
from conversation_analytics.reports.facts import Facts
from conversation_analytics.reports.relations import COUNTED
from conversation_analytics.schemas.formula import terms
from conversation_analytics.schemas.metric import MADE_OF, Metric, Relation
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics.schemas.reports import FIGURES, MODEL_METRICS, MODEL_PERFORMANCE

_METRICS: Final = [METRICS[name] for name in sorted(METRICS)]
_WHOLE: Final = ""  # the dimension that is none


def measure(facts: Facts) -> pa.Table:
    """Every metric of a period.

    Where a cell has no rows of a metric's relation, what counts is 0, and other metrics are null;
    of money there is a row for each currency that there is.

    Returns:
        A table of `schemas.reports.FIGURES`, in file order.
    """
    parts = [_Cells(facts, name).figures() for name in (_WHOLE, *sorted(facts.dimensions))]
    return pa.concat_tables(parts)


def model_performance(figures: pa.Table) -> pa.Table:
    """Models side by side, from the figures of a report.

    Returns:
        A table of `schemas.reports.MODEL_PERFORMANCE`, by model.
    """
    models: dict[str, dict[str, Any]] = {}
    for row in figures.filter(pc.equal(figures["dimension"], "model")).to_pylist():
        model = models.setdefault(row["value"], {"model": row["value"], "cost": []})
        if row["metric"] == "cost":
            model["cost"].append({"currency": row["currency"], "cost": row["figure"]})
        elif row["metric"] in MODEL_METRICS:
            model[row["metric"]] = row["figure"]
        if row["metric"] == "messages":
            model["users"] = row["users"]
    return pa.Table.from_pylist(list(models.values()), schema=MODEL_PERFORMANCE.arrow)


class _Line(NamedTuple):
    """A metric of all cells, of one currency if it is money: by number, -1 for none."""

    metric: int
    currency: int
    figure: Reals
    users: Numbers
    there: Truths


class _Cells:
    """The values of a dimension, or the whole of the period.

    Args:
        facts: what happened in the period.
        dimension: the dimension.
    """

    def __init__(self, facts: Facts, dimension: str) -> None:
        self._facts = facts
        self._dimension = dimension
        self._names = facts.shown[dimension].names if dimension else [""]
        self._group = {relation: self._numbers(relation) for relation in MADE_OF}
        self._groups = {
            relation: Groups(facts.relations[relation], group, len(self._names), len(facts.users))
            for relation, group in self._group.items()
        }
        self._users = {relation: self._groups[relation].users() for relation in COUNTED}

    def figures(self) -> pa.Table:
        """A table of `FIGURES`."""
        lines = [line for number, one in enumerate(_METRICS) for line in self._lines(number, one)]
        told = np.stack([line.there for line in lines], axis=1) & self._there()[:, None]
        # Metrics and currencies are in order, so cell after cell is the order of the file.
        cell, line = np.nonzero(told)
        figure, users = (
            np.stack(columns, axis=1)[cell, line]
            for columns in ([one.figure for one in lines], [one.users for one in lines])
        )
        metric, currency = (
            np.array(numbers)[line]
            for numbers in ([one.metric for one in lines], [one.currency for one in lines])
        )
        currencies = pa.array(self._facts.currencies, pa.string())
        return pa.Table.from_arrays(
            [
                pa.repeat(self._dimension, len(cell)),
                pa.array(self._names, pa.string()).take(pa.array(cell)),
                pa.array([one.name for one in _METRICS], pa.string()).take(pa.array(metric)),
                currencies.take(pa.array(currency, mask=currency < 0)),
                pa.array(figure, pa.float64(), mask=np.isnan(figure)),
                pa.array(users),
            ],
            schema=FIGURES.arrow,
        )

    def _lines(self, number: int, metric: Metric) -> Iterator[_Line]:
        """A metric of all cells, of money for each currency."""
        users = self._users[MADE_OF[metric.relation]]
        if not metric.per_currency:
            figure = self._groups[metric.relation].of(metric.formula)
            yield _Line(number, -1, figure, users, np.ones(len(users), dtype=bool))
            return
        rows, group = self._facts.relations[metric.relation], self._group[metric.relation]
        paid = rows.terms[terms(metric.formula)[0]].valid
        for currency in np.unique(rows.currency[paid]).tolist():
            own = np.where(paid & (rows.currency == currency), group, -1)
            groups = Groups(rows, own, len(users), len(self._facts.users))
            yield _Line(number, currency, groups.of(metric.formula), users, groups.there())

    def _numbers(self, relation: Relation) -> Numbers:
        if self._dimension:
            return self._facts.groups(relation, self._dimension)
        return np.zeros_like(self._facts.relations[relation].day)

    def _there(self) -> Truths:
        """Which cells have anything; the whole is there even so."""
        found = [self._groups[relation].there() for relation in COUNTED]
        there: Truths = np.logical_or.reduce(found) | (self._dimension == _WHOLE)
        return there

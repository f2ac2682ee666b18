"""The figures of a period: every metric of the whole and of every value of every dimension."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.reports.aggregate import Groups
from conversation_analytics.reports.arrays import Numbers, Reals, Truths
from conversation_analytics.reports.facts import Facts
from conversation_analytics.reports.relations import COUNTED
from conversation_analytics.schemas.metric import MADE_OF, Metric, Relation
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics.schemas.reports import FIGURES, MODEL_METRICS, MODEL_PERFORMANCE

_AT_ONCE: Final = 2**20  # rows × dimensions: of a month less memory, of a day less overhead
_METRICS: Final = [METRICS[name] for name in sorted(METRICS)]


def measure(facts: Facts, dimensions: Sequence[str] | None = None) -> pa.Table:
    """Every metric of a period.

    Where a cell has no rows of a metric's relation, what counts is 0, and other metrics are null;
    of money there is a row for each currency that there is.

    Args:
        facts: what happened in the period.
        dimensions: of whose values the metrics are told, besides those of the whole; null for all.

    Returns:
        A table of `schemas.reports.FIGURES`, in file order.
    """
    rows = max(len(facts.relations[relation]) for relation in MADE_OF)
    step = max(1, _AT_ONCE // max(1, rows))
    names = ["", *sorted(facts.dimensions if dimensions is None else dimensions)]
    some = (names[first : first + step] for first in range(0, len(names), step))
    return pa.concat_tables(_Cells(facts, own).figures() for own in some)


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
    """The values of some dimensions, in order; of the one without a name, the whole of the period.

    Args:
        facts: what happened in the period.
        dimensions: the dimensions.
    """

    def __init__(self, facts: Facts, dimensions: Sequence[str]) -> None:
        self._facts = facts
        names = [facts.shown[name].names if name else [""] for name in dimensions]
        sizes = [len(own) for own in names]
        self._dimension = np.repeat(np.array(dimensions, dtype=object), sizes)
        self._value = np.array([name for own in names for name in own], dtype=object)
        first = dict(zip(dimensions, (np.cumsum(sizes) - sizes).tolist(), strict=True))
        self._group = {relation: self._numbers(relation, first) for relation in MADE_OF}
        self._groups = {
            relation: self._grouped(relation, some) for relation, some in self._group.items()
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
                pa.array(self._dimension, pa.string()).take(pa.array(cell)),
                pa.array(self._value, pa.string()).take(pa.array(cell)),
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
        for currency, paid in rows.by_currency(metric.formula).items():
            groups = self._grouped(metric.relation, np.where(paid, group, -1))
            yield _Line(number, currency, groups.of(metric.formula), users, groups.there())

    def _grouped(self, relation: Relation, groups: Numbers) -> Groups:
        rows = self._facts.relations[relation]
        return Groups(rows, groups, len(self._value), len(self._facts.users))

    def _numbers(self, relation: Relation, first: Mapping[str, int]) -> Numbers:
        """Dimensions × rows: the cell that each row is in.

        Args:
            relation: the relation.
            first: the first cell of each dimension.
        """
        found = []
        for dimension, start in first.items():
            if dimension:
                label = self._facts.groups(relation, dimension)
            else:
                label = np.zeros(len(self._facts.relations[relation]), dtype=np.int64)
            found.append(np.where(label < 0, -1, start + label))
        return np.stack(found)

    def _there(self) -> Truths:
        """Which cells have anything; the whole is there even so."""
        found = [self._groups[relation].there() for relation in COUNTED]
        there: Truths = np.logical_or.reduce(found) | (self._dimension == "")
        return there

"""The figures of a period: every metric of the whole and of every value of every dimension."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from conversation_analytics.reports.facts import COUNTED, NONE, Facts
from conversation_analytics.schemas.metric import MADE_OF, RELATIONS, Metric, Relation
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics.schemas.reports import FIGURES, MODEL_METRICS, MODEL_PERFORMANCE

Numbers: TypeAlias = NDArray[np.int64]

_NAMES: Final = sorted(METRICS)
_NUMBER: Final = {name: number for number, name in enumerate(_NAMES)}


class _Cell(NamedTuple):
    """A value of a dimension."""

    dimension: str
    value: str


_WHOLE: Final = _Cell("", "")
_WHOLE_PLACE: Final = -1  # of a dimension that is none


class _Found(NamedTuple):
    """What a query told: columns value, currency, users and those of metrics, and their cells."""

    relation: Relation
    metrics: list[Metric]
    table: pa.Table
    cells: list[_Cell]


def measure(facts: Facts) -> pa.Table:
    """Every metric of a period.

    Where a cell has no rows of a metric's relation, what counts is 0, and other metrics are null;
    of money there is a row for each currency that there is.

    Returns:
        A table of `schemas.reports.FIGURES`, in file order.
    """
    found = [_found(facts, relation, metrics) for relation, metrics in _queries()]
    cells = sorted({_WHOLE, *(cell for one in found for cell in one.cells)})
    number = {cell: place for place, cell in enumerate(cells)}
    places = [np.array([number[cell] for cell in one.cells], dtype=np.int64) for one in found]
    users = {
        one.relation: _spread(one.table["users"].to_numpy(), own, len(cells), 0)
        for one, own in zip(found, places, strict=True)
        if "users" in one.table.column_names
    }
    parts = [
        _rows(one, own, users[MADE_OF[one.relation]])
        for one, own in zip(found, places, strict=True)
    ]
    rows = pa.concat_tables(parts)
    rows = rows.sort_by([(name, "ascending") for name in ("cell", "metric", "currency")])
    return pa.Table.from_arrays(
        [
            pa.array([cell.dimension for cell in cells], pa.string()).take(rows["cell"]),
            pa.array([cell.value for cell in cells], pa.string()).take(rows["cell"]),
            pa.array(_NAMES, pa.string()).take(rows["metric"]),
            rows["currency"],
            rows["figure"],
            rows["users"],
        ],
        schema=FIGURES.arrow,
    )


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


def _queries() -> Iterator[tuple[Relation, list[Metric]]]:
    """The metrics that one query can tell: those of currencies apart."""
    for relation in RELATIONS:
        own = [metric for metric in METRICS.values() if metric.relation == relation]
        for priced in (False, True):
            metrics = [metric for metric in own if metric.per_currency == priced]
            if metrics:
                yield relation, metrics


def _found(facts: Facts, relation: Relation, metrics: list[Metric]) -> _Found:
    """Some metrics of a relation, of every cell that it has rows of."""
    priced = metrics[0].per_currency
    users = ["count(DISTINCT user_id) AS users"] if relation in COUNTED and not priced else []
    columns = facts.columns
    # Each row once for the whole and once for each dimension; grouping sets are slow at users.
    query = f"""
        SELECT
            place, value, {f"coalesce(currency, '{NONE}')" if priced else "NULL"} AS currency,
            {", ".join([*users, *(_figure(metric) for metric in metrics)])}
        FROM (
            SELECT *,
                unnest({[_WHOLE_PLACE, *range(len(columns))]}) AS place,
                unnest([NULL, {", ".join(columns)}]) AS value
            FROM {relation}
            WHERE {"cost IS NOT NULL" if priced else "true"}
        )
        WHERE place = {_WHOLE_PLACE} OR value IS NOT NULL
        GROUP BY ALL
    """  # noqa: S608 - our own names
    table = facts.db.execute(query).to_arrow_table()
    names = {_WHOLE_PLACE: _WHOLE.dimension, **dict(enumerate(facts.dimensions))}
    places, values = table["place"].to_pylist(), table["value"].to_pylist()
    cells = [_Cell(names[place], value or "") for place, value in zip(places, values, strict=True)]
    return _Found(relation, metrics, table, cells)


def _figure(metric: Metric) -> str:
    return f"({metric.sql})::DOUBLE AS {metric.name}"


def _rows(found: _Found, cells: Numbers, users: Numbers) -> pa.Table:
    """Metrics below each other; of all cells, unless they are of currencies.

    Returns:
        Columns cell and metric, by number, currency, figure, users.
    """
    metrics, table, count = found.metrics, found.table, len(users)
    figures = [table[metric.name].to_numpy() for metric in metrics]
    if metrics[0].per_currency:
        currencies = table["currency"].to_pylist()
    else:
        nothing = [0.0 if metric.counts else np.nan for metric in metrics]
        pairs = zip(figures, nothing, strict=True)
        figures = [_spread(some, cells, count, other) for some, other in pairs]
        cells, currencies = np.arange(count), [None] * count
    figure = np.concatenate(figures)
    numbers = [_NUMBER[metric.name] for metric in metrics]
    return pa.table(
        {
            "cell": np.tile(cells, len(metrics)),
            "metric": np.repeat(numbers, len(cells)),
            "currency": pa.array(currencies * len(metrics), pa.string()),
            "figure": pa.array(figure, pa.float64(), mask=np.isnan(figure)),
            "users": np.tile(users[cells], len(metrics)),
        }
    )


def _spread(some: NDArray[Any], cells: Numbers, count: int, other: float) -> NDArray[Any]:
    whole = np.full(count, other, dtype=some.dtype)
    whole[cells] = some
    return whole

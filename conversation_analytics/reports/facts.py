"""What happened in a period, as numbers: whose each row is, which values it has, what it adds.

Texts are numbered once. What is asked of many values and metrics is then arithmetic over arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.periods import Period
from conversation_analytics.reports.arrays import Numbers, Reals, Truths
from conversation_analytics.reports.database import computing
from conversation_analytics.reports.pooling import Cells
from conversation_analytics.reports.relations import (
    COUNTED,
    NONE,
    SOURCES,
    column_of,
)
from conversation_analytics.schemas.formula import Formula, terms
from conversation_analytics.schemas.metric import MADE_OF, Relation
from conversation_analytics.schemas.metrics import METRICS

LABELS: Final = pa.schema(
    [
        pa.field("dimension", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("label", pa.string()),
    ]
)
"""What a value of a dimension is shown as on a day."""


@dataclass(frozen=True)
class Term:
    """What each row adds to a figure.

    Attributes:
        amounts: of each row, 0 where null; truths where it is counted.
        valid: which are not null.
        unit: what amounts are counted in. Decimals are whole numbers here, whose sums are exact up
            to 2^53, as sums of money have to be.
    """

    amounts: Reals | Truths
    valid: Truths
    unit: float

    @property
    def values(self) -> Reals:
        """What each row adds, 0 where null."""
        return self.amounts / self.unit

    @cached_property
    def order(self) -> Numbers:
        """The rows that are not null, the smallest first."""
        rows = np.flatnonzero(self.valid)
        ordered: Numbers = rows[np.argsort(self.amounts[rows], kind="stable")]
        return ordered


@dataclass(frozen=True)
class Base:
    """The rows that a relation is made of, its own or another's, as arrays of one length.

    Attributes:
        who: whose each is: the number of a user or, after all users, of a conversation of nobody.
        day: number of its day in the period.
        values: by dimension, number of its value.
    """

    who: Numbers
    day: Numbers
    values: Mapping[str, Numbers]


@dataclass(frozen=True)
class Rows:
    """The rows of a relation.

    Attributes:
        base: what they are made of.
        place: which row of it each is made of.
        terms: by SQL, what each adds to metrics.
        currency: number of its currency, -1 if it is not about money.
    """

    base: Base
    place: Numbers | slice
    terms: Mapping[str, Term]
    currency: Numbers

    def __len__(self) -> int:
        return len(self.currency)

    @property
    def who(self) -> Numbers:
        """Whose each is, as `Base.who`."""
        return self.base.who[self.place]

    def by_currency(self, formula: Formula) -> dict[int, Truths]:
        """By number of each currency, the rows that have an amount of it."""
        paid = self.terms[terms(formula)[0]].valid
        return {
            currency: paid & (self.currency == currency)
            for currency in np.unique(self.currency[paid]).tolist()
        }


@dataclass(frozen=True)
class Shown:
    """What the values of a dimension are shown as.

    Attributes:
        names: the labels there are, in order.
        numbers: values × days, number of the label; -1 where there is none.
    """

    names: list[str]
    numbers: Numbers


@dataclass(frozen=True)
class Facts:
    """What happened in a period.

    Attributes:
        period: the period.
        dimensions: by which its rows can be told apart.
        users: the users there are.
        nobodies: the conversations of nobody.
        currencies: names of the currencies there are, in order.
        values: by dimension, the values there are, in order.
        shown: by dimension, what its values are shown as: themselves at first.
        relations: the rows of each relation.
    """

    period: Period
    dimensions: tuple[str, ...]
    users: pa.Array
    nobodies: pa.Array
    currencies: list[str]
    values: Mapping[str, list[str]]
    shown: Mapping[str, Shown]
    relations: Mapping[Relation, Rows]

    def groups(self, relation: Relation, dimension: str) -> Numbers:
        """The number of the label of each row of a relation, -1 where there is none."""
        rows = self.relations[relation]
        label = self.shown[dimension].numbers[rows.base.values[dimension], rows.base.day]
        found: Numbers = label[rows.place]
        return found

    def cells(self) -> dict[str, Cells]:
        """By dimension, who has which of its values when, by the values of the source."""
        rows = [self.relations[relation].base for relation in COUNTED]
        day = np.concatenate([one.day for one in rows])
        relation = np.repeat(np.arange(len(rows)), [len(one.day) for one in rows])
        # Whoever is not known counts as one.
        user = np.minimum(np.concatenate([one.who for one in rows]), len(self.users))
        return {
            name: Cells(
                self.values[name],
                self.period.days,
                np.concatenate([one.values[name] for one in rows]),
                day,
                relation,
                user,
            )
            for name in self.dimensions
        }

    def labelled(self, labels: pa.Table) -> Facts:
        """The same with labels in place of values.

        A value that the labels leave out, or whose label is null, counts in the whole of the period
        and nowhere else.

        Args:
            labels: a table of `LABELS`, no value twice on a day.
        """
        own = {name: labels.filter(pc.equal(labels["dimension"], name)) for name in self.dimensions}
        return replace(self, shown={name: self._shown(name, some) for name, some in own.items()})

    def _shown(self, dimension: str, labels: pa.Table) -> Shown:
        names = sorted(pc.unique(labels["label"].drop_null()).to_pylist())
        days = pa.array(self.period.days, pa.date32())
        value, day, label = (
            pc.fill_null(pc.index_in(labels[column], known), -1).to_numpy()
            for column, known in (
                ("value", pa.array(self.values[dimension], pa.string())),
                ("day", days),
                ("label", pa.array(names, pa.string())),
            )
        )
        there = (value >= 0) & (day >= 0)
        numbers = np.full((len(self.values[dimension]), len(days)), -1)
        numbers[value[there], day[there]] = label[there]
        return Shown(names, numbers)


def facts_of(period: Period, dimensions: Sequence[str], counted: dict[Relation, pa.Table]) -> Facts:
    """What happened in a period.

    Args:
        period: what is reported.
        dimensions: by which rows can be told apart.
        counted: as `relations_of`.
    """
    with computing(**counted) as db:
        told = {relation: _told(db, relation) for relation in MADE_OF}
    users, nobodies, who = _who(counted)
    values, value = {}, {}
    for name in dimensions:
        column = column_of(name, dimensions)
        values[name], value[name] = _numbered(
            {relation: table[column] for relation, table in counted.items()}
        )
    currencies, currency = _numbered(
        {relation: table["currency"] for relation, table in told.items()}
    )
    bases = {
        relation: Base(
            who[relation],
            _days(table["day"], period),
            {name: some[relation] for name, some in value.items()},
        )
        for relation, table in counted.items()
    }
    relations = {
        relation: Rows(
            bases[MADE_OF[relation]],
            slice(None) if relation in COUNTED else table["place"].to_numpy(),
            {sql: _term(table[f"t{n}"]) for n, sql in enumerate(_terms(relation))},
            currency[relation],
        )
        for relation, table in told.items()
    }
    shown = {
        name: Shown(some, np.repeat(np.arange(len(some))[:, None], len(period.days), axis=1))
        for name, some in values.items()
    }
    return Facts(period, tuple(dimensions), users, nobodies, currencies, values, shown, relations)


def _numbered(
    columns: Mapping[Relation, pa.ChunkedArray],
) -> tuple[list[str], dict[Relation, Numbers]]:
    """The texts there are in columns, in order, and the number of each row's, -1 where null."""
    encoded = _joined(columns.values()).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.full(len(order) + 1, -1)  # the last is that of null
    rank[order] = np.arange(len(order))
    return [names[n] for n in order], _split(rank[_places(encoded)], columns)


def _terms(relation: Relation) -> list[str]:
    """What metrics need of each row of a relation, in SQL."""
    found = (terms(metric.formula) for metric in METRICS.values() if metric.relation == relation)
    return list(dict.fromkeys(sql for some in found for sql in some))


def _told(db: duckdb.DuckDBPyConnection, relation: Relation) -> pa.Table:
    """The terms of each row of a relation, its place, and its currency."""
    columns = ", ".join(f"({sql}) AS t{n}" for n, sql in enumerate(_terms(relation)))
    money = any(
        METRICS[name].per_currency for name in METRICS if METRICS[name].relation == relation
    )
    currency = f"coalesce(currency, '{NONE}')" if money else "NULL::VARCHAR"
    source = SOURCES[relation]
    query = f"SELECT place, {currency} AS currency, {columns} FROM {source}"  # noqa: S608
    return db.execute(query).to_arrow_table()


def _term(column: pa.ChunkedArray) -> Term:
    array = column.combine_chunks()
    if array.null_count:
        valid = array.is_valid().to_numpy(zero_copy_only=False)
    else:
        valid = np.ones(len(array), dtype=bool)
    if pa.types.is_boolean(array.type):
        truths = pc.fill_null(array, fill_value=False).to_numpy(zero_copy_only=False)
        return Term(truths, valid, 1)
    amounts = pc.fill_null(array.cast(pa.float64()), 0).to_numpy()
    if not pa.types.is_decimal(array.type):
        return Term(amounts, valid, 1)
    unit = 10.0**array.type.scale
    return Term(np.rint(amounts * unit), valid, unit)


def _who(
    tables: Mapping[Relation, pa.Table],
) -> tuple[pa.Array, pa.Array, dict[Relation, Numbers]]:
    """The users there are, the conversations of nobody, and whose each row of tables is."""
    encoded = _joined(table["user_id"] for table in tables.values()).dictionary_encode()
    who = _places(encoded)
    nobody = np.flatnonzero(who < 0)
    conversations = _joined(table["conversation_id"] for table in tables.values())
    of_nobody = conversations.take(pa.array(nobody)).dictionary_encode()
    who[nobody] = len(encoded.dictionary) + _places(of_nobody)
    return encoded.dictionary, of_nobody.dictionary, _split(who, tables)


def _joined(columns: Iterable[pa.ChunkedArray]) -> pa.Array:
    chunks = [chunk for column in columns for chunk in column.chunks]
    return pa.chunked_array(chunks, pa.string()).combine_chunks()


def _places(encoded: pa.DictionaryArray) -> Numbers:
    """Of each row the place of its text in the dictionary; -1 where null."""
    found: Numbers = pc.fill_null(encoded.indices, -1).to_numpy().astype(np.int64)
    return found


def _split(
    joined: Numbers, parts: Mapping[Relation, pa.Table | pa.ChunkedArray]
) -> dict[Relation, Numbers]:
    """The parts that something was joined of."""
    ends = np.cumsum([len(part) for part in parts.values()])
    return dict(zip(parts, np.split(joined, ends[:-1]), strict=True))


def _days(column: pa.ChunkedArray, period: Period) -> Numbers:
    """The number of each day in a period."""
    found: Numbers = (column.to_numpy() - np.datetime64(period.first, "D")).astype(np.int64)
    return found

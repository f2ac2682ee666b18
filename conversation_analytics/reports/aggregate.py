"""What formulas come to in groups of rows."""

from __future__ import annotations

import numpy as np

from conversation_analytics.reports.arrays import Numbers, Reals, Truths, distinct
from conversation_analytics.reports.facts import Rows
from conversation_analytics.schemas.formula import (
    Count,
    Formula,
    Mean,
    Quantile,
    Ratio,
    Sum,
    Users,
)


class Groups:
    """Rows of a relation in groups; what several formulas need is computed once.

    Groups may overlap: a row is in at most one of each kind, and the groups of all kinds are
    numbered together.

    Args:
        rows: the rows.
        groups: kinds × rows, number of the group; -1 where a row is in none.
        count: how many groups there are.
        users: how many users there are, who come first among whom rows are of.
    """

    def __init__(self, rows: Rows, groups: Numbers, count: int, users: int) -> None:
        self._rows = rows
        self._groups = groups
        self._count = count
        self._users = users
        flat = groups.ravel()
        there = np.flatnonzero(flat >= 0)
        self._group, self._row = flat[there], there % max(groups.shape[1], 1)
        self._sums: dict[str, Reals] = {}
        self._in_order: dict[str, tuple[Reals, Numbers]] = {}

    def of(self, formula: Formula) -> Reals:
        """What a formula comes to in each group; nan where nothing is measured."""
        match formula:
            case Count():
                return self._sum(formula.term)
            case Sum():
                found = self._sum(formula.term)
                there = formula.counts or self._number(self._rows.terms[formula.term].valid) > 0
                total: Reals = np.where(there, found, np.nan)
                return total
            case Ratio() | Mean():
                top, bottom = self._sum(formula.top.term), self._sum(formula.bottom.term)
                found = np.full(self._count, np.nan)
                np.divide(top, bottom, out=found, where=bottom != 0)
                return found
            case Users():
                return self.users(self._rows.terms[formula.which].amounts > 0).astype(np.float64)
            case Quantile():
                return self._quantile(formula.of, formula.percent / 100)

    def users(self, which: Truths | None = None) -> Numbers:
        """How many distinct users some rows have in each group."""
        who = self._rows.who
        own = who < self._users
        there = (own if which is None else own & which)[self._row]
        pairs = self._group[there] * self._users + who[self._row[there]]
        some = distinct(pairs, self._count * self._users)
        return np.bincount(some // max(self._users, 1), minlength=self._count)

    def there(self) -> Truths:
        """Which groups have rows."""
        found: Truths = np.bincount(self._group, minlength=self._count) > 0
        return found

    def _number(self, which: Truths) -> Reals:
        """How many of some rows are in each group."""
        found = np.bincount(self._group, which[self._row], self._count)
        return found.astype(np.float64, copy=False)

    def _sum(self, sql: str) -> Reals:
        if sql not in self._sums:
            term = self._rows.terms[sql]
            sums = np.bincount(self._group, term.amounts[self._row], self._count)
            self._sums[sql] = sums / term.unit
        return self._sums[sql]

    def _quantile(self, sql: str, share: float) -> Reals:
        values, ends = self._ordered(sql)
        sizes = np.diff(ends)
        place = ends[:-1] + np.maximum(sizes - 1, 0) * share
        low = np.floor(place).astype(np.int64)
        found = np.full(self._count, np.nan)
        some = sizes > 0
        low, part = low[some], (place - low)[some]
        high = np.minimum(low + 1, ends[1:][some] - 1)
        found[some] = values[low] + (values[high] - values[low]) * part
        return found

    def _ordered(self, sql: str) -> tuple[Reals, Numbers]:
        """The amounts of a term in order within each group, and where each group ends."""
        if sql not in self._in_order:
            term = self._rows.terms[sql]
            groups = self._groups[:, term.order]
            group = groups.ravel()
            values = np.broadcast_to(term.values[term.order], groups.shape).ravel()
            # numpy sorts small integers by their digits, which takes no comparisons.
            small = group.astype(np.int16) if self._count < 2**15 else group
            order = np.argsort(small, kind="stable")
            ends = np.searchsorted(group[order], np.arange(self._count + 1))
            self._in_order[sql] = values[order], ends
        return self._in_order[sql]

"""Values of a dimension that few users have on a day: shown together, in every grain alike.

A *cell* is a value on a day; it is *safe* if in each relation it has no user or at least k. The
whole of a period is published whatever it is, so a *whole day* may have fewer.

- Daily: unsafe cells are hidden in a pool, `OTHER`. While the pool is not safe the smallest cell
  that is left joins it. Where all have joined, the day has no breakdown (label null).
- Weekly and monthly: weeks and months are unions of *fragments*, the days of a week within a
  month. The hidden cells of a value within a fragment make a *row*; a row is shown as the value's
  if that is safe as told below, else it is of the fragment's *rest*, which is `OTHER` (null where
  it is not safe, which is so only if it is made of whole days).

**Why no subtraction tells of fewer than k users.** All that is published of all grains are sums of
four kinds of sets: visible cells, the pools of days, the rows shown, and the rests of fragments. No
cell is in sets of two fragments, so look at one fragment. Visible cells are safe and in no other
set. Hidden cells are the edges of a bipartite graph: one vertex for each row (all of the rest are
one vertex), one for each day, and an edge where there are users. A linear combination of the sums
of rows and days tells a set X of cells if it counts each cell of X once and no other, that is, if
numbers a of rows and b of days have a + b = 1 on X and 0 elsewhere. Then a and −b are levels, the
level of a row is never below that of a day it meets, and X is a disjoint union of cuts: for some
level, the cells that rows R at or above it have on days other than those D at or above it, and R
holds every row that meets D. Such a cut is what R has less what all have on D. It contains the one
with the smallest R, which is every row that meets D, and if that is empty of users it contains a
whole row. So it is enough that each row is safe, and that for each of the at most 127 sets D of
days what the rows that meet D have on other days is safe, or made of whole days, which are
published anyway. While some is not, the smallest row that helps goes to the rest; when all are
there, only pools are left, and these are safe or whole days. (That linear invariants of a table
with hidden cells are cuts of this graph: Gusfield 1988, SIAM J. Comput. 17:552; Kao,
arXiv:cs/0101032.)

What this does not hide: that two dimensions nearly say the same (each is looked at by itself), what
changes between two versions of a report, how many users are in two sets that are both shown, or
a small numerator among k or more users.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa

from conversation_analytics.periods import Grain
from conversation_analytics.reports.arrays import Numbers, Truths, distinct

OTHER: Final = "(other)"
"""The label of values that are shown together."""

POOLED: Final = pa.schema(
    [
        pa.field("dimension", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("daily_label", pa.string()),
        pa.field("wider_label", pa.string()),
    ]
)


@dataclass(frozen=True)
class Cells:
    """Who has which value of a dimension when: parallel columns, any number of rows alike.

    Attributes:
        values: the values there are, in order.
        days: the days there are, in order. Those that are left out are left out of the decision, so
            a week or month must be there as a whole.
        value: number of each row's value.
        day: number of its day.
        relation: number of the relation in which it is counted.
        user: number of its user; all who are not known are one.
    """

    values: Sequence[str]
    days: Sequence[date]
    value: Numbers
    day: Numbers
    relation: Numbers
    user: Numbers


def pool(cells: Mapping[str, Cells], k: int) -> pa.Table:
    """What each value is shown as on each day.

    Args:
        cells: by dimension, who has which value when.
        k: users below which a number is not shown; 1 hides nothing.

    Returns:
        `POOLED`: dimension, value, day, and the label in daily and in weekly and monthly reports:
        the value, `OTHER`, or null where the day is left out of the dimension. In order. A value
        that is called `OTHER` itself is added to what is pooled.
    """
    found = [_pooled(name, cells[name], k) for name in sorted(cells) if len(cells[name].value)]
    return pa.concat_tables([POOLED.empty_table(), *found])


def labels_in(pooled: pa.Table, grain: Grain) -> pa.Table:
    """What values are shown as in reports of a grain: a table of `facts.LABELS`.

    Args:
        pooled: a table of `POOLED`.
        grain: the grain.
    """
    label = "daily_label" if grain == "daily" else "wider_label"
    chosen = pooled.select(["dimension", "value", "day", label])
    return chosen.rename_columns(["dimension", "value", "day", "label"])


@dataclass(frozen=True)
class _Users:
    """Who has which value when: parallel columns without duplicates, and how many they are.

    Attributes:
        value: number of each row's value.
        day: number of its day.
        relation: number of its relation.
        user: number of its user.
        counts: values × days × relations, users.
    """

    value: Numbers
    day: Numbers
    relation: Numbers
    user: Numbers
    counts: Numbers

    def rows(self, chosen: Truths) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        return self.value[chosen], self.day[chosen], self.relation[chosen], self.user[chosen]


def _pooled(dimension: str, cells: Cells, k: int) -> pa.Table:
    users = _users(cells)
    hidden = _hidden(users, k)
    there = users.counts.any(axis=2)
    withheld = np.all(hidden | ~there, axis=0)
    named = np.array(cells.values, dtype=object)[:, None].repeat(len(cells.days), axis=1)
    daily, wider = named.copy(), named.copy()
    daily[hidden] = OTHER
    daily[hidden & withheld] = None
    for fragment in _fragments(cells.days):
        some = np.zeros_like(hidden)
        some[:, fragment] = hidden[:, fragment]
        if some.any():
            shown, label = _Fragment(users, some, fragment, k).decided()
            wider[some & ~shown[:, None]] = label
    at_value, at_day = np.nonzero(there)
    columns = [
        pa.array([dimension] * len(at_value), pa.string()),
        pa.array([cells.values[n] for n in at_value.tolist()], pa.string()),
        pa.array([cells.days[n] for n in at_day.tolist()], pa.date32()),
        pa.array(daily[at_value, at_day].tolist(), pa.string()),
        pa.array(wider[at_value, at_day].tolist(), pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=POOLED)


def _users(cells: Cells) -> _Users:
    rows = (cells.value, cells.day, cells.relation, cells.user)
    shape = (len(cells.values), len(cells.days), *(int(one.max()) + 1 for one in rows[2:]))
    keys = distinct(np.ravel_multi_index(rows, shape), int(np.prod(shape)))
    value, day, relation, user = np.unravel_index(keys, shape)
    places = np.ravel_multi_index((value, day, relation), shape[:3])
    counts = np.bincount(places, minlength=int(np.prod(shape[:3]))).reshape(shape[:3])
    return _Users(value, day, relation, user, counts)


def _safe(counts: Numbers, k: int) -> Truths:
    found: Truths = np.logical_or(counts == 0, counts >= k)
    return found


def _hidden(users: _Users, k: int) -> Truths:
    """Values × days: which cells are not shown by themselves in daily reports."""
    counts = users.counts
    hidden: Truths = np.logical_or.reduce(~_safe(counts, k), axis=2)
    _, day, relation, user = users.rows(hidden[users.value, users.day])
    _, days, relations = counts.shape
    together = np.unique(np.stack([day, relation, user]), axis=1)[:2]
    pools = np.bincount(together[0] * relations + together[1], minlength=days * relations)
    pools_safe = _safe(pools.reshape(days, relations), k)
    sizes = counts.sum(axis=2)
    for d in np.flatnonzero(hidden.any(axis=0) & ~pools_safe.all(axis=1)):
        left = np.flatnonzero((sizes[:, d] > 0) & ~hidden[:, d])
        safe = pools_safe[d]
        for v in left[np.argsort(sizes[left, d], kind="stable")]:
            if safe.all():
                break
            hidden[v, d] = True
            safe |= counts[v, d] > 0  # being safe it brings k users or none
    return hidden


def _fragments(days: Sequence[date]) -> Iterator[list[int]]:
    """The numbers of the days of each week within each month."""
    found: dict[tuple[int, int, int], list[int]] = {}
    for number, day in enumerate(days):
        found.setdefault((*day.isocalendar()[:2], day.month), []).append(number)
    yield from found.values()


class _Fragment:
    """The rows of a fragment: which of them are shown.

    Sets of days are masks: bit n stands for the fragment's nth day.
    """

    def __init__(self, users: _Users, hidden: Truths, days: list[int], k: int) -> None:
        self._k = k
        self._values = hidden.shape[0]
        self._all = (1 << len(days)) - 1
        self._rows = np.flatnonzero(hidden.any(axis=1))
        counts = users.counts[:, days]
        visible = np.any(~hidden[:, days, None] & (counts > 0), axis=0)
        value, day, relation, user = users.rows(hidden[users.value, users.day])
        row, bit = np.searchsorted(self._rows, value), 1 << np.searchsorted(days, day)
        self._relations = [
            _Relation(row[own], bit[own], user[own], len(self._rows), len(days), ~visible[:, n])
            for n, own in ((n, relation == n) for n in range(counts.shape[2]))
        ]

    def decided(self) -> tuple[Truths, str | None]:
        """Which values have a row that is shown, and the label of the rest."""
        sizes = np.sum([one.seen[:, self._all] for one in self._relations], axis=0)
        safe = [_safe(one.seen[:, self._all], self._k) for one in self._relations]
        shown: Truths = np.all(safe, axis=0)
        while len(rows := self._too_telling(shown)):
            shown[rows[np.argmin(sizes[rows])]] = False
        rest = [one.users(~shown, self._all) for one in self._relations]
        found = np.zeros(self._values, dtype=bool)
        found[self._rows[shown]] = True
        return found, OTHER if _safe(np.array(rest), self._k).all() else None

    def _too_telling(self, shown: Truths) -> Numbers:
        """Rows one of which must not be shown; none if all may be."""
        for relation in self._relations:
            if (cut := relation.unsafe_cut(shown, self._k)) is not None:
                # The rest grows by what a row brings to the cut, or becomes a part of it.
                joined = (cut & ~shown).any()
                return np.flatnonzero(shown & relation.there & (~cut if joined else cut))
        return np.array([], dtype=np.int64)


class _Relation:
    """The hidden cells of a fragment in one relation.

    Attributes:
        seen: rows × sets of days, the users that a row has on any of the days.
        there: which rows have users.
    """

    def __init__(
        self, row: Numbers, bit: Numbers, user: Numbers, rows: int, days: int, whole: Truths
    ) -> None:
        sets = np.arange(1 << days)
        width = int(user.max(initial=0)) + 1
        keys, which = np.unique(row * width + user, return_inverse=True)
        self._row, self._user = keys // width, keys % width
        self._on = np.bincount(which, weights=bit, minlength=len(keys)).astype(np.int64)
        patterns = np.bincount(self._row * len(sets) + self._on, minlength=rows * len(sets))
        self.seen: Numbers = patterns.reshape(rows, len(sets)) @ (sets[:, None] & sets != 0)
        self._days = 1 << np.arange(days)
        self._met = self.seen[:, self._days] > 0
        self.there: Truths = self._met.any(axis=1)
        self._whole = whole  # days of which every cell is hidden

    def users(self, rows: Truths, days: int) -> int:
        """How many users some rows have on some days."""
        chosen = rows[self._row] & (self._on & days != 0)
        return len(np.unique(self._user[chosen]))

    def unsafe_cut(self, shown: Truths, k: int) -> Truths | None:
        """The rows of a cut that fewer than k users are in, if there is one."""
        sets = np.arange(self.seen.shape[1])
        others = sets ^ sets[-1]
        meet = self.seen[:, others].T > 0  # sets of days that are told × rows that meet the others
        meet[-1] = ~shown  # all days: the rest by itself
        meet |= ~shown & np.any(meet & ~shown, axis=1)[:, None]
        told = np.where(meet, self.seen.T, 0)
        for days in np.flatnonzero((told.max(axis=1, initial=0) < k) & told.any(axis=1)):
            rows: Truths = meet[days]
            if self.users(rows, int(days)) < k and not self._whole_days(rows, int(days)):
                return rows
        return None

    def _whole_days(self, rows: Truths, days: int) -> bool:
        """Whether what some rows have on some days is all that there is on these days, or none."""
        on = self._days & days != 0
        touched = self._met[rows].any(axis=0) & on
        return bool((self._whole & ~self._met[~rows].any(axis=0))[touched].all())

"""Small lakes of who has which value when, what reports of them say, and what subtraction tells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from scipy.linalg import null_space
from scipy.sparse.csgraph import connected_components

from conversation_analytics.reports.pooling import OTHER, Cells, pool

RELATIONS = ("conversations", "activity")
# Two weeks with the end of a month in the first: fragments of three, four and three days.
FIRST = date(2024, 1, 29)
DAYS = [FIRST + timedelta(days=n) for n in range(10)]

Cell = tuple[str, date]
CellSet = frozenset[Cell]


@dataclass(frozen=True)
class Lake:
    """Rows of (value, day, relation, user)."""

    rows: tuple[tuple[str, date, str, str | None], ...]

    def cells(self, order: Sequence[int] | None = None) -> dict[str, Cells]:
        """What pooling decides by; rows in an order, in which some may be missing or repeated."""
        rows = self.rows if order is None else [self.rows[n] for n in order]
        values, days = (sorted({row[n] for row in rows}) for n in (0, 1))
        users = list(dict.fromkeys(row[3] for row in rows))
        numbers = [
            (values.index(value), days.index(day), RELATIONS.index(relation), users.index(user))
            for value, day, relation, user in rows
        ]
        columns = np.array(numbers, dtype=np.int64).reshape(-1, 4).T
        return {"topic": Cells(values, days, *columns)}

    def during(self, days: Iterable[date]) -> Lake:
        some = set(days)
        return Lake(tuple(row for row in self.rows if row[1] in some))

    def users(self, relation: str) -> dict[Cell, set[str | None]]:
        found: dict[Cell, set[str | None]] = defaultdict(set)
        for value, day, of, user in self.rows:
            if of == relation:
                found[value, day].add(user)
        return dict(found)


Labels = dict[Cell, tuple[str | None, str | None]]


def labels(table: pa.Table) -> Labels:
    return {
        (row["value"], row["day"]): (row["daily_label"], row["wider_label"])
        for row in table.to_pylist()
    }


def conversation(
    value: str, day: int, user: str | None, lasts: int
) -> list[tuple[str, date, str, str | None]]:
    """Of a conversation that goes on for some days, its start and the days that have messages."""
    active = DAYS[day : day + lasts]
    started = (value, DAYS[day], "conversations", user)
    return [started, *((value, on, "activity", user) for on in active)]


def random_lake(seed: int) -> Lake:
    """Few users, most on some days only, who ask of few things."""
    rng = np.random.default_rng(seed)
    people, values = int(rng.integers(6, 40)), int(rng.integers(2, 5))
    common = rng.dirichlet(np.ones(values))
    busy = rng.dirichlet(np.ones(len(DAYS)))
    rows = [
        row
        for _ in range(int(rng.integers(20, 120)))
        for row in conversation(
            f"v{rng.choice(values, p=common)}",
            int(rng.choice(len(DAYS), p=busy)),
            f"u{rng.integers(people)}",
            int(rng.choice([1, 1, 1, 2])),
        )
    ]
    return Lake(tuple(rows))


_conversations = st.builds(
    conversation,
    st.sampled_from(["v0", "v1", "v2", OTHER]),
    st.integers(0, len(DAYS) - 1),
    st.one_of(st.none(), st.integers(0, 9).map("u{}".format)),
    st.integers(1, 2),
)
lakes = st.lists(_conversations, min_size=1, max_size=60).map(
    lambda found: Lake(tuple(row for rows in found for row in rows))
)


def whole(day: date) -> list[object]:
    week = day.isocalendar()[:2]
    return [day, week, (day.year, day.month)]


def published(found: Labels) -> dict[object, CellSet]:
    """The cells that each number of all daily, weekly and monthly reports is of."""
    sets: dict[object, set[Cell]] = defaultdict(set)
    for cell, (daily, wider) in found.items():
        for period, label in zip(whole(cell[1]), (daily, wider, wider), strict=True):
            sets[period, "whole"].add(cell)
            if label is not None:
                sets[period, "value", label].add(cell)
    return {name: frozenset(cells) for name, cells in sets.items()}


def published_grain_by_grain(lake: Lake, k: int) -> dict[object, CellSet]:
    """What reports would say that pool what few users have in each period by itself."""
    sets: dict[object, set[Cell]] = defaultdict(set)
    for number in range(3):
        of_period: Callable[[date], object] = lambda day, n=number: whole(day)[n]  # noqa: E731
        for period in {of_period(day) for day in DAYS}:
            some = lake.during(day for day in DAYS if of_period(day) == period)
            if not some.rows:
                continue
            # The whole period as one day, so that the daily rule pools it.
            as_a_day = Lake(tuple((v, FIRST, of, user) for v, _, of, user in some.rows))
            shown = {
                value: label[0] for (value, _), label in labels(pool(as_a_day.cells(), k)).items()
            }
            for value, day, _, _ in some.rows:
                sets[period, "whole"].add((value, day))
                if shown[value] is not None:
                    sets[period, "value", shown[value]].add((value, day))
    return {name: frozenset(cells) for name, cells in sets.items()}


def is_small(users: dict[Cell, set[str | None]], cells: CellSet, k: int) -> bool:
    """Whether some cells have users, fewer than k, and are not just whole days."""
    there = {cell for cell in cells if cell in users}
    days = {day for _, day in there}
    if there == {cell for cell in users if cell[1] in days}:
        return False
    return 0 < len(set[str | None]().union(*(users[cell] for cell in there))) < k


def told_by_subtraction(
    sets: Iterable[CellSet], users: dict[Cell, set[str | None]], k: int, most: int = 18
) -> list[CellSet]:
    """The sets of cells with fewer than k users whose sums follow from sums of other sets.

    A set follows if the row that has 1 at its cells and 0 elsewhere is a linear combination of the
    rows of the sets, which is when it is orthogonal to their null space. Cells that are always in
    sets together can but follow together, and cells that no vector of the null space has together
    follow or not by themselves, so that all 0/1 rows of each such part can be tried. Parts of more
    than `most` are an error.
    """
    cells = sorted(users)
    rows = np.array([[cell in of for cell in cells] for of in set(sets)], dtype=float)
    columns, which = np.unique(rows, axis=1, return_inverse=True)
    null = null_space(columns)
    parts, part = connected_components(np.abs(null @ null.T) > 1e-9)
    found = []
    for number in range(parts):
        own = np.flatnonzero(part == number)
        assert len(own) <= most, f"{len(own)} kinds of cells hang together"
        tries = (np.arange(1, 2 ** len(own))[:, None] >> np.arange(len(own))) & 1
        follows = (np.abs(tries @ null[own]) < 1e-9).all(axis=1)
        for row in tries[follows]:
            chosen = np.isin(which, own[row == 1])
            told = frozenset(cells[n] for n in np.flatnonzero(chosen))
            if is_small(users, told, k):
                found.append(told)
    return found

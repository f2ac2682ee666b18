"""Who came back: of the users that were new in an earlier week, those active in this one."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.periods import Period
from conversation_analytics.reports.facts import Facts
from conversation_analytics.schemas.formula import terms
from conversation_analytics.schemas.metrics import METRICS

COHORTS: Final = 12
"""Earlier weeks whose users are looked for."""

_WROTE: Final = METRICS["active_users"]


def cohorts(period: Period) -> list[Period]:
    """The weeks before a week whose users are looked for in it, the latest first; else none."""
    found = [period] if period.grain == "weekly" else []
    for _ in range(COHORTS if found else 0):
        found.append(found[-1].previous())
    return found[1:]


def retention(facts: Facts, first_days: pa.Table, fewest: int) -> list[dict[str, Any]]:
    """How many of the users that were new in each earlier week were active in a week.

    Args:
        facts: of the week; of other periods nothing is told.
        first_days: the first day of every user, as `facts.FIRST_DAYS`.
        fewest: users that a week must have brought for its share to be told (MIN_USERS_PER_CELL).

    Returns:
        Of each earlier week that brought users, the latest first: ``cohort`` (its key),
        ``weeks_later``, ``users`` (new in it), ``active`` (of these, in this week) and ``share``;
        the last two are null of fewer users.
    """
    weeks = cohorts(facts.period)
    if not weeks:
        return []
    earliest, last = weeks[-1].first, weeks[0].last
    known = first_days.filter(_between(first_days["first_day"], earliest, last))
    came_back = pc.is_in(known["user_id"], _active(facts)).to_pylist()
    users: dict[date, int] = {}
    returned: dict[date, int] = {}
    for day, is_back in zip(known["first_day"].to_pylist(), came_back, strict=True):
        monday = day - timedelta(days=day.weekday())
        users[monday] = users.get(monday, 0) + 1
        returned[monday] = returned.get(monday, 0) + is_back
    return [
        {
            "cohort": week.key,
            "weeks_later": later,
            "users": users[week.first],
            "active": returned[week.first] if users[week.first] >= fewest else None,
            "share": (
                returned[week.first] / users[week.first] if users[week.first] >= fewest else None
            ),
        }
        for later, week in enumerate(weeks, start=1)
        if week.first in users
    ]


def _active(facts: Facts) -> pa.Array:
    """The users who wrote a message."""
    rows = facts.relations[_WROTE.relation]
    [sql] = terms(_WROTE.formula)
    who = np.unique(rows.who[rows.terms[sql].amounts > 0])
    return facts.users.take(pa.array(who[who < len(facts.users)]))


def _between(days: pa.ChunkedArray, first: date, last: date) -> pa.ChunkedArray:
    low, high = pa.scalar(first, pa.date32()), pa.scalar(last, pa.date32())
    return pc.and_(pc.greater_equal(days, low), pc.less_equal(days, high))

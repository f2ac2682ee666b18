"""Users over all days of the lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pyarrow.compute as pc

from conversation_analytics.api.dashboard.parameters import PeopleQuery, UserOrder
from conversation_analytics.api.services import Services
from conversation_analytics.schemas import USER_ANALYTICS
from conversation_analytics.storage.layout import ALL_DAYS, USER_ANALYTICS_UNIT

PAGE: Final = 25
_LOWEST_FIRST: Final[tuple[UserOrder, ...]] = ("avg_sentiment",)


@dataclass(frozen=True)
class People:
    """Some of the users.

    Attributes:
        rows: columns of `USER_ANALYTICS`.
        count: how many there are that fit.
        counted: whether users were ever counted.
    """

    rows: list[dict[str, Any]]
    count: int
    counted: bool

    @property
    def pages(self) -> int:
        """On how many pages they are; at least one."""
        return max(1, -(-self.count // PAGE))


def people(services: Services, query: PeopleQuery) -> People:
    """A page of users whose id has a text, in the order that is asked for.

    Raises:
        Problem: the lake cannot be read.
    """
    table = services.reader.table(USER_ANALYTICS_UNIT, USER_ANALYTICS.name, ALL_DAYS)
    if table is None:
        return People([], 0, counted=False)
    if query.q:
        table = table.filter(pc.match_substring(table["user_id"], query.q, ignore_case=True))
    direction = "ascending" if query.order in _LOWEST_FIRST else "descending"
    found = table.sort_by([(query.order, direction), ("user_id", "ascending")])
    rows = found.slice((query.page - 1) * PAGE, PAGE).to_pylist()
    return People(rows, len(table), counted=True)

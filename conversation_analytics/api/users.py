"""Users, those seen last first."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.api.cursors import After, user_place_of
from conversation_analytics.api.database import Database
from conversation_analytics.api.deadline import Deadline
from conversation_analytics.api.parameters import UserFilters, UsersQuery
from conversation_analytics.api.reader import LakeReader
from conversation_analytics.schemas import USER_ANALYTICS
from conversation_analytics.storage.layout import ALL_DAYS, USER_ANALYTICS_UNIT


@dataclass(frozen=True)
class UsersFound:
    """Users of a page.

    Attributes:
        rows: columns of `USER_ANALYTICS`.
        next: where to go on, null at the end.
    """

    rows: pa.Table
    next: After | None


class Users:
    """Finds users in a lake's `user_analytics`."""

    def __init__(self, reader: LakeReader, database: Database) -> None:
        self._reader = reader
        self._database = database

    def page(self, query: UsersQuery, deadline: Deadline) -> UsersFound:
        """A page of users; empty if `user_analytics` was never made.

        Raises:
            Problem: the cursor is wrong, the lake cannot be read, or it took too long.
        """
        after = user_place_of(query.cursor, query.fingerprint) if query.cursor else None
        found = self._those(query, deadline, after=after, most=query.limit + 1)
        rows = found.slice(0, query.limit)
        if found.num_rows <= query.limit:
            return UsersFound(rows, None)
        last = rows.num_rows - 1
        seen = rows["last_seen"].cast(pa.int64())[last].as_py()
        return UsersFound(rows, (seen, rows["user_id"][last].as_py()))

    def all(self, filters: UserFilters, deadline: Deadline) -> pa.Table:
        """All users that fit, those seen last first: columns of `USER_ANALYTICS`.

        Raises:
            Problem: the lake cannot be read, or it took too long.
        """
        return self._those(filters, deadline)

    def one(self, id_: str) -> pa.Table | None:
        """The row of a user; null if there is none."""
        users = self._table()
        found = users.filter(pc.equal(users["user_id"], id_))
        return found if found.num_rows else None

    def _those(
        self,
        filters: UserFilters,
        deadline: Deadline,
        *,
        after: After | None = None,
        most: int | None = None,
    ) -> pa.Table:
        conditions, values = ["true"], list[object]()
        if filters.is_new is not None:
            conditions.append("is_new = ?")
            values.append(filters.is_new)
        if filters.topic:
            topics = "CASE WHEN len(top_topics) = 0 THEN ['(none)'] ELSE top_topics END"
            conditions.append(f"list_has_any(?::VARCHAR[], {topics})")
            values.append(filters.topic)
        if filters.min_conversations is not None:
            conditions.append("conversations >= ?")
            values.append(filters.min_conversations)
        if after is not None:
            conditions.append("(epoch_us(last_seen), user_id) < (?, ?)")
            values += after
        limit = "" if most is None else f"LIMIT {most:d}"
        sql = (
            f"SELECT * FROM u WHERE {' AND '.join(conditions)} "  # noqa: S608
            f"ORDER BY last_seen DESC, user_id DESC {limit}"
        )
        return self._database.query(sql, values, {"u": self._table()}, deadline)

    def _table(self) -> pa.Table:
        found = self._reader.table(USER_ANALYTICS_UNIT, USER_ANALYTICS.name, ALL_DAYS)
        return USER_ANALYTICS.empty() if found is None else found

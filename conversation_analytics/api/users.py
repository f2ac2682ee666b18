"""Users, those seen last first."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.api.cursors import After, user_place_of
from conversation_analytics.api.database import Database
from conversation_analytics.api.deadline import Deadline
from conversation_analytics.api.parameters import UsersQuery
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
        conditions, values = ["true"], list[object]()
        if query.is_new is not None:
            conditions.append("is_new = ?")
            values.append(query.is_new)
        if query.topic:
            topics = "CASE WHEN len(top_topics) = 0 THEN ['(none)'] ELSE top_topics END"
            conditions.append(f"list_has_any(?::VARCHAR[], {topics})")
            values.append(query.topic)
        if query.min_conversations is not None:
            conditions.append("conversations >= ?")
            values.append(query.min_conversations)
        if query.cursor:
            conditions.append("(epoch_us(last_seen), user_id) < (?, ?)")
            values += user_place_of(query.cursor, query.fingerprint)
        sql = (
            f"SELECT * FROM u WHERE {' AND '.join(conditions)} "  # noqa: S608
            f"ORDER BY last_seen DESC, user_id DESC LIMIT {query.limit + 1:d}"
        )
        found = self._database.query(sql, values, {"u": self._all()}, deadline)
        rows = found.slice(0, query.limit)
        if found.num_rows <= query.limit:
            return UsersFound(rows, None)
        last = rows.num_rows - 1
        seen = rows["last_seen"].cast(pa.int64())[last].as_py()
        return UsersFound(rows, (seen, rows["user_id"][last].as_py()))

    def one(self, id_: str) -> pa.Table | None:
        """The row of a user; null if there is none."""
        users = self._all()
        found = users.filter(pc.equal(users["user_id"], id_))
        return found if found.num_rows else None

    def _all(self) -> pa.Table:
        found = self._reader.table(USER_ANALYTICS_UNIT, USER_ANALYTICS.name, ALL_DAYS)
        return USER_ANALYTICS.empty() if found is None else found

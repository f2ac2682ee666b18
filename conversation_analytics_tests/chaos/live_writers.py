"""Writers that change a real source while it is followed, each row one change."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from psycopg import Connection

from conversation_analytics_tests.end_to_end.nocodb_sources import NocoDBTables

START = datetime(2024, 1, 1, tzinfo=UTC)


class Writer(Protocol):
    """Changes rows at random."""

    def step(self, *, deleting: bool) -> int:
        """Change some rows; tells how many."""
        ...


class OwnTablesWriter:
    """Changes rows of NocoDB's own tables through its API.

    Args:
        tables: the tables, filled by `own_tables`.
        seed: of the choices.
        days: how many days conversations start on.
    """

    def __init__(self, tables: NocoDBTables, seed: int, days: int) -> None:
        self._server, self._tables = tables.server, tables.tables
        self._random = random.Random(seed)
        self._days = days
        self._tickets = self._all("conversations", "Ticket")
        self._numbers = self._all("messages", "Number")

    def step(self, *, deleting: bool) -> int:
        """See `Writer`."""
        kinds: list[Callable[[], int]] = [
            self._new_messages,
            self._new_conversation,
            self._edited_messages,
            self._edited_conversation,
            self._moved_conversation,
            self._given_away,
            self._hidden,
            self._broken,
        ]
        return self._random.choice([*kinds, self._deleted] if deleting else kinds)()

    def _all(self, table: str, column: str) -> dict[int, str]:
        found: dict[int, str] = {}
        while rows := self._server.records(
            self._tables[table], limit=1000, sort="Id", where=f"(Id,gt,{max(found, default=0)})"
        ):
            found |= {row["Id"]: row[column] for row in rows}
        return found

    def _time(self) -> str:
        at = START + timedelta(seconds=self._random.randrange(self._days * 86_400))
        return f"{at:%Y-%m-%d %H:%M:%S}+00:00"

    def _message(self, ticket: str) -> dict[str, Any]:
        return {
            "Number": uuid.uuid4().hex,
            "Of ticket": ticket,
            "Who": self._random.choice(["user", "assistant", "agent"]),
            "ข้อความ": self._random.choice(["สวัสดี", "hello", "👩‍👩‍👧", "#AGENT", ""]),
            "Said at": self._time(),
            "Tokens in": self._random.randrange(100),
        }

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> list[int]:
        return self._server.insert(self._tables[table], rows)

    def _new_messages(self) -> int:
        tickets = list(self._tickets.values())
        rows = [self._message(self._random.choice(tickets)) for _ in range(5)]
        ids = self._insert("messages", rows)
        self._numbers |= dict(zip(ids, (row["Number"] for row in rows), strict=True))
        return len(rows)

    def _new_conversation(self) -> int:
        """Its messages come first, so that they are orphans for a moment."""
        ticket = uuid.uuid4().hex
        rows = [self._message(ticket) for _ in range(3)]
        ids = self._insert("messages", rows)
        self._numbers |= dict(zip(ids, (row["Number"] for row in rows), strict=True))
        opened = self._random.choice([self._time(), None])
        (id_,) = self._insert("conversations", [{"Ticket": ticket, "Opened at": opened}])
        self._tickets[id_] = ticket
        return len(rows) + 1

    def _update(self, table: str, ids: dict[int, str], count: int, **changes: Any) -> int:
        chosen = self._random.sample(sorted(ids), min(count, len(ids)))
        self._server.update(self._tables[table], [{"Id": id_, **changes} for id_ in chosen])
        return len(chosen)

    def _edited_messages(self) -> int:
        text = f"edited {self._random.random()}"
        return self._update("messages", self._numbers, 5, ข้อความ=text)

    def _edited_conversation(self) -> int:
        status = f"status {self._random.random()}"
        return self._update("conversations", self._tickets, 2, Zustand=status)

    def _moved_conversation(self) -> int:
        return self._update("conversations", self._tickets, 1, **{"Opened at": self._time()})

    def _given_away(self) -> int:
        ticket = self._random.choice([*self._tickets.values(), "nobody's"])
        return self._update("messages", self._numbers, 2, **{"Of ticket": ticket})

    def _hidden(self) -> int:
        gone = self._random.random() < 0.5
        return self._update("conversations", self._tickets, 1, Gone=gone)

    def _broken(self) -> int:
        role = self._random.choice(["robot", "user", "assistant"])
        return self._update("messages", self._numbers, 2, Who=role)

    def _deleted(self) -> int:
        table, ids = self._random.choice(
            [("messages", self._numbers), ("conversations", self._tickets)]
        )
        chosen = self._random.sample(sorted(ids), min(2, len(ids)))
        self._server.delete(self._tables[table], chosen)
        for id_ in chosen:
            del ids[id_]
        return len(chosen)


class DifyWriter:
    """Changes rows of Dify's tables in the database behind NocoDB.

    Args:
        connection: to the database.
        seed: of the choices.
        days: how many days conversations start on.
    """

    def __init__(self, connection: Connection, seed: int, days: int) -> None:
        self._connection = connection
        self._random = random.Random(seed)
        self._days = days

    def step(self, *, deleting: bool) -> int:
        """See `Writer`."""
        kinds = [self._new_messages, self._edited_messages, self._moved, self._renamed]
        return self._random.choice([*kinds, self._deleted] if deleting else kinds)()

    def _run(self, statement: str, *values: Any) -> int:
        return self._connection.execute(statement, values).rowcount

    def _seconds(self) -> int:
        return self._random.randrange(self._days * 86_400)

    def _new_messages(self) -> int:
        """Rows of one second, so that only the database knows their order."""
        columns = (
            "app_id, model_provider, model_id, conversation_id, inputs, query, message, "
            "message_tokens, message_unit_price, answer, answer_tokens, answer_unit_price, "
            "provider_response_latency, total_price, currency, status, from_source"
        )
        return self._run(
            f"INSERT INTO messages (id, {columns}, created_at, updated_at) "
            f"SELECT gen_random_uuid(), {columns}, "
            "timestamp '2024-01-01' + make_interval(secs => %s) + n * interval '1 millisecond', "
            "now() AT TIME ZONE 'utc' FROM generate_series(1, 3) n, "
            "(SELECT * FROM messages ORDER BY random() LIMIT 1) m",
            self._seconds(),
        )

    def _edited_messages(self) -> int:
        return self._run(
            "UPDATE messages SET answer = %s, updated_at = now() AT TIME ZONE 'utc' "
            "WHERE id IN (SELECT id FROM messages ORDER BY random() LIMIT 4)",
            f"edited {self._random.random()}",
        )

    def _moved(self) -> int:
        return self._run(
            "UPDATE conversations SET created_at = timestamp '2024-01-01' + "
            "make_interval(secs => %s), updated_at = now() AT TIME ZONE 'utc' "
            "WHERE id IN (SELECT id FROM conversations ORDER BY random() LIMIT 1)",
            self._seconds(),
        )

    def _renamed(self) -> int:
        return self._run(
            "UPDATE conversations SET name = %s, updated_at = now() AT TIME ZONE 'utc' "
            "WHERE id IN (SELECT id FROM conversations ORDER BY random() LIMIT 2)",
            f"renamed {self._random.random()}",
        )

    def _deleted(self) -> int:
        table = self._random.choice(["messages", "conversations"])
        chosen = f"SELECT id FROM {table} ORDER BY random() LIMIT 2"
        return self._run(f"DELETE FROM {table} WHERE id IN ({chosen})")

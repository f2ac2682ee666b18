"""The ledger beside real services: tampering is named and healed, changed columns stop a sync."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conversation_analytics.settings import load_settings
from conversation_analytics.storage.lake import open_lake
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT
from conversation_analytics.storage.mongo import connect
from conversation_analytics_tests.cli.conftest import CommandLine
from conversation_analytics_tests.services.mongo_server import Mongod
from conversation_analytics_tests.services.nocodb_server import NocoDB

pytestmark = [
    pytest.mark.services,
    # Dagster uses its own deprecated attribute when it starts resources that need others.
    pytest.mark.filterwarnings(
        "ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"
    ),
]

TEXT = "SingleLineText"
COLUMNS = {
    "conversations": {
        "conversation_id": TEXT,
        "user_id": TEXT,
        "plan": TEXT,
        "created_at": "DateTime",
    },
    "messages": {
        "message_id": TEXT,
        "conversation_id": TEXT,
        "role": TEXT,
        "content": "LongText",
        "created_at": "DateTime",
        "prompt_tokens": "Number",
    },
}


class Base:
    """Two small tables in NocoDB, whose columns and rows a test changes."""

    def __init__(self, server: NocoDB) -> None:
        self.server = server
        self.id = server.create_base("verify")
        self.tables = {
            name: server.create_table(self.id, name, columns) for name, columns in COLUMNS.items()
        }
        for day in range(1, 4):
            at = f"2024-01-0{day} 10:00:0"
            self.insert(
                "conversations", conversation_id=f"c{day}", user_id="u", created_at=f"{at}0+00:00"
            )
            for turn, role in enumerate(("user", "assistant")):
                self.insert(
                    "messages",
                    message_id=f"m{day}-{turn}",
                    conversation_id=f"c{day}",
                    role=role,
                    content="hello",
                    prompt_tokens=5,
                    created_at=f"{at}{turn}+00:00",
                )

    def insert(self, table: str, **row: Any) -> None:
        self.server.insert(self.tables[table], [row])

    def delete(self, table: str, column: str, value: str) -> None:
        (row,) = self.server.records(self.tables[table], where=f"({column},eq,{value})")
        self.server.delete(self.tables[table], [row["Id"]])

    def add_column(self, table: str, title: str) -> None:
        column = {"title": title, "column_name": title, "uidt": TEXT}
        self._send("POST", f"/api/v2/meta/tables/{self.tables[table]}/columns", column)

    def rename_column(self, table: str, title: str, new: str) -> None:
        column = self._column(table, title)
        self._send("PATCH", f"/api/v2/meta/columns/{column['id']}", {**column, "title": new})

    def retype_column(self, table: str, title: str, kind: str) -> None:
        column = self._column(table, title)
        changed = {"title": title, "column_name": column["column_name"], "uidt": kind}
        self._send("PATCH", f"/api/v2/meta/columns/{column['id']}", changed)

    def delete_column(self, table: str, title: str) -> None:
        self._send("DELETE", f"/api/v2/meta/columns/{self._column(table, title)['id']}")

    def _column(self, table: str, title: str) -> dict[str, Any]:
        found = self._send("GET", f"/api/v2/meta/tables/{self.tables[table]}")["columns"]
        column: dict[str, Any] = next(one for one in found if one["title"] == title)
        return column

    def _send(self, method: str, path: str, body: object = None) -> Any:
        answer = self.server.http.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture
def base(ca: CommandLine, nocodb: NocoDB) -> Base:
    made = Base(nocodb)
    ca.set(
        NOCODB_BASE_URL=nocodb.base_url, NOCODB_API_TOKEN=nocodb.token, NOCODB_PROJECT_ID=made.id
    )
    return made


def differences(verified: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, list[str]]]:
    """(day, store, table) → kind of difference → ids."""
    return {
        (day["day"], table["store"], table["table"]): {
            kind: table[kind] for kind in ("new", "changed", "vanished", "damaged") if table[kind]
        }
        for day in verified["days"]
        for table in day["tables"]
        if table["problem"]
        or any(table[kind] for kind in ("new", "changed", "vanished", "damaged"))
    }


def test_whatever_was_tampered_with_is_named_and_healed(
    ca: CommandLine, base: Base, mongod: Mongod, mongo_database: str
) -> None:
    ca.set(MONGODB_URI=mongod.uri, MONGODB_DATABASE=mongo_database)
    ca.json("backfill")
    assert ca.json("verify")["compared_rows"] == {"lake": 18 + 30 + 6, "mongodb": 9 + 27}

    lake = open_lake(load_settings(None))
    path = Path(lake.store.url) / lake.layout.file("messages", date(2024, 1, 1))
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0]["content"] = "never said"
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    database = connect(mongod.uri, database=mongo_database)
    documents = database["conversation_messages"]
    documents.update_one({"_id": "m2-1"}, {"$set": {"content": "never said"}})
    base.delete("messages", "message_id", "m3-0")

    found = differences(ca.json("verify", exit_code=1))
    assert found == {
        ("2024-01-01", "lake", "messages"): {"damaged": ["m1-0"]},
        ("2024-01-02", "mongodb", "conversation_messages"): {"damaged": ["m2-1"]},
        ("2024-01-03", "lake", "raw_messages"): {"vanished": ["m3-0"]},
        ("2024-01-03", "lake", "messages"): {"changed": ["m3-1"], "vanished": ["m3-0"]},
        ("2024-01-03", "lake", "message_activity"): {
            "changed": ["2024-01-03 c3 assistant  "],  # it answers nothing any more
            "vanished": ["2024-01-03 c3 user  "],
        },
        ("2024-01-03", "lake", "conversations"): {"changed": ["c3"]},
    }

    healed = ca.json("verify", "--heal")
    assert healed["left"]["differing_days"] == 0
    assert differences(ca.json("verify")) == {}
    assert {d["_id"]: d["content"] for d in documents.find()} == dict.fromkeys(
        ("m1-0", "m1-1", "m2-0", "m2-1", "m3-1"), "hello"
    )
    assert ca.json("status")["problems"] == []
    database.client.drop_database(mongo_database)
    database.client.close()


def test_a_new_column_becomes_an_attribute(ca: CommandLine, base: Base) -> None:
    ca.json("backfill")
    base.add_column("conversations", "mood")
    base.insert(
        "conversations", conversation_id="c9", mood="sunny", created_at="2024-01-03 12:00:00+00:00"
    )
    said = ca("sync", "--sweep")
    assert said.exit_code == 0, said.output
    assert "new columns: 'mood'" in said.stderr
    assert "new columns" not in ca("sync", "--sweep").stderr
    found = open_lake(load_settings(None)).read_day(CONVERSATIONS_UNIT, date(2024, 1, 3))
    assert found is not None
    attributes = {
        row["conversation_id"]: json.loads(row["attributes"])
        for row in found[1]["conversations"].to_pylist()
    }
    assert attributes["c9"]["mood"] == "sunny"
    assert ca.json("verify")["differing_days"] == 0


CHANGES: dict[str, tuple[Callable[[Base], None], str]] = {
    "renamed": (
        lambda base: base.rename_column("conversations", "user_id", "Who"),
        "column 'user_id' (read as user_id) is gone; was it renamed to 'Who'?",
    ),
    "retyped": (
        lambda base: base.retype_column("messages", "prompt_tokens", TEXT),
        "column 'prompt_tokens' (read as prompt_tokens) was of the type integer and is text",
    ),
    "deleted": (
        lambda base: base.delete_column("conversations", "plan"),
        "column 'plan' is gone",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_column_that_changed_stops_sync_before_anything_is_written(
    ca: CommandLine, base: Base, change: str
) -> None:
    do, words = CHANGES[change]
    ca.json("backfill")
    before = open_lake(load_settings(None)).store.list("")
    do(base)
    for command in (("sync",), ("sync", "--sweep"), ("backfill",)):
        refused = ca(*command)
        assert refused.exit_code == 2, refused.output
        assert words in refused.output
    assert open_lake(load_settings(None)).store.list("") == before
    (problem,) = ca.json("source", "check", exit_code=1)["changed_columns"]
    assert words in problem

    ca.json("source", "check", "--accept")
    assert ca("sync", "--sweep").exit_code == 0
    assert ca.json("verify")["differing_days"] == 0

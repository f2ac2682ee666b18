"""Exports, and the same rows in a real NocoDB: in its own tables, or in Dify's behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import yaml

from conversation_analytics.generator import GeneratorOptions, Profile, generate
from conversation_analytics_tests.services.nocodb_server import NocoDB
from conversation_analytics_tests.services.postgres_server import Postgres

# our field → (the customer's column, its NocoDB type)
CONVERSATION_COLUMNS = {
    "conversation_id": ("Ticket", "SingleLineText"),
    "user_id": ("Customer no", "SingleLineText"),
    "title": ("Betreff", "SingleLineText"),
    "channel": ("Kanal", "SingleLineText"),
    "status": ("Zustand", "SingleLineText"),
    "language": ("Sprache", "SingleLineText"),
    "created_at": ("Opened at", "DateTime"),
    "updated_at": ("Touched at", "DateTime"),
    "is_deleted": ("Gone", "Checkbox"),
}
MESSAGE_COLUMNS = {
    "message_id": ("Number", "SingleLineText"),
    "conversation_id": ("Of ticket", "SingleLineText"),
    "role": ("Who", "SingleLineText"),
    "content": ("ข้อความ", "LongText"),
    "created_at": ("Said at", "DateTime"),
    "updated_at": ("Edited at", "DateTime"),
    "model": ("Engine", "SingleLineText"),
    "prompt_tokens": ("Tokens in", "Number"),
    "completion_tokens": ("Tokens out", "Number"),
    "latency_ms": ("Took ms", "Decimal"),
    "cost": ("Price", "SingleLineText"),
    "currency": ("Money", "SingleLineText"),
    "error": ("Went wrong", "LongText"),
    "feedback_score": ("Stars", "Decimal"),
}
UNMAPPED = {"segment", "country", "plan", "client"}  # kept as attributes, under their own names


def export(folder: Path, profile: Profile, *, messages: int = 2_000, days: int = 20) -> Path:
    """Write a clean export of a profile; tells where."""
    generate(GeneratorOptions(out=folder, messages=messages, days=days, profile=profile, seed=7))
    if profile == "dify":
        change_rows(folder, "messages", _as_dify_stores_amounts)
    return folder


def read_rows(folder: Path, table: str) -> list[dict[str, Any]]:
    lines = (folder / f"{table}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def change_rows(folder: Path, table: str, change: Any) -> None:
    """Rewrite a table, each row changed in place by a function."""
    rows = read_rows(folder, table)
    for row in rows:
        change(row)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / f"{table}.jsonl").write_text(text, encoding="utf-8")


def _as_dify_stores_amounts(row: dict[str, Any]) -> None:
    """Round as Dify's columns do: numeric(10, 7) and numeric(10, 4)."""
    for name, places in (
        ("total_price", "0.0000001"),
        ("message_unit_price", "0.0001"),
        ("answer_unit_price", "0.0001"),
    ):
        amount = Decimal(row[name])
        row[name] = str(amount.quantize(Decimal(places), ROUND_HALF_UP))


@dataclass(frozen=True)
class NocoDBTables:
    """Two tables in a base.

    Attributes:
        server: The NocoDB.
        base_id: The base.
        tables: Table ids: conversations and messages.
        mapping_file: The mapping, if columns are renamed.
    """

    server: NocoDB
    base_id: str
    tables: dict[str, str]
    mapping_file: Path | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that read them."""
        return {
            "source": "nocodb",
            "nocodb_base_url": self.server.base_url,
            "nocodb_api_token": self.server.token,
            "nocodb_project_id": self.base_id,
            "nocodb_conversation_table": self.tables["conversations"],
            "nocodb_messages_table": self.tables["messages"],
            "field_mapping_file": self.mapping_file,
        }

    def row_id(self, table: str, column: str, value: str) -> int:
        """The Id of the row with a value in a column."""
        (row,) = self.server.records(self.tables[table], where=f"({column},eq,{value})")
        found: int = row["Id"]
        return found

    def change(self, table: str, column: str, value: str, **changes: Any) -> None:
        """Change the row that has a value in a column."""
        row = {"Id": self.row_id(table, column, value), **changes}
        self.server.update(self.tables[table], [row])


def own_tables(server: NocoDB, folder: Path) -> NocoDBTables:
    """A plain export in NocoDB's own tables with other column names, and the mapping beside it."""
    base = server.create_base(folder.name)
    tables = {}
    for table, columns in (("conversations", CONVERSATION_COLUMNS), ("messages", MESSAGE_COLUMNS)):
        rows = read_rows(folder, table)
        extra = sorted(UNMAPPED & rows[0].keys())
        kinds = dict(columns.values()) | dict.fromkeys(extra, "SingleLineText")
        tables[table] = server.create_table(base, f"Kunden {table}", kinds)
        renamed = [
            {columns[name][0] if name in columns else name: value for name, value in row.items()}
            for row in rows
        ]
        server.insert(tables[table], renamed)
    mapping_file = folder / "mapping.yaml"
    mapping = {
        "conversations": {name: column for name, (column, _) in CONVERSATION_COLUMNS.items()},
        "messages": {name: column for name, (column, _) in MESSAGE_COLUMNS.items()},
    }
    mapping_file.write_text(yaml.safe_dump(mapping, allow_unicode=True), encoding="utf-8")
    return NocoDBTables(server, base, tables, mapping_file)


def dify_tables(server: NocoDB, postgres: Postgres, folder: Path) -> NocoDBTables:
    """A dify export in Dify's tables of a PostgreSQL database behind NocoDB."""
    postgres.create_dify_tables()
    postgres.load_dify_export(folder)
    base = server.create_base(f"dify {postgres.database}")
    return NocoDBTables(server, base, server.connect_postgres(base, postgres))

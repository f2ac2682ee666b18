"""What NocoDB says about a base: API version, tables, columns, keys.

The names of tables and columns are settled here; reading rows is `paging`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from conversation_analytics.errors import SourceSchemaError
from conversation_analytics.sources.base import SourceTable
from conversation_analytics.sources.mapping import FieldMapping
from conversation_analytics.sources.nocodb.client import (
    BadAnswer,
    NocoDBClient,
    NotFound,
    json_object,
)

KeyType = Literal["integer", "uuid", "text"]
Kind = Literal["integer", "uuid", "text", "time", "other"]

TIMES = frozenset({"DateTime", "CreatedTime", "LastModifiedTime"})
TEXTS = frozenset({"SingleLineText", "LongText", "Email", "URL", "PhoneNumber", "SingleSelect"})
LINKS = frozenset({"Links", "LinkToAnotherRecord"})
OWN = frozenset({"CreatedTime", "LastModifiedTime", "CreatedBy", "LastModifiedBy", "Order"})
DERIVED = frozenset({"Rollup", "Lookup", "Formula", "Button", "QrCode", "Barcode", "Count"})
INTEGERS = re.compile(r"(big|small|tiny|medium)?(int(?!erval)|serial)")

SETTING: Mapping[SourceTable, str] = {
    "conversations": "NOCODB_CONVERSATION_TABLE",
    "messages": "NOCODB_MESSAGES_TABLE",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column as NocoDB describes it.

    Attributes:
        id: NocoDB's id of the column.
        title: its name in records and filters.
        kind: what its values can be compared with.
        added: whether NocoDB adds or derives it, so that it is never data.
        type: what kind of values it holds: `kind`, or if that says little, NocoDB's own word.
        made: whether NocoDB writes into it when a row was made.
    """

    id: str
    title: str
    kind: Kind
    added: bool
    type: str
    made: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table ready to be read.

    Attributes:
        name: which of our tables it feeds.
        id: NocoDB's id of the table.
        title: its name in NocoDB.
        records_path: where its records are.
        columns: columns by title, in source order; links are left out.
        added_columns: titles of columns NocoDB adds, derives or links, links included.
        key: the primary key column.
        key_type: how keys are ordered and written.
        mapped: source columns by our field, as `TableMapping.resolve` gives them.
    """

    name: SourceTable
    id: str
    title: str
    records_path: str
    columns: Mapping[str, Column]
    added_columns: frozenset[str]
    key: Column
    key_type: KeyType
    mapped: Mapping[str, tuple[str, ...]]

    def of(self, field: str) -> tuple[Column, ...]:
        """The columns a field comes from, the preferred first; none inside JSON columns."""
        return tuple(
            self.columns[alias] for alias in self.mapped.get(field, ()) if alias in self.columns
        )

    def filterable_times(self) -> tuple[str, ...]:
        """Columns of the creation time if the server can compare all of them, else none."""
        columns = self.of("created_at")
        whole = len(columns) == len(self.mapped.get("created_at", ()))
        comparable = whole and all(column.kind == "time" for column in columns)
        return tuple(column.title for column in columns) if comparable else ()

    def change_columns(self) -> tuple[str, ...]:
        """Columns that tell when a row was made or last changed, all of them comparable.

        NocoDB's own if it keeps them, because it sets them itself at each change; else the
        mapped times.
        """
        mapped = [*self.of("created_at"), *self.of("updated_at")]
        titles = [column.title for column in self._own_times() or mapped if column.kind == "time"]
        return tuple(dict.fromkeys(titles))

    def creation_columns(self) -> tuple[str, ...]:
        """Those of the change columns that tell when a row was made."""
        made = [column for column in self._own_times() if column.made]
        titles = [column.title for column in made or self.of("created_at")]
        return tuple(title for title in titles if title in self.change_columns())

    def _own_times(self) -> list[Column]:
        return [c for c in self.columns.values() if c.kind == "time" and c.added]


@dataclass(frozen=True, slots=True)
class Base:
    """A NocoDB base whose two tables are known.

    Attributes:
        api_version: ``v2``, or ``v1`` on servers without it.
        served_at: the server's clock, UTC; null when it tells none.
        conversations: the conversations table.
        messages: the messages table.
    """

    api_version: Literal["v1", "v2"]
    served_at: datetime | None
    conversations: Table
    messages: Table

    def table(self, table: SourceTable) -> Table:
        """One of the two tables."""
        return self.conversations if table == "conversations" else self.messages


def discover(
    client: NocoDBClient, *, base_id: str, names: Mapping[SourceTable, str], mapping: FieldMapping
) -> Base:
    """Find both tables by name or id and learn their columns.

    Raises:
        SourceSchemaError: base, table, key or a mapped column is not there.
        SourceError: the server cannot be asked; see `NocoDBClient.get`.
    """
    version, listed, served_at = _tables(client, base_id)

    def describe(name: SourceTable) -> Table:
        found = _pick(listed, names[name], setting=SETTING[name], base_id=base_id)
        records = (
            f"/api/v2/tables/{found['id']}/records"
            if version == "v2"
            else f"/api/v1/db/data/v1/{base_id}/{found['id']}"
        )
        return _table(name, found, records, _described(client, version, found), mapping)

    return Base(version, served_at, describe("conversations"), describe("messages"))


def column_titles(
    client: NocoDBClient, *, base_id: str, name: str, table: SourceTable
) -> tuple[str, ...]:
    """The columns of a table, whatever they are, in source order.

    Raises:
        SourceSchemaError: the base or the table is not there.
        SourceError: the server cannot be asked; see `NocoDBClient.get`.
    """
    version, listed, _ = _tables(client, base_id)
    found = _pick(listed, name, setting=SETTING[table], base_id=base_id)
    return tuple(str(meta["title"]) for meta in _described(client, version, found))


def _described(
    client: NocoDBClient, version: Literal["v1", "v2"], found: dict[str, Any]
) -> list[dict[str, Any]]:
    root = "/api/v2/meta" if version == "v2" else "/api/v1/db/meta"
    return client.get(f"{root}/tables/{found['id']}", params={}, read=_columns).parsed


def _tables(
    client: NocoDBClient, base_id: str
) -> tuple[Literal["v1", "v2"], list[dict[str, Any]], datetime | None]:
    try:
        answer = client.get(f"/api/v2/meta/bases/{base_id}/tables", params={}, read=_listed)
    except NotFound as error:
        if error.code == "ERR_BASE_NOT_FOUND":
            raise _no_base(client, base_id) from error
    else:
        return "v2", answer.parsed, answer.served_at
    try:
        answer = client.get(f"/api/v1/db/meta/projects/{base_id}/tables", params={}, read=_listed)
    except NotFound as error:
        raise _no_base(client, base_id) from error
    return "v1", answer.parsed, answer.served_at


def _no_base(client: NocoDBClient, base_id: str) -> SourceSchemaError:
    return SourceSchemaError(
        f"NocoDB at {client.location} has no base {base_id!r}: NOCODB_PROJECT_ID is the id after "
        "the workspace in the address of an open base (p…), and NOCODB_BASE_URL the server's root."
    )


def _pick(
    listed: list[dict[str, Any]], wanted: str, *, setting: str, base_id: str
) -> dict[str, Any]:
    for field in ("id", "title", "table_name"):
        found = [table for table in listed if table.get(field) == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(str(table["id"]) for table in found)
            raise SourceSchemaError(
                f"{setting}={wanted!r} names {len(found)} tables of base {base_id}: set the id of "
                f"one of them: {ids}."
            )
    titles = ", ".join(sorted(str(table.get("title")) for table in listed)) or "no tables"
    raise SourceSchemaError(
        f"{setting}={wanted!r} is no table of base {base_id}, which has: {titles}. Set it to one "
        "of these names, or to a table's id."
    )


def _table(
    name: SourceTable,
    found: dict[str, Any],
    records_path: str,
    metas: list[dict[str, Any]],
    mapping: FieldMapping,
) -> Table:
    columns = [_column(meta) for meta in metas]
    titles = {column.title: column for column in columns}
    keys = [titles[str(meta["title"])] for meta in metas if meta.get("pk")]
    title = str(found["title"])
    key = _single_key(title, keys)
    links = frozenset(str(meta["title"]) for meta in metas if meta.get("uidt") in LINKS)
    data = {name: column for name, column in titles.items() if name not in links}
    mapped = mapping.table(name).resolve(data, table=f"NocoDB table {title!r}")
    generated = {str(meta["title"]) for meta in metas if meta.get("uidt") == "ID"}
    added = {column.title for column in columns if column.added} | generated | links
    roots = {alias.partition(".")[0] for aliases in mapped.values() for alias in aliases}
    return Table(
        name=name,
        id=str(found["id"]),
        title=title,
        records_path=records_path,
        columns=data,
        added_columns=frozenset(added - (generated & roots)),
        key=key,
        key_type=_key_type(title, key),
        mapped=mapped,
    )


def _single_key(title: str, keys: list[Column]) -> Column:
    if len(keys) == 1:
        return keys[0]
    what = f"a key of {len(keys)} columns" if keys else "no primary key"
    raise SourceSchemaError(
        f"NocoDB table {title!r} has {what}, so its rows cannot be paged without losing some: give "
        "it a primary key of one integer, UUID or text column and sync the table's metadata in "
        "NocoDB, or read an export through SOURCE_DIR."
    )


def _key_type(title: str, key: Column) -> KeyType:
    if key.kind in ("integer", "uuid", "text"):
        return key.kind
    raise SourceSchemaError(
        f"NocoDB table {title!r} has the primary key {key.title!r}, which is neither an integer, "
        "a UUID nor text: give the table such a key, or read an export through SOURCE_DIR."
    )


def _column(meta: dict[str, Any]) -> Column:
    uidt = str(meta.get("uidt"))
    added = bool(meta.get("system")) or uidt in OWN or uidt in DERIVED or uidt in LINKS
    kind = _kind(uidt, meta.get("dt"))
    type_ = uidt if kind == "other" else kind
    made = uidt == "CreatedTime"
    return Column(str(meta["id"]), str(meta["title"]), kind, added, type_, made)


def _kind(uidt: str, data_type: object) -> Kind:
    stored = str(data_type or "").lower()
    if uidt in TIMES:
        return "time"
    if stored == "uuid":
        return "uuid"
    if INTEGERS.match(stored):
        return "integer"
    if uidt in TEXTS or "char" in stored or "text" in stored:
        return "text"
    return "integer" if uidt == "ID" else "other"


def _listed(body: bytes) -> list[dict[str, Any]]:
    found = json_object(body).get("list")
    if not isinstance(found, list) or not all(
        isinstance(table, dict) and "id" in table and "title" in table for table in found
    ):
        raise BadAnswer("something that is no list of tables")
    return found


def _columns(body: bytes) -> list[dict[str, Any]]:
    found = json_object(body).get("columns")
    if not isinstance(found, list) or not all(
        isinstance(column, dict) and "id" in column and "title" in column for column in found
    ):
        raise BadAnswer("something that is no description of a table")
    return found

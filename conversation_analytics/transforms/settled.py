"""What is settled before a source is read: that the lake is its own, and its columns the same.

A column that is gone, renamed, or of another type would not stop a reading: values would quietly
become nulls, or other values. So the lake remembers the columns, and a reading of a source whose
columns have changed fails before anything is claimed or written, until somebody accepts them.
New columns are kept as attributes, which is worth a word and no more.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from conversation_analytics.errors import SourceSchemaError
from conversation_analytics.settings import Settings
from conversation_analytics.sources.base import SOURCE_TABLES, SourceInfo, TableInfo
from conversation_analytics.sources.interpret import build_interpreter
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.sources.resolved import ResolvedTable
from conversation_analytics.storage.columns import (
    KnownColumns,
    KnownTable,
    read_columns,
    write_columns,
)
from conversation_analytics.storage.identity import LakeIdentity, ensure_identity
from conversation_analytics.storage.store import ObjectStore

logger = logging.getLogger(__name__)

_WHAT_TO_DO = (
    "Nothing was read. Undo that in the source, or map the field in FIELD_MAPPING_FILE; or have "
    "rows read with the columns as they are now: conversation-analytics source check --accept"
)


def settle_source(
    settings: Settings, store: ObjectStore, opened: OpenedSource, info: SourceInfo
) -> str:
    """Make sure that a lake is filled from this source, read in this way.

    Returns:
        What names the source and its mapping.

    Raises:
        LakeMismatch: the lake was filled from another source, or with another mapping.
        SourceSchemaError: columns have changed in a way that somebody must accept.
    """
    named = _settle_identity(settings, store, opened, info)
    known = read_columns(store)
    problems = _problems(known, opened, info)
    if problems:
        raise SourceSchemaError(f"{'; '.join(problems)}. {_WHAT_TO_DO}")
    present = _merged(known, opened, info)
    if present != known:
        for words in _news(known, present, info):
            logger.warning("%s", words)
        write_columns(store, present)
    return named


def accept_columns(
    settings: Settings, store: ObjectStore, opened: OpenedSource, info: SourceInfo
) -> None:
    """Let the source be read with the columns it has now.

    Raises:
        LakeMismatch: the lake was filled from another source, or with another mapping.
    """
    _settle_identity(settings, store, opened, info)
    write_columns(store, _present(opened, info))


def column_problems(store: ObjectStore, opened: OpenedSource, info: SourceInfo) -> list[str]:
    """How the columns differ from those the lake knows, each difference in words.

    Raises:
        StorageError: the lake cannot be read.
    """
    return _problems(read_columns(store), opened, info)


def _settle_identity(
    settings: Settings, store: ObjectStore, opened: OpenedSource, info: SourceInfo
) -> str:
    profile = opened.mapping.fingerprint
    ensure_identity(store, LakeIdentity.of(settings, source=info.fingerprint, profile=profile))
    return f"{info.fingerprint} {profile}"


def _present(opened: OpenedSource, info: SourceInfo) -> KnownColumns:
    """The columns there are, without those the source adds by itself and nobody mapped."""
    interpreter = build_interpreter(opened.mapping, info)
    return KnownColumns(
        tables={
            name: _described(_table_info(info, name), interpreter.table(name))
            for name in SOURCE_TABLES
        }
    )


def _table_info(info: SourceInfo, table: str) -> TableInfo:
    return info.conversations if table == "conversations" else info.messages


def _described(there: TableInfo, resolved: ResolvedTable) -> KnownTable:
    own = {name: there.types.get(name, "") for name in there.columns}
    return KnownTable(
        columns={name: type_ for name, type_ in own.items() if name not in resolved.system},
        fields={
            field: columns
            for field, columns in resolved.columns.items()
            if any(_root(column) in own for column in columns)
        },
    )


def _merged(known: KnownColumns | None, opened: OpenedSource, info: SourceInfo) -> KnownColumns:
    """The present columns, with the known ones where the present are not all there are."""
    present = _present(opened, info)
    if known is None:
        return present
    tables = {}
    for name, table in present.tables.items():
        before = KnownTable() if _table_info(info, name).complete else known.tables[name]
        tables[name] = KnownTable(
            columns={**before.columns, **table.columns}, fields={**before.fields, **table.fields}
        )
    return KnownColumns(tables=tables)


def _problems(known: KnownColumns | None, opened: OpenedSource, info: SourceInfo) -> list[str]:
    if known is None:
        return []
    present = _present(opened, info)
    return [
        f"{name} table {there.name!r} has changed since it was last read: {'; '.join(found)}; it "
        f"has now: {', '.join(present.tables[name].columns) or 'no columns'}"
        for name in SOURCE_TABLES
        if (there := _table_info(info, name)).complete
        and (found := list(_changes(known.tables[name], present.tables[name])))
    ]


def _changes(before: KnownTable, now: KnownTable) -> Iterator[str]:
    """What differs between the columns of a table, but for new ones."""
    missing = [name for name in before.columns if name not in now.columns]
    new = [name for name in now.columns if name not in before.columns]
    for name in missing:
        renamed = f"; was it renamed to {' or '.join(map(repr, new))}?" if new else ""
        yield f"its column {name!r}{_use(before, name)} is gone{renamed}"
    for name, type_ in now.columns.items():
        old = before.columns.get(name, "")
        if old and type_ and old != type_:
            yield f"its column {name!r}{_use(before, name)} was of the type {old} and is {type_}"
    for field, columns in before.fields.items():
        fed_now = now.fields.get(field, ())
        if fed_now != columns and not any(_root(column) in missing for column in columns):
            yield f"{field} was read from {' or '.join(columns)}, now from {' or '.join(fed_now)}"


def _news(known: KnownColumns | None, present: KnownColumns, info: SourceInfo) -> Iterator[str]:
    """What to say of new columns."""
    if known is None:
        return
    for name, now in present.tables.items():
        before = known.tables[name]
        new = [column for column in now.columns if column not in before.columns]
        if new:
            words = ", ".join(f"{column!r}{_use(now, column)}" for column in new)
            yield (
                f"{name} table {_table_info(info, name).name!r} has new columns: {words}; those "
                "not read as a field are kept as attributes"
            )


def _use(table: KnownTable, column: str) -> str:
    """The fields a column is read as, in brackets."""
    fields = [f for f, columns in table.fields.items() if column in map(_root, columns)]
    return f" (read as {', '.join(fields)})" if fields else ""


def _root(column: str) -> str:
    """The column that a dotted name reaches into."""
    return column.partition(".")[0]

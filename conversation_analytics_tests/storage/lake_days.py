"""Small lakes and small days of messages, ready to be committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from conversation_analytics.schemas import MESSAGE_ACTIVITY, MESSAGES, RAW_CONVERSATIONS
from conversation_analytics.storage.days import PreparedDay, prepare
from conversation_analytics.storage.encoding import ParquetOptions, row_hashes
from conversation_analytics.storage.lake import Claim, Lake
from conversation_analytics.storage.layout import MESSAGES_UNIT, RAW, UNITS, Day, Layout
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.storage.store import LocalStore, ObjectStore

DAY = date(2024, 1, 31)
NEXT_DAY = date(2024, 2, 1)
NOON = datetime(2024, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
OPTIONS = ParquetOptions("zstd", 131_072, 1_048_576, None, None)

PartitionBy = Literal["year,month,day", "date"]


def make_lake(
    store: ObjectStore | Path, partition_by: PartitionBy = "year,month,day", **options: Any
) -> Lake:
    store = LocalStore(store) if isinstance(store, Path) else store
    return Lake(store, Layout(partition_by), replace(OPTIONS, **options), io_threads=2)


def messages(contents: Mapping[str, str] | Sequence[str], **values: Any) -> pa.Table:
    """Messages by id and content; the other columns are the same in all unless given."""
    if not isinstance(contents, Mapping):
        contents = {f"m{n:05d}": content for n, content in enumerate(contents)}
    common = {
        "conversation_id": "c1",
        "role": "user",
        "created_at": NOON,
        "turn_index": 0,
        "escalated": False,
        "attributes": "{}",
        "content_hash": "",
        **values,
    }
    rows = [{**common, "message_id": i, "content": c} for i, c in contents.items()]
    return with_hashes(pa.Table.from_pylist(rows, schema=MESSAGES.arrow))


def with_hashes(table: pa.Table) -> pa.Table:
    """The messages with their content hashes."""
    place = MESSAGES.names.index("content_hash")
    hashes = pa.array(row_hashes(table, MESSAGES), pa.string())
    return table.set_column(place, MESSAGES.arrow.field(place), hashes)


def raw_tables(ids: Sequence[str] = ()) -> dict[str, pa.Table]:
    """The raw tables of a day with a conversation of each id and no messages."""
    tables = {schema.name: schema.empty() for schema in RAW.tables}
    rows = [
        {
            "conversation_id": i,
            "started_at": NOON,
            "disposition": "represented",
            "row_hash": i,
            "payload": "{}",
        }
        for i in ids
    ]
    tables[RAW_CONVERSATIONS.name] = pa.Table.from_pylist(rows, schema=RAW_CONVERSATIONS.arrow)
    return tables


def prepared(lake: Lake, claim: Claim, tables: Mapping[str, pa.Table], **more: Any) -> PreparedDay:
    """A day of some tables of a unit; the others are empty."""
    others = {schema.name: schema.empty() for schema in UNITS[claim.unit].tables}
    return prepare(claim, {**others, **tables}, lake.options, **more)


def commit_messages(
    lake: Lake, contents: Mapping[str, str] | Sequence[str], day: Day = DAY, **more: Any
) -> Manifest:
    claim = lake.claim_day(MESSAGES_UNIT, day)
    return lake.commit_day(prepared(lake, claim, {"messages": messages(contents)}, **more).commit)


def commit_raw(lake: Lake, ids: Sequence[str], day: date = DAY, *, minute: int = 0) -> Manifest:
    """Commit a raw day that lists `ids`, read at a minute of the day."""
    tables = raw_tables(ids)
    claim = lake.claim_day(RAW, day)
    mark = NOON + timedelta(minutes=minute)
    ready = prepared(
        lake, claim, tables, indexed=pa.array(ids, pa.string()), change_mark=mark, run_id="r"
    )
    return lake.commit_day(ready.commit)


def read_messages(lake: Lake, day: Day = DAY) -> dict[str, str]:
    """Content by id of a committed day."""
    found = lake.read_day(MESSAGES_UNIT, day)
    assert found is not None
    table = found[1]["messages"]
    return dict(zip(*(table[c].to_pylist() for c in ("message_id", "content")), strict=True))


def parquet_keys(lake: Lake) -> list[str]:
    """The files of the lake, but those of `message_activity`, which come along with messages."""
    keys = (key for key in lake.store.list("") if key.endswith(".parquet") and key[0] != "_")
    return [key for key in keys if MESSAGE_ACTIVITY.name not in key]

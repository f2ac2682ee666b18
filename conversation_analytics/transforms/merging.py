"""Raw days made of what the lake has of them and of the rows that changed.

A merge is a shortcut that is taken only where it provably ends as a re-reading would: every day
has tokens that name the changed rows, was read the way rows are read now, and has no rows of
which the lake keeps one for many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import date
from typing import NamedTuple

from conversation_analytics.schemas import QUARANTINE, RAW_CONVERSATIONS, RAW_MESSAGES
from conversation_analytics.sources.base import SOURCE_TABLES, Page, SourceTable
from conversation_analytics.sources.interpret import Interpreter
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import RAW
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.storage.pending import Token

_OF: dict[str, SourceTable] = {
    RAW_CONVERSATIONS.name: "conversations",
    RAW_MESSAGES.name: "messages",
}


def can_be_merged(
    days: Sequence[date],
    manifests: Mapping[date, Manifest],
    tokens: Mapping[date, Sequence[Token]],
    interpreter: Interpreter,
) -> bool:
    """Whether some days can be made of the lake's rows and of those that tokens name.

    Args:
        days: the days.
        manifests: their raw manifests.
        tokens: their tokens.
        interpreter: how rows are read now.
    """
    now = interpreter.model_dump(mode="json")
    return all(
        day in manifests
        and tokens.get(day)
        and all(token.seen is not None for token in tokens[day])
        and manifests[day].interpreter == now
        and not manifests[day].counts.get("identical_duplicates")
        for day in days
    )


def recorded_pages(lake: Lake, days: Iterable[date]) -> Iterator[Page]:
    """The source rows that the lake has of some days, as pages of the source."""
    columns = {name: ["payload"] for name in _OF}
    columns[QUARANTINE.name] = ["source_table", "payload"]
    for day in days:
        read = lake.read_day(RAW, day, columns)
        if read is None:
            continue
        for name, table in _OF.items():
            yield _page(table, read[1][name]["payload"].to_pylist())
        for table in SOURCE_TABLES:
            rows = read[1][QUARANTINE.name].to_pylist()
            yield _page(table, [row["payload"] for row in rows if row["source_table"] == table])


class Changed(NamedTuple):
    """Rows of a source table that changed, by primary key.

    Attributes:
        seen: rows as the source had them.
        unseen: keys of rows to ask for.
    """

    seen: Mapping[str, str]
    unseen: Set[str]

    @property
    def keys(self) -> Set[str]:
        """All their keys."""
        return self.seen.keys() | self.unseen

    def page(self, table: SourceTable) -> Page:
        """The rows seen, as a page of the source."""
        return _page(table, list(self.seen.values()))


def changed_rows(tokens: Iterable[Token]) -> dict[SourceTable, Changed]:
    """The rows that tokens name, by table.

    Where tokens differ on a row, only the source tells which version is the newest.
    """
    versions: dict[SourceTable, dict[str, set[str | None]]] = {name: {} for name in SOURCE_TABLES}
    for token in tokens:
        for table, found in versions.items():
            for key, row in (token.seen or {}).get(table, {}).items():
                found.setdefault(key, set()).add(row)
    changed = {}
    for table, found in versions.items():
        only = {key: next(iter(rows)) for key, rows in found.items() if len(rows) == 1}
        seen = {key: row for key, row in only.items() if row is not None}
        changed[table] = Changed(seen, found.keys() - seen.keys())
    return changed


def _page(table: SourceTable, rows: Sequence[str]) -> Page:
    return Page(table, 0, b'{"list":[' + ",".join(rows).encode() + b"]}", "nocodb")

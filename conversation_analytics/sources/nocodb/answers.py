"""What the records endpoint answers: rows and their keys, or something that cannot be right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import lt
from typing import Any

import orjson

from conversation_analytics.errors import SourceSchemaError
from conversation_analytics.sources.decode import parsed
from conversation_analytics.sources.nocodb.client import BadAnswer
from conversation_analytics.sources.nocodb.schema import Table

Key = int | str
Row = dict[str, Any]

EXACT_INTEGER = 2**53  # beyond it NocoDB, a JavaScript program, rounds

_DIGITS = re.compile(r"-?[0-9]+")


@dataclass(frozen=True, slots=True)
class Rows:
    """One answer of the records endpoint.

    Attributes:
        body: the answer as it came, or re-encoded if rows were taken out.
        rows: the rows decoded.
        keys: their primary keys.
        page_size: the most rows the server was willing to give.
        last: whether the server says that nothing follows; a guess while others write.
        total: how many rows match; null if it does not say.
        served_at: the server's clock.
    """

    body: bytes
    rows: list[Row]
    keys: list[Key]
    page_size: int
    last: bool
    total: int | None
    served_at: datetime | None

    @property
    def nothing_follows(self) -> bool:
        """Whether this is the end: short of a full page, and the server agrees."""
        return not self.rows or (self.last and len(self.rows) < self.page_size)

    def without(self, seen: set[Key]) -> Rows:
        """The same answer without rows whose key has been seen."""
        kept = [index for index, key in enumerate(self.keys) if key not in seen]
        if len(kept) == len(self.keys):
            return self
        rows = [self.rows[index] for index in kept]
        keys = [self.keys[index] for index in kept]
        return replace(self, body=_encode(rows), rows=rows, keys=keys)


def reader(
    table: Table, *, limit: int, ordered_by_key: bool, after: Key | None, bound: Key | None
) -> Callable[[bytes], tuple[list[Row], list[Key], dict[str, Any]]]:
    """What makes sense of a records answer, and has one asked for again that cannot be right."""
    parse = _integers if table.key_type == "integer" else _texts
    title = table.key.title

    def read(body: bytes) -> tuple[list[Row], list[Key], dict[str, Any]]:
        rows, info = _decode(body)
        if len(rows) > limit:
            raise BadAnswer(f"{len(rows)} rows where {limit} were asked for")
        if limit == 1 and told(info) not in (None, len(rows)):  # no smaller page to ask for
            raise BadAnswer(f"{len(rows)} rows where its own count makes it {told(info)}")
        try:
            keys = parse([row[title] for row in rows], table)
        except (KeyError, TypeError) as error:
            raise BadAnswer(f"rows without the key {title!r}") from error
        if len(set(keys)) < len(keys):
            raise BadAnswer("the same row twice on a page")
        if ordered_by_key:
            _check_order(keys, after=after, bound=bound, comparable=table.key_type != "text")
        return rows, keys, info

    return read


def told(info: dict[str, Any]) -> int | None:
    """How many rows a page has by its own count: all that match, up to its size."""
    total, size = info.get("totalRows"), info.get("pageSize")
    return min(total, size) if isinstance(total, int) and isinstance(size, int) else None


def _decode(body: bytes) -> tuple[list[Row], dict[str, Any]]:
    try:
        found = parsed(body)
    except ValueError as error:
        raise BadAnswer(f"something that is not whole JSON ({error})") from error
    rows = found.get("list") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise BadAnswer("JSON without a list of rows")
    info = found.get("pageInfo")
    return rows, info if isinstance(info, dict) else {}


def _encode(rows: list[Row]) -> bytes:
    try:
        return orjson.dumps({"list": rows})
    except TypeError:  # half a surrogate pair
        return json.dumps({"list": rows}).encode()


def _check_order(
    keys: Sequence[Key], *, after: Key | None, bound: Key | None, comparable: bool
) -> None:
    """Make sure that keys go up; text keys follow the database's own collation."""
    if not comparable:
        if after in keys:
            raise BadAnswer("rows of the page before")
        return
    chain: list[Any] = [*([] if after is None else [after]), *keys]
    if not all(map(lt, chain, chain[1:])):
        raise BadAnswer("rows whose keys do not go up")
    if bound is not None and keys and chain[-1] > bound:
        raise BadAnswer("rows behind the bound that was asked for")


def _integers(values: list[Any], table: Table) -> list[Key]:
    if set(map(type, values)) == {int} and max(values) < EXACT_INTEGER > -min(values):
        return values
    return [_integer(value, table) for value in values]


def _texts(values: list[Any], table: Table) -> list[Key]:
    return [_text(value, table) for value in values]


def _integer(value: Any, table: Table) -> int:
    key = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
    if not isinstance(key, int) or isinstance(key, bool):
        raise TypeError
    if abs(key) >= EXACT_INTEGER:
        raise SourceSchemaError(
            f"NocoDB table {table.title!r} has the key {key}, and NocoDB rounds integers from "
            f"{EXACT_INTEGER} on, so its rows cannot be told apart: read an export through "
            "SOURCE_DIR."
        )
    return key


def _text(value: Any, table: Table) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value.lower() if table.key_type == "uuid" else value

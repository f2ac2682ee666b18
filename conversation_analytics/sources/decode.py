"""Pages of bytes as rows, each either a JSON object or a row that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate, repeat
from operator import sub
from typing import Any, NamedTuple

import orjson

from conversation_analytics.sources.base import Page
from conversation_analytics.sources.values import Unusable, shown

MAX_ROW_BYTES = 8 * 1024 * 1024

Row = dict[str, Any]


class Decoded(NamedTuple):
    """One source row.

    Attributes:
        row: its columns; empty if they cannot be read.
        payload: the row as JSON with sorted keys, or its text with unreadable bytes escaped.
        problem: why it cannot be used, null if it can so far.
    """

    row: Row
    payload: bytes
    problem: Unusable | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """UTF-8 texts one after another in one piece of memory: making an object of each costs more.

    Attributes:
        data: all of them.
        bounds: where each begins, and the end.
    """

    data: bytes
    bounds: Sequence[int]

    @classmethod
    def of(cls, texts: Iterable[bytes]) -> Texts:
        """Texts that are made one by one."""
        buffer = BytesIO()
        bounds = list(accumulate(map(buffer.write, texts), initial=0))
        return cls(buffer.getvalue(), bounds)

    def __getitem__(self, place: int) -> bytes:
        return self.data[self.bounds[place] : self.bounds[place + 1]]

    @property
    def longest(self) -> int:
        """The most bytes that one has; there must be one."""
        sizes: Iterable[int] = map(sub, self.bounds[1:], self.bounds)
        return max(sizes)


@dataclass(frozen=True, slots=True)
class DecodedPage:
    """The rows of a page: what `Decoded` says of one, a list each, and a few problems by place."""

    rows: Sequence[Row]
    payloads: Texts
    problems: Mapping[int, Unusable]

    @classmethod
    def of(cls, decoded: Iterable[Decoded]) -> DecodedPage:
        """Rows decoded one by one."""
        found = list(decoded)
        problems = {place: one.problem for place, one in enumerate(found) if one.problem}
        return cls([one.row for one in found], Texts.of(one.payload for one in found), problems)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> Decoded:
        return Decoded(self.rows[place], self.payloads[place], self.problems.get(place))

    def __iter__(self) -> Iterator[Decoded]:
        return map(self.__getitem__, range(len(self)))


def decode(page: Page) -> DecodedPage:
    """The rows of a page, in order; blank lines are no rows."""
    if page.encoding == "nocodb":
        return _from_objects(parsed(page.body)["list"] if page.rows is None else page.rows)
    lines = [line for line in page.body.split(b"\n") if line.strip()]
    try:
        return _from_objects([orjson.loads(line) for line in lines])
    except orjson.JSONDecodeError:
        return DecodedPage.of(map(_decode_line, lines))


def parsed(body: bytes) -> Any:
    """JSON in which a text may hold half of a surrogate pair, and a number be none: a null.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body, parse_constant=_no_constant)


def _decode_line(line: bytes) -> Decoded:
    try:
        return _from_object(orjson.loads(line))
    except orjson.JSONDecodeError:
        pass
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        problem = Unusable("bad_encoding", f"not UTF-8 at byte {error.start}")
        text = line.decode(errors="backslashreplace")
        return Decoded(_best_effort(line.decode(errors="replace")), text.encode(), problem)
    try:
        return _from_object(json.loads(text, parse_constant=_no_constant))
    except (ValueError, RecursionError) as error:
        return Decoded({}, text.encode(), Unusable("malformed", f"not JSON: {error}"))


def _from_objects(rows: Sequence[Any]) -> DecodedPage:
    """Rows as `_from_object` reads each, faster if all are ordinary."""
    try:
        payloads = Texts.of(map(orjson.dumps, rows, repeat(None), repeat(orjson.OPT_SORT_KEYS)))
    except TypeError:
        return DecodedPage.of(map(_from_object, rows))
    if set(map(type, rows)) == {dict} and payloads.longest <= MAX_ROW_BYTES:
        return DecodedPage(rows, payloads, {})
    return DecodedPage.of(map(_from_object, rows))


def _from_object(row: Any) -> Decoded:
    try:
        payload = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        return _unwritable(row, error)
    if not isinstance(row, dict):
        return Decoded({}, payload, Unusable("malformed", f"not an object: {shown(row)}"))
    if len(payload) > MAX_ROW_BYTES:
        detail = f"{len(payload):,} bytes; at most {MAX_ROW_BYTES:,} fit everywhere"
        return Decoded(row, payload, Unusable("too_large", detail))
    return Decoded(row, payload)


def _unwritable(row: Any, error: TypeError) -> Decoded:
    """A row that JSON cannot hold: mostly for a lone surrogate, which no encoding has."""
    payload = json.dumps(row, sort_keys=True).encode()
    try:
        json.dumps(row, ensure_ascii=False).encode()
        problem = Unusable("malformed", f"not JSON that can be kept: {error}")
    except UnicodeEncodeError:
        problem = Unusable("bad_encoding", "a text holds half of a surrogate pair")
    return Decoded(row if isinstance(row, dict) else {}, payload, problem)


def _best_effort(text: str) -> Row:
    """The columns of a damaged line, as far as they can be read, to tell whose it is."""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _no_constant(_: str) -> None:
    """NaN and Infinity, which JSON does not have, are nulls."""

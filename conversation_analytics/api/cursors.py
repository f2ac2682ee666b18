"""Where the next page begins: opaque to clients, checked when it comes back.

Rows come newest first by a time and an id, so a cursor names a place in that order, and new rows do
not move it.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import orjson

from conversation_analytics.api.problems import Problem
from conversation_analytics.partitions import parse_day

_VERSION = 1
_MICROS = 2**62

After = tuple[int, str]
"""Time (microseconds since 1970) and id of the last row shown."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of conversations.

    Attributes:
        day: the day to go on with.
        after: started_at and id of the last conversation shown; null if none of the day was.
    """

    day: date
    after: After | None = None

    def cursor(self, fingerprint: str) -> str:
        """The cursor.

        Args:
            fingerprint: of the filters.
        """
        return _encoded(fingerprint, self.day, *(self.after or ()))


def place_of(cursor: str, fingerprint: str) -> Place:
    """The place a cursor names.

    Raises:
        Problem: it is none, or one of other filters.
    """
    day, *after = _decoded(cursor, fingerprint) or [None]
    try:
        return Place(parse_day(str(day)), _after(after) if after else None)
    except ValueError:
        raise _mangled() from None


def user_cursor(after: After, fingerprint: str) -> str:
    """The cursor of a place in the order of users, by last_seen and id."""
    return _encoded(fingerprint, *after)


def user_place_of(cursor: str, fingerprint: str) -> After:
    """The place in the order of users that a cursor names.

    Raises:
        Problem: it is none, or one of other filters.
    """
    try:
        return _after(_decoded(cursor, fingerprint))
    except ValueError:
        raise _mangled() from None


def _encoded(fingerprint: str, *parts: object) -> str:
    told = orjson.dumps([_VERSION, fingerprint, *parts])
    return urlsafe_b64encode(told).rstrip(b"=").decode()


def _decoded(cursor: str, fingerprint: str) -> list[object]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts: list[object]
        version, filters, *parts = orjson.loads(urlsafe_b64decode(padded))
    except (ValueError, TypeError):
        raise _mangled() from None
    if version != _VERSION or filters != fingerprint:
        words = "It belongs to other filters: begin again without it, or send those filters."
        raise Problem("invalid-cursor", words)
    return parts


def _after(parts: Sequence[object]) -> After:
    if len(parts) != 2:
        raise ValueError(parts)
    micros, id_ = parts
    if type(micros) is not int or abs(micros) > _MICROS or not isinstance(id_, str):
        raise ValueError(parts)
    return micros, id_


def _mangled() -> Problem:
    return Problem("invalid-cursor", "Send `next_cursor` of the page before as it is.")

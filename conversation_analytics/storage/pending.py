"""Which days are behind the source: tokens in the lake, written before the sync cursor moves.

A token says that somebody saw a day's rows differ from the lake's. It is ahead of the change mark
of the raw day it was compared with, and every reading that begins after a token was written gets
a mark that is not behind it. So a day is pending while one of its tokens is ahead of its mark:
that is worked out from what is there, never remembered.

Tokens are only ever added, each under its own key, and removed once they are satisfied: writers
that know nothing of each other cannot lose one.

    _sync/pending/2024-01-31-1706745600000000-5f2c….json    {"reasons": {"changed": 1}, "seen": …}

A token may carry the rows as they were seen, so that nobody need ask for them again. That holds
until the whole source is read: a row that was gone by then is nowhere, and must not come back from
a token. So a reading of everything ends with taking the rows off the tokens there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple

import orjson

from conversation_analytics.partitions import from_micros, to_micros
from conversation_analytics.storage.encoding import digest
from conversation_analytics.storage.failpoints import PENDING, failpoint
from conversation_analytics.storage.layout import SYNC_FOLDER, UNKNOWN_DAY, Day
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.storage.store import ObjectStore

_TOKENS = f"{SYNC_FOLDER}pending/"


class TokenName(NamedTuple):
    """What is known of a token without reading it.

    Attributes:
        day: the day.
        mark: a reading of the source with an earlier change mark does not cover it.
        id: digest of what it says.
    """

    day: Day
    mark: datetime
    id: str

    @property
    def key(self) -> str:
        """Its key in the store."""
        return f"{_TOKENS}{self.day}-{to_micros(self.mark)}-{self.id}.json"


@dataclass(frozen=True, slots=True)
class Token:
    """A difference that was seen on a day.

    Attributes:
        day: the day, or ``unknown`` for rows whose day cannot be told.
        mark: a reading of the source with an earlier change mark does not cover it.
        reasons: what was seen, with the number of rows: ``new``, ``changed``, ``vanished`` …
        seen: by source table and primary key, the rows that differ as the source had them, null
            for one that must be asked for; null altogether if it is not known which rows do.
    """

    day: Day
    mark: datetime
    reasons: Mapping[str, int]
    seen: Mapping[str, Mapping[str, str | None]] | None = None

    def note(self) -> bytes:
        """What is written down of it."""
        seen = None if self.seen is None else {name: dict(rows) for name, rows in self.seen.items()}
        told = {"reasons": dict(self.reasons), "seen": seen}
        return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)

    @property
    def name(self) -> TokenName:
        """Its name."""
        return TokenName(self.day, self.mark, digest(self.note()))

    def without_rows(self) -> Token:
        """The token that names the same rows and carries none."""
        if self.seen is None:
            return self
        return replace(self, seen={name: dict.fromkeys(rows) for name, rows in self.seen.items()})


class PendingDays:
    """The tokens of a lake."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def add(self, tokens: Iterable[Token]) -> None:
        """Write tokens; one that is there already is written again.

        Raises:
            StoreUnavailable: the store cannot be written.
        """
        for token in tokens:
            failpoint(PENDING)
            self._store.put(token.name.key, token.note())

    def names(self) -> dict[Day, list[TokenName]]:
        """The tokens there are, by day, the earliest mark first."""
        found: dict[Day, list[TokenName]] = {}
        for key in self._store.list(_TOKENS):
            rest, _, id_ = key.removeprefix(_TOKENS).removesuffix(".json").rpartition("-")
            name, _, micros = rest.rpartition("-")
            day: Day = UNKNOWN_DAY if name == UNKNOWN_DAY else date.fromisoformat(name)
            found.setdefault(day, []).append(TokenName(day, from_micros(int(micros)), id_))
        return {day: sorted(names, key=lambda name: name.mark) for day, names in found.items()}

    def read(self, names: Iterable[TokenName]) -> list[Token]:
        """The tokens of some names; one that was settled meanwhile is left out."""
        found = []
        for name in names:
            data = self._store.get(name.key)
            if data is not None:
                told = orjson.loads(data)
                found.append(Token(name.day, name.mark, told["reasons"], told.get("seen")))
        return found

    def take_rows_off(self) -> None:
        """Have all rows that tokens name asked for again.

        Raises:
            StoreUnavailable: the store cannot be read or written.
        """
        names = [name for of_day in self.names().values() for name in of_day]
        for token in self.read(names):
            bare = token.without_rows()
            if bare.name != token.name:
                self.add([bare])  # first: until the other is gone too, it is seen that they differ
                self.settle([token.name])

    def settle(self, names: Iterable[TokenName]) -> None:
        """Remove tokens that are satisfied."""
        self._store.delete(name.key for name in names)


def reasons_of(tokens: Iterable[Token]) -> dict[str, int]:
    """What some tokens say, added up."""
    total: Counter[str] = Counter()
    for token in tokens:
        total.update(token.reasons)
    return dict(total)


def unsatisfied(names: Sequence[TokenName], manifest: Manifest | None) -> list[TokenName]:
    """The tokens that the last writing of the day's raw rows does not cover."""
    if manifest is None or manifest.change_mark is None:
        return list(names)
    mark, merged = manifest.change_mark, set(manifest.merged)
    return [name for name in names if name.mark > mark and name.id not in merged]

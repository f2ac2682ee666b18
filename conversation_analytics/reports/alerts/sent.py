"""What has been told of alerts, in the lake, by which each event is told once.

    _alerts/daily/2024-01-15/refunds-3fa9c2/record.json       {"state": "firing", "event": …}
    _alerts/daily/2024-01-15/refunds-3fa9c2/told-0001.json    {"what": "raised", "settled": true}

A *record* says that a rule fired for something in a period, and which event that is part of. It is
written again when that changes.

An event is told under the period that began it. Who wants to tell claims the next number there,
which is created only if it is absent, so of two runs one tells. After that the claim is settled,
or, if nobody could be told, removed, so that the next run tries. A claim that is still not settled
after `ABANDONED` is one whose process died, and whether it had told is not known: it is told again.

In a store that cannot create conditionally (see `ObjectStore.conditional`), two runs at the same
moment may both tell. So there a claim that another run has written over is left as it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from conversation_analytics.errors import StorageError
from conversation_analytics.periods import Period
from conversation_analytics.reports.alerts.figures import Subject
from conversation_analytics.storage.layout import ALERTS_FOLDER
from conversation_analytics.storage.store import ObjectStore

What = Literal["raised", "withdrawn"]
M = TypeVar("M", bound=BaseModel)

ABANDONED: Final = timedelta(minutes=10)
"""Longer than any process takes to tell."""

_RECORD: Final = "record.json"


class Record(BaseModel):
    """That a rule fired for something in a period.

    Attributes:
        rule: name of the rule.
        rule_version: hash of what decides when it fires.
        dimension: whose value; empty for the whole.
        value: the value; empty for the whole.
        currency: of money; else empty.
        state: whether it still fires; ``replaced`` where it does not since the rule is another.
        event: key of the period under which the event is told.
        alert: the alert, as `Alert.as_dict`.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    rule_version: str
    dimension: str
    value: str
    currency: str
    state: Literal["firing", "withdrawn", "replaced"]
    event: str
    alert: dict[str, Any]

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return Subject(self.dimension, self.value, self.currency)


class _Telling(BaseModel):
    model_config = ConfigDict(frozen=True)

    what: What
    by: str
    at: datetime
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to tell something of an event, to be settled or released.

    Attributes:
        key: where it is in the lake.
        telling: what is there.
    """

    key: str
    telling: _Telling

    @property
    def data(self) -> bytes:
        """What is there, as bytes."""
        return self.telling.model_dump_json().encode()


@dataclass(frozen=True, slots=True)
class Standing:
    """What has been told of an event.

    Attributes:
        told: the last thing told; null if nothing.
        by_another: whether another run is about to tell.
        claims: how many numbers are taken.
    """

    told: What | None = None
    by_another: bool = False
    claims: int = 0


class AlertLog:
    """The records and tellings of a lake. Every method may raise `StorageError`.

    Args:
        store: the lake's.
        io_threads: requests in flight at once.
    """

    def __init__(self, store: ObjectStore, *, io_threads: int = 8) -> None:
        self._store = store
        self._io_threads = io_threads

    def records(self, periods: Iterable[Period]) -> dict[tuple[Period, str, Subject], Record]:
        """The records of periods, by period, name of the rule and subject."""
        wanted = list(periods)
        with ThreadPoolExecutor(self._io_threads, "alerts") as pool:
            found = list(pool.map(self._of_period, wanted))
        return {
            (period, one.rule, one.subject): one
            for period, records in zip(wanted, found, strict=True)
            for one in records
        }

    def write(self, period: Period, record: Record) -> None:
        """Write down that a rule fired in a period, or no longer does."""
        key = f"{_folder(period, record.rule, record.subject)}{_RECORD}"
        self._store.put(key, record.model_dump_json(indent=1).encode())

    def standing(self, began: Period, rule: str, subject: Subject) -> Standing:
        """What has been told of the event that began in a period."""
        keys = self._store.list(f"{_folder(began, rule, subject)}told-")
        told: What | None = None
        by_another = False
        for key in keys:
            telling = self._read(key, _Telling)
            if telling is None:  # withdrawn meanwhile, since nobody could be told
                continue
            if telling.settled:
                told = telling.what
            by_another = not telling.settled and datetime.now(UTC) - telling.at < ABANDONED
        return Standing(told, by_another, _number(keys[-1]) if keys else 0)

    def claim(
        self, began: Period, rule: str, subject: Subject, standing: Standing, what: What
    ) -> Claim | None:
        """The claim to tell something of an event, to be settled or released; null if lost."""
        key = f"{_folder(began, rule, subject)}told-{standing.claims + 1:04d}.json"
        claim = Claim(key, _Telling(what=what, by=uuid.uuid4().hex, at=datetime.now(UTC)))
        if self._store.create(key, claim.data) and self._store.conditional:
            return claim
        # It may be ours though: a request of which the answer was lost is sent again, and finds
        # what it has written. And where nothing is conditional, somebody may have written over it.
        return claim if self._store.get(key) == claim.data else None

    def settle(self, claim: Claim) -> None:
        """What was claimed has been told."""
        done = claim.telling.model_copy(update={"settled": True})
        self._store.put(claim.key, done.model_dump_json().encode())

    def release(self, claim: Claim) -> None:
        """Nobody could be told: the next run may try."""
        if self._store.get(claim.key) == claim.data:  # else another run has told, or is about to
            self._store.delete([claim.key])

    def _of_period(self, period: Period) -> list[Record]:
        keys = self._store.list(f"{ALERTS_FOLDER}{period.grain}/{period.key}/")
        found = (self._read(key, Record) for key in keys if key.endswith(f"/{_RECORD}"))
        return [one for one in found if one is not None]

    def _read(self, key: str, kind: type[M]) -> M | None:
        data = self._store.get(key)
        try:
            return None if data is None else kind.model_validate_json(data)
        except ValidationError as error:
            raise StorageError(
                f"{self._store.url}/{key} is damaged: delete it, and its alert may be told again"
            ) from error


def event_id(began: Period, rule: str, subject: Subject) -> str:
    """What an event is called for whoever is told, the same if it is told twice."""
    return _folder(began, rule, subject).removeprefix(ALERTS_FOLDER).rstrip("/")


def _folder(period: Period, rule: str, subject: Subject) -> str:
    parts = [rule, subject.dimension, subject.value, subject.currency]
    hash_ = blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()
    return f"{ALERTS_FOLDER}{period.grain}/{period.key}/{rule}-{hash_}/"


def _number(key: str) -> int:
    return int(key.rpartition("-")[2].removesuffix(".json"))

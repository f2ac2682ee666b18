"""The record of every call of a workflow, in the lake, by which none is paid for twice.

    _dify/translate-1/texts/3f/3f9a…-1.json               {"call": "2026-01-31/0945…"}
    _dify/translate-1/calls/2026-01-31/0945…-5f2c….json   {"state": "ended", "answers": …}

A *claim* ties a question to a call. It is created only if it is absent and never written again, so
of those who want to ask the same question one may. The attempts of a question are numbered from 1;
the next one is claimed when it is certain that no answer will come of the one before.

A *call* is written before it is made, again when its run is known, and again when its result is
there. What a process that died leaves behind says what may have been paid for; see `standing`.

Rebuilding a lake leaves the ledger alone. In a store that cannot create conditionally (see
`ObjectStore.conditional`), MongoDB decides who gets a claim, if there is one. Without it two
processes that ask the same question within the same moment may both pay for it; questions asked one
after the other are paid for once there too.

MongoDB also gets a copy of the calls, to be queried; see `mongo_calls`. It is never asked what was
paid for.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from conversation_analytics.dify.claims import ClaimRegistry, StoreClaims
from conversation_analytics.dify.records import Call, Claim
from conversation_analytics.errors import StorageError
from conversation_analytics.storage.layout import DIFY_FOLDER
from conversation_analytics.storage.store import ObjectStore

if TYPE_CHECKING:
    from conversation_analytics.dify.mongo import MongoLedger

R = TypeVar("R", Call, Claim)

_WORKFLOW = re.compile(r"[A-Za-z0-9-]+")
_LOOKED_BACK = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class History:
    """What the ledger has of a question.

    Attributes:
        attempts: how often it was claimed.
        calls: the calls of its attempts with their ids, in order, without those of which nothing
            came unless it is the last.
    """

    attempts: int = 0
    calls: tuple[tuple[str, Call], ...] = ()


class Ledger:
    """The calls of one workflow. Every method may raise `StorageError`.

    Args:
        store: the lake's.
        workflow: name of the workflow; see `Contract.workflow`.
        io_threads: requests to the store in flight at once.
        mongo: gets a copy of the calls, and decides claims where the store cannot.
    """

    def __init__(
        self,
        store: ObjectStore,
        workflow: str,
        *,
        io_threads: int = 8,
        mongo: MongoLedger | None = None,
    ) -> None:
        if not _WORKFLOW.fullmatch(workflow):
            raise ValueError(f"{workflow!r} must consist of letters, digits and dashes")
        self.workflow = workflow
        self._store = store
        self._folder = f"{DIFY_FOLDER}{workflow}/"
        self._io_threads = io_threads
        self._mongo = mongo
        self._copy = mongo.calls(workflow) if mongo else None

    @contextmanager
    def copied(self) -> Iterator[None]:
        """Have MongoDB, if there is one, catch up first, and be told in the end what was written.

        It may be away: then it catches up later, and the log says so.
        """
        if self._copy is None:
            yield
            return
        self._copy.catch_up(self.ids, self.known)
        try:
            yield
        finally:
            self._copy.send()

    def histories(self, keys: Sequence[str]) -> dict[str, History]:
        """What is known of each question, by its key."""
        with ThreadPoolExecutor(self._io_threads, "dify-ledger") as pool:
            firsts = dict(zip(keys, pool.map(self._first, keys), strict=True))
            calls = self._calls(pool, (claim.call for claim in firsts.values() if claim))
            open_ = [
                key
                for key, claim in firsts.items()
                if claim and key not in calls[claim.call].answers
            ]
            latest = dict(zip(open_, pool.map(self._latest, open_), strict=True))
            ids = {key: (*claim.earlier, claim.call) for key, (_, claim) in latest.items()}
            calls |= self._calls(pool, (id_ for of_key in ids.values() for id_ in of_key))
        found = {}
        for key, claim in firsts.items():
            if claim is None:
                found[key] = History()
            else:
                attempts = latest[key][0] if key in latest else 1
                of_key = ids.get(key, (claim.call,))
                found[key] = History(attempts, tuple((id_, calls[id_]) for id_ in of_key))
        return found

    def claim(
        self, keys: Sequence[str], attempts: Sequence[int], claims: Sequence[Claim]
    ) -> list[str]:
        """Claim an attempt of each question; tells the keys of those that were got."""
        names = [*map(self._claim_key, keys, attempts)]
        claim = self._claims.claim
        if len(keys) == 1:  # starting a thread takes longer than a claim
            return [*keys] if claim(names[0], claims[0]) else []
        with ThreadPoolExecutor(min(self._io_threads, len(keys)), "dify-claims") as pool:
            got = pool.map(claim, names, claims)
            return [key for key, won in zip(keys, got, strict=True) if won]

    def new_call(self, call: Call) -> str:
        """Write down a call that is to be made; tells its id."""
        id_ = f"{call.asked_at:%Y-%m-%d}/{call.asked_at:%H%M%S%f}-{uuid.uuid4().hex[:12]}"
        self.write(id_, call)
        return id_

    def write(self, id_: str, call: Call) -> None:
        """Write down what became of a call."""
        self._store.put(self._call_key(id_), call.encoded())
        if self._copy is not None:
            self._copy.note(id_, call)

    def call(self, id_: str) -> Call:
        """What is known of a call."""
        found = self._read(self._call_key(id_), Call)
        if found is None:
            raise StorageError(
                f"lake {self._store.url}: {self._call_key(id_)} is gone, although questions of "
                f"{self.workflow} refer to it. Put it back from a backup, or delete the claims in "
                f"{self._folder}texts/ that name it to have their questions paid for again."
            )
        return found

    def recent(self, most: int) -> list[Call]:
        """The latest calls of the last two months, the newest first."""
        ids: list[str] = []
        day, first = _today(), _today() - _LOOKED_BACK
        while len(ids) < most and day >= first:
            ids += reversed(self._ids(f"{day}/"))
            day -= timedelta(days=1)
        with ThreadPoolExecutor(self._io_threads, "dify-ledger") as pool:
            return list(pool.map(self.call, ids[:most]))

    def ids(self, since: date | None) -> list[str]:
        """The ids of the calls made on a day or later; of all calls without one."""
        if since is None:
            return self._ids("")
        # The clock of another machine may be ahead, and it be tomorrow there.
        first, last = min(since, _today()), _today() + timedelta(days=1)
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        return [id_ for day in days for id_ in self._ids(f"{day}/")]

    def known(self, ids: Sequence[str]) -> dict[str, Call]:
        """Those calls that there are, by id."""
        with ThreadPoolExecutor(self._io_threads, "dify-ledger") as pool:
            found = pool.map(lambda id_: self._read(self._call_key(id_), Call), ids)
            return {id_: call for id_, call in zip(ids, found, strict=True) if call is not None}

    @cached_property
    def _claims(self) -> ClaimRegistry:
        if self._mongo is None or self._store.conditional:
            return StoreClaims(self._store)
        return self._mongo.claims(self._store, self._call_key)

    def _ids(self, prefix: str) -> list[str]:
        folder = f"{self._folder}calls/"
        keys = self._store.list(folder + prefix)
        return [key.removeprefix(folder).removesuffix(".json") for key in keys]

    def _first(self, key: str) -> Claim | None:
        return self._read(self._claim_key(key, 1), Claim)

    def _latest(self, key: str) -> tuple[int, Claim]:
        """The last attempt of a question that was claimed, and its number."""
        prefix = self._claim_key(key, 1).removesuffix("1.json")
        names = self._store.list(prefix)
        number = max(int(name.removeprefix(prefix).removesuffix(".json")) for name in names)
        claim = self._read(self._claim_key(key, number), Claim)
        if claim is None:
            raise StorageError(
                f"lake {self._store.url}: {self._claim_key(key, number)} vanished while it was "
                "read. Let nobody delete anything of the ledger while it is used."
            )
        return number, claim

    def _calls(self, pool: ThreadPoolExecutor, ids: Iterable[str]) -> dict[str, Call]:
        wanted = list(dict.fromkeys(ids))
        return dict(zip(wanted, pool.map(self.call, wanted), strict=True))

    def _read(self, name: str, kind: type[R]) -> R | None:
        data = self._store.get(name)
        if data is None:
            return None
        try:
            return kind.decoded(data)
        except ValueError as error:
            raise StorageError(
                f"lake {self._store.url}: {name} is damaged ({error}). It records what was paid "
                "for: put it back from a backup, or delete it, and whatever refers to it, to have "
                "its questions paid for again."
            ) from error

    def _claim_key(self, key: str, attempt: int) -> str:
        return f"{self._folder}texts/{key[:2]}/{key}-{attempt}.json"

    def _call_key(self, id_: str) -> str:
        return f"{self._folder}calls/{id_}.json"


def _today() -> date:
    return datetime.now(UTC).date()

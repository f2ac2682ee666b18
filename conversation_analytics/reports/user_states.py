"""Keeping `user_days` and `user_analytics` up to date with the lake."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics import __version__
from conversation_analytics.errors import TRANSIENT, ConversationAnalyticsError, TornDay
from conversation_analytics.reports.catalogue import Catalogue
from conversation_analytics.reports.users import user_analytics, user_days, users_changed
from conversation_analytics.schemas import (
    CATEGORY_SUMMARIES,
    CONVERSATIONS,
    MESSAGE_ACTIVITY,
    USER_ANALYTICS,
    USER_DAYS,
)
from conversation_analytics.storage.days import (
    DayItem,
    FailedDay,
    KeptDay,
    PreparedDay,
    Request,
    prepare,
)
from conversation_analytics.storage.lake import Claim, Lake
from conversation_analytics.storage.layout import (
    ALL_DAYS,
    CATEGORIES_UNIT,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    USER_ANALYTICS_UNIT,
    USER_DAYS_UNIT,
    Place,
    Unit,
)
from conversation_analytics.storage.manifest import Manifest

_READ = {
    MESSAGES_UNIT: (MESSAGE_ACTIVITY, MESSAGE_ACTIVITY.names),
    CONVERSATIONS_UNIT: (
        CONVERSATIONS,
        [
            "conversation_id",
            "user_id",
            "started_at",
            "ended_at",
            "message_count",
            "escalated",
            "feedback_score",
        ],
    ),
    CATEGORIES_UNIT: (
        CATEGORY_SUMMARIES,
        ["conversation_id", "topics", "sentiment_score"],
    ),
}


def refreshed_users(lake: Lake, catalogue: Catalogue, request: Request) -> Iterator[DayItem]:
    """The days whose users changed, then all users; to be committed one by one, in this order.

    Args:
        lake: the lake.
        catalogue: what it holds.
        request: what asks for it.
    """
    there = lake.manifests(USER_DAYS_UNIT, lake.days(USER_DAYS_UNIT))
    changed = {}
    for day in sorted(catalogue.present):
        if day not in there or there[day].inputs != catalogue.states(day):
            changed[day] = _users_of(lake, day)
            yield _prepared_day(lake, catalogue, request, day)
    yield _all_users(lake, catalogue, request, changed)


@dataclass(frozen=True)
class _Before:
    """A day as it was before it was made again.

    Attributes:
        content_hash: of its state; empty if there was none, `unknown` if it cannot be read.
        users: who was there.
    """

    content_hash: str
    users: pa.ChunkedArray


def _users_of(lake: Lake, day: date) -> _Before:
    nobody = USER_DAYS.empty()["user_id"]
    try:
        found = lake.read_day(USER_DAYS_UNIT, day, {USER_DAYS.name: ["user_id"]})
    except TornDay:  # it is made again, and all users are summed up, as nobody knows whose it was
        return _Before("unknown", nobody)
    if found is None:
        return _Before("", nobody)
    return _Before(found[0].content_hash, found[1][USER_DAYS.name]["user_id"])


def read_users(
    lake: Lake, columns: Sequence[str] = tuple(USER_ANALYTICS.names)
) -> tuple[Manifest, pa.Table] | None:
    """`user_analytics`, or some columns of it, with its manifest; null if it was never made.

    Raises:
        TornDay: a write of it was cut off half-way.
    """
    found = lake.read_day(USER_ANALYTICS_UNIT, ALL_DAYS, {USER_ANALYTICS.name: list(columns)})
    return None if found is None else (found[0], found[1][USER_ANALYTICS.name])


def _prepared_day(
    lake: Lake, catalogue: Catalogue, request: Request, day: date
) -> PreparedDay | FailedDay:
    started = time.perf_counter()
    inputs = catalogue.states(day)
    try:
        claim = lake.claim_day(USER_DAYS_UNIT, day, run_id=request.run_id)
        tables = {}
        for unit, (schema, names) in _READ.items():
            found = lake.read_day(unit, day, {schema.name: names}) if unit.name in inputs else None
            tables[schema.name] = found[1][schema.name] if found else schema.empty().select(names)
        states = user_days(**tables)
    except ConversationAnalyticsError as error:
        return _failed(USER_DAYS_UNIT, day, error)
    return _prepared(lake, claim, {USER_DAYS.name: states}, inputs, started, request)


def _all_users(
    lake: Lake, catalogue: Catalogue, request: Request, changed: Mapping[date, _Before]
) -> DayItem:
    started = time.perf_counter()
    unit = USER_ANALYTICS_UNIT
    states = lake.manifests(USER_DAYS_UNIT, lake.days(USER_DAYS_UNIT))
    inputs = {_input(day): one.content_hash for day, one in states.items()}
    there = lake.manifest(unit, ALL_DAYS)
    if there is not None and there.inputs == inputs and there.code_version == __version__:
        return KeptDay(unit.name, ALL_DAYS, there)
    try:
        claim = lake.claim_day(unit, ALL_DAYS, run_id=request.run_id)
        if there is not None and _known(there, inputs, changed):
            users = _summed_anew(lake, states, changed)
        else:
            users = user_analytics(_read_states(lake, states))
    except ConversationAnalyticsError as error:
        return _failed(unit, ALL_DAYS, error)
    behind = sorted(catalogue.inconsistent & set(states))
    words = ", ".join(map(str, behind[:5]))
    note = f"{len(behind)} day(s) are as they were before: {words}" if behind else ""
    tables = {USER_ANALYTICS.name: users}
    return _prepared(lake, claim, tables, inputs, started, request, note=note)


def _prepared(
    lake: Lake,
    claim: Claim,
    tables: Mapping[str, pa.Table],
    inputs: Mapping[str, str],
    started: float,
    request: Request,
    note: str = "",
) -> PreparedDay:
    """As `storage.days.prepare`, with what asked for it."""
    return prepare(
        claim,
        tables,
        lake.options,
        inputs=inputs,
        started=started,
        request=request.id,
        run_id=request.run_id,
        code_version=__version__,
        note=note,
    )


def _failed(unit: Unit, day: Place, error: ConversationAnalyticsError) -> FailedDay:
    return FailedDay(unit.name, day, str(error), transient=isinstance(error, TRANSIENT))


def _known(there: Manifest, inputs: Mapping[str, str], changed: Mapping[date, _Before]) -> bool:
    """Whether `user_analytics` is of what there was before the days that changed, no more."""
    before = {**inputs, **{_input(day): one.content_hash for day, one in changed.items()}}
    made_of = {name: hash_ for name, hash_ in before.items() if hash_}
    return there.inputs == made_of and there.code_version == __version__


def _summed_anew(
    lake: Lake, states: Mapping[date, Manifest], changed: Mapping[date, _Before]
) -> pa.Table:
    """All users, of whom those of some days are summed up again."""
    found = read_users(lake)
    before = found[1] if found else USER_ANALYTICS.empty()
    users = [_users_of(lake, day).users for day in changed] + [
        one.users for one in changed.values()
    ]
    some = pc.unique(
        pa.chunked_array([chunk for one in users for chunk in one.chunks], pa.string())
    )
    return users_changed(before, some, _read_states(lake, states, some))


def _read_states(lake: Lake, states: Iterable[date], users: pa.Array | None = None) -> pa.Table:
    """The states of all days, of all users or of some."""

    def read(day: date) -> pa.Table:
        found = lake.read_day(USER_DAYS_UNIT, day)
        table = found[1][USER_DAYS.name] if found else USER_DAYS.empty()
        return table if users is None else table.filter(pc.is_in(table["user_id"], users))

    with ThreadPoolExecutor(lake.io_threads) as pool:
        return pa.concat_tables([USER_DAYS.empty(), *pool.map(read, sorted(states))])


def _input(day: date) -> str:
    return f"{USER_DAYS_UNIT.name}@{day}"

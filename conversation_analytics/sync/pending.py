"""Which days are pending: worked out from tokens, manifests and MongoDB's days each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from conversation_analytics.partitions import ONE_DAY
from conversation_analytics.storage.freshness import (
    DERIVED,
    Records,
    lake_problems,
    mongo_problems,
)
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import RAW, UNKNOWN_DAY, UNPLACED, Day
from conversation_analytics.storage.pending import TokenName, reasons_of, unsatisfied


@dataclass(frozen=True)
class PendingDay:
    """A day that is to be refreshed.

    Attributes:
        day: the day, or ``unknown`` for rows whose day cannot be told.
        mark: its latest token.
        reasons: what was seen, with the number of rows.
        problems: what of it is behind besides its raw rows.
    """

    day: Day
    mark: datetime
    reasons: dict[str, int]
    problems: tuple[str, ...] = ()


def pending_days(lake: Lake, records: Records | None, *, settle: bool = True) -> list[PendingDay]:
    """The days with a token that is not satisfied, in order, ``unknown`` last.

    A token is satisfied when the raw day was read after it was written and everything derived
    from the day follows; such tokens are removed.

    Args:
        lake: the lake.
        records: MongoDB's complete days by unit, null without MongoDB.
        settle: whether to remove them; someone who only looks leaves the lake as it is.

    Raises:
        StorageError: the lake cannot be read.
    """
    names = lake.pending.names()
    days = sorted(day for day in names if not isinstance(day, str))
    manifests = {unit.name: lake.manifests(unit, days) for unit in (RAW, *DERIVED)}
    found = []
    for day in days:
        here = {unit: there[day] for unit, there in manifests.items() if day in there}
        open_ = unsatisfied(names[day], here.get(RAW.name))
        problems = [] if open_ else lake_problems(here)
        if records is not None and not open_:
            problems += mongo_problems(day, here, records)[1]
        if open_ or problems:
            found.append(_pending(lake, day, open_ or names[day], problems))
        elif settle:
            lake.pending.settle(names[day])
    if UNKNOWN_DAY in names:
        unplaced = names[UNKNOWN_DAY]
        if unsatisfied(unplaced, lake.manifest(UNPLACED, UNKNOWN_DAY)):
            found.append(_pending(lake, UNKNOWN_DAY, unplaced, []))
        elif settle:
            lake.pending.settle(unplaced)
    return found


def _pending(
    lake: Lake, day: Day, names: Sequence[TokenName], problems: Sequence[str]
) -> PendingDay:
    reasons = reasons_of(lake.pending.read(names))
    return PendingDay(day, names[-1].mark, reasons, tuple(problems))


@dataclass(frozen=True)
class PendingRange:
    """Contiguous pending days, to be refreshed by one run.

    Attributes:
        first: first day.
        last: last day.
        mark: the latest token of its days.
        reasons: what was seen on its days, with the number of rows.
        whole: whether the whole source is to be read, because rows without a day are pending.
    """

    first: date
    last: date
    mark: datetime
    reasons: dict[str, int]
    whole: bool = False


def pending_ranges(pending: Sequence[PendingDay], *, anchor: date) -> list[PendingRange]:
    """Pending days as ranges of contiguous days.

    Rows without a day are refreshed along with the first range, which is `anchor` alone if no
    other day is pending.
    """
    ranges: list[PendingRange] = []
    for one in pending:
        if isinstance(one.day, str):
            continue
        day = PendingRange(one.day, one.day, one.mark, one.reasons)
        if ranges and ranges[-1].last + ONE_DAY == one.day:
            ranges[-1] = _joined(ranges[-1], day)
        else:
            ranges.append(day)
    unplaced = next((one for one in pending if one.day == UNKNOWN_DAY), None)
    if unplaced is None:
        return ranges
    first, *others = ranges or [PendingRange(anchor, anchor, unplaced.mark, {})]
    extra = PendingRange(first.last, first.last, unplaced.mark, unplaced.reasons)
    return [replace(_joined(first, extra), whole=True), *others]


def _joined(range_: PendingRange, more: PendingRange) -> PendingRange:
    reasons = Counter(range_.reasons) + Counter(more.reasons)
    return PendingRange(range_.first, more.last, max(range_.mark, more.mark), dict(reasons))

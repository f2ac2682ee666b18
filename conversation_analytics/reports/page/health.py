"""What a document says of its own data: days, rows that could not be used, restatements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from conversation_analytics.reports.page import numbers
from conversation_analytics.reports.page.figures import Document, Registry
from conversation_analytics.schemas.quarantine import REASONS

RESTATED_ROWS: Final = 40


@dataclass(frozen=True)
class Day:
    """A day of the period, and whether its data were there.

    Attributes:
        weekday: 1 for Monday.
    """

    name: str
    number: int
    weekday: int
    present: bool


@dataclass(frozen=True)
class Restated:
    """A figure that is not what an earlier version of the report said; numbers are written."""

    title: str
    where: str
    before: str
    after: str


@dataclass(frozen=True)
class Restatement:
    """What an earlier version of the report said otherwise.

    Attributes:
        version: of the earlier one.
        at: when this one was made.
        unlisted: changes for which there was no room.
    """

    version: str
    at: str
    rows: Sequence[Restated]
    unlisted: int


def days(document: Document) -> list[Day]:
    """Each day of the period."""
    first, last = (date.fromisoformat(str(document[end])) for end in ("from", "to"))
    present = {str(one) for one in document["days_present"]}
    every = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [
        Day(
            name=numbers.day(one.isoformat(), weekday=True),
            number=one.day,
            weekday=one.isoweekday(),
            present=one.isoformat() in present,
        )
        for one in every
    ]


def quarantined(document: Document) -> list[tuple[str, str, int]]:
    """Reasons why source rows could not be used, what each means, and how many rows."""
    found = (document.get("quarantined") or {}).items()
    return [
        (reason, REASONS.get(reason, ""), rows)
        for reason, rows in sorted(found, key=lambda one: (-one[1], one[0]))
        if rows
    ]


def restatement(document: Document, registry: Registry) -> Restatement | None:
    """What changed since the version of the report before; null for a first one."""
    told = document.get("restated")
    if not told:
        return None
    changes = [one for one in told["changes"] if one["metric"] in registry]
    rows = []
    for one in changes[:RESTATED_ROWS]:
        metric, currency = registry[one["metric"]], one.get("currency")
        rows.append(
            Restated(
                title=f"{metric.title}, {currency}" if currency else metric.title,
                where=f"{one['dimension']}: {one['value']}" if one["dimension"] else "all",
                before=numbers.shown(one["before"], metric, currency),
                after=numbers.shown(one["after"], metric, currency),
            )
        )
    return Restatement(
        version=str(told["previous_version"]),
        at=str(told["at"]),
        rows=rows,
        unlisted=len(changes) - len(rows) + told.get("changes_left_out", 0),
    )

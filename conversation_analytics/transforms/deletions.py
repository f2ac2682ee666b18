"""A guard against taking a source that lost its rows, or hides them, for one that deleted them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from conversation_analytics.errors import MassDeletion

FEW = 50


@dataclass(frozen=True, slots=True)
class DayRows:
    """Rows of a source table on a day.

    Attributes:
        day: the day.
        known: rows the lake has, kept or in quarantine.
        read: rows the source has.
    """

    day: date
    known: int
    read: int


def emptied(days: Iterable[DayRows]) -> set[date]:
    """The days of which the lake has more than a few rows, and the source none at all."""
    return {one.day for one in days if one.known > FEW and not one.read}


def refuse_mass_deletion(what: str, *, known: int, vanished: int, fraction: float) -> None:
    """Refuse to remove too much at once.

    Args:
        what: the rows, for people.
        known: how many the lake has; of `FEW` or less any number may vanish.
        vanished: how many of them the source no longer has.
        fraction: the share that may vanish.

    Raises:
        MassDeletion: more than that would.
    """
    if known > FEW and vanished > fraction * known:
        raise MassDeletion(
            f"{vanished:,} of {known:,} {what} that the lake has are no longer in the source: more "
            f"than MAX_DELETE_FRACTION={fraction:g} allows. Look at the source first: a view with "
            "a filter, another table or an emptied one? If the rows are meant to go, say so with "
            "--force; nothing was removed"
        )

"""Days that must be refreshed together, because conversations moved between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import RAW
from conversation_analytics.storage.manifest import Manifest


def with_displaced(
    lake: Lake, days: Sequence[date], is_behind: Callable[[date, Manifest], bool]
) -> list[date]:
    """The days, and those that their moved conversations came from or went to, and so on.

    The order is that in which the raw days were committed, so a conversation appears in its new
    day before it leaves the old one.

    Args:
        lake: where the raw days are.
        days: the days asked for, sorted.
        is_behind: whether what is derived from a raw day, given its manifest, has yet to follow.
    """
    raw = lake.manifests(RAW, days)
    seen = set(days)
    while others := {day for manifest in raw.values() for day in manifest.displaced} - seen:
        raw |= lake.manifests(RAW, sorted(others))
        seen |= others
    if len(seen) == len(days):
        return list(days)
    known = [day for day in raw if day in days or is_behind(day, raw[day])]
    return [
        *sorted(known, key=lambda day: raw[day].committed_at),
        *(day for day in days if day not in raw),
    ]

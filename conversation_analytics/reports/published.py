"""The reports that are in the lake."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from conversation_analytics.periods import GRAINS, Grain, Period, period_of
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import PAGE_FILE, REPORT_FILE, REPORT_UNITS


@dataclass(frozen=True)
class Published:
    """A report in the lake.

    Attributes:
        period: its period.
        version: of what it says.
        made_at: when it was written.
        shortcomings: what it lacks, in words; empty if nothing.
        page: key of its page in the lake.
    """

    period: Period
    version: int
    made_at: datetime
    shortcomings: str
    page: str


def published(lake: Lake, grain: Grain | None = None) -> list[Published]:
    """The reports of a grain, or of all grains, in order.

    Raises:
        StorageError: the lake cannot be read.
    """
    found = []
    for one in GRAINS if grain is None else (grain,):
        unit = REPORT_UNITS[one]
        for day, manifest in lake.manifests(unit, lake.days(unit)).items():
            page = manifest.documents[PAGE_FILE].key
            period = period_of(one, day)
            found.append(
                Published(period, manifest.revision, manifest.committed_at, manifest.note, page)
            )
    return found


def read_report(lake: Lake, period: Period) -> dict[str, Any] | None:
    """`report.json` of a period; null if it was never made.

    Raises:
        TornDay: the write of the report was cut off half-way.
    """
    found = lake.read_document(REPORT_UNITS[period.grain], period.first, REPORT_FILE)
    document: dict[str, Any] | None = None if found is None else orjson.loads(found[1])
    return document


def read_page(lake: Lake, period: Period) -> bytes | None:
    """`report.html` of a period; null if it was never made.

    Raises:
        TornDay: the write of the report was cut off half-way.
    """
    found = lake.read_document(REPORT_UNITS[period.grain], period.first, PAGE_FILE)
    return None if found is None else found[1]

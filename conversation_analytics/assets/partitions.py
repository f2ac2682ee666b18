"""Dagster's view of the days: one partition a local day, today's included."""

from __future__ import annotations

import dagster as dg

from conversation_analytics.partitions import DayCalendar, day_key


def daily_partitions(calendar: DayCalendar) -> dg.DailyPartitionsDefinition:
    """The daily partitions of a calendar.

    Today's partition exists while the day lasts, because conversations are synced as they come.
    """
    return dg.DailyPartitionsDefinition(
        start_date=day_key(calendar.start), timezone=calendar.timezone, end_offset=1
    )

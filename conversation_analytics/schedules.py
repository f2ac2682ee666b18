"""Schedules: what happens at fixed times."""

from __future__ import annotations

import dagster as dg

from conversation_analytics.settings import Settings

_QUIET_HOUR = 3


def sweep_schedule(settings: Settings, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Compares every row at night, and more often if SWEEP_INTERVAL_HOURS says so."""
    hours = sorted((_QUIET_HOUR + n) % 24 for n in range(0, 24, settings.sweep_interval_hours))
    return _schedule(
        settings,
        job,
        f"15 {','.join(map(str, hours))} * * *",
        "Finds what changes alone do not tell: deletions, late commits, silent edits.",
    )


def maintenance_schedule(settings: Settings, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Tidies up every night, before the sweep."""
    return _schedule(
        settings,
        job,
        f"45 {_QUIET_HOUR - 1} * * *",
        "Keeps the lake and Dagster's history from growing for ever.",
    )


def _schedule(
    settings: Settings, job: dg.JobDefinition, cron: str, description: str
) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone=settings.analytics_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )

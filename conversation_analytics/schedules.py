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


def taxonomy_schedule(
    settings: Settings, job: dg.UnresolvedAssetJobDefinition
) -> dg.ScheduleDefinition:
    """Looks at the taxonomy every hour."""
    return _schedule(settings, job, "5 * * * *", "Shows which days an earlier taxonomy labelled.")


def topics_schedule(
    settings: Settings, job: dg.UnresolvedAssetJobDefinition
) -> dg.ScheduleDefinition:
    """Looks for new topics early on Mondays, when the week before is whole."""
    return _schedule(settings, job, "30 4 * * 1", "Finds topics that the taxonomy does not have.")


def _schedule(
    settings: Settings,
    job: dg.JobDefinition | dg.UnresolvedAssetJobDefinition,
    cron: str,
    description: str,
) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone=settings.analytics_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )

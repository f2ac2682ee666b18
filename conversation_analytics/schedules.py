"""Schedules: what happens at fixed times."""

from __future__ import annotations

import dagster as dg

from conversation_analytics.partitions import ONE_DAY, day_key
from conversation_analytics.periods import GRAINS, Grain, period_of
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


def report_schedule(
    settings: Settings, grain: Grain, job: dg.UnresolvedAssetJobDefinition
) -> dg.ScheduleDefinition:
    """Makes the report of yesterday, or of its week or month, every night.

    So the report of a period is there the night after its last day, as far as it has come before
    that, and what late data changed is restated.
    """
    minute = 10 * (1 + GRAINS.index(grain))

    @dg.schedule(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=f"{minute} {_QUIET_HOUR + 1} * * *",
        execution_timezone=settings.analytics_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Makes the {grain} report of yesterday, and those that late data changed.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        calendar = settings.calendar
        yesterday = calendar.day_of(context.scheduled_execution_time) - ONE_DAY
        if yesterday < calendar.start:
            return dg.SkipReason(f"the first day is {calendar.start}")
        return dg.RunRequest(partition_key=day_key(period_of(grain, yesterday).first))

    return nightly


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

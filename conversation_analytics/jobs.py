"""Jobs: one a grain, because a run has partitions of one kind; the sweep and the ledger."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg
from pydantic import Field

from conversation_analytics.assets.lake_tables import SOURCE_POOL
from conversation_analytics.checks.agreement import AGREES_KEY
from conversation_analytics.compute.runner import runner_for
from conversation_analytics.io_managers.retries import retried_if_unavailable, step_retries
from conversation_analytics.periods import Grain
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.resources.sources import SourceResource
from conversation_analytics.retention import forget_runs
from conversation_analytics.settings import Settings

DAILY_JOB = "daily"
SWEEP_JOB = "sweep"
MAINTENANCE_JOB = "maintenance"
VERIFY_JOB = "verify"
TOPICS_JOB = "topics"
TAXONOMY_JOB = "observe_taxonomy"
REPORT_JOBS: Final[dict[Grain, str]] = {
    "daily": "daily_reports",
    "weekly": "weekly_reports",
    "monthly": "monthly_reports",
}


def daily_job(assets: list[dg.AssetsDefinition]) -> "dg.UnresolvedAssetJobDefinition":
    """Everything that is made by the day: raw rows, tables, documents."""
    return dg.define_asset_job(
        DAILY_JOB,
        selection=dg.AssetSelection.assets(*assets) - dg.AssetSelection.checks(AGREES_KEY),
        description="Reads the source for a range of days and refreshes everything made of them.",
        executor_def=dg.in_process_executor,
    )


def report_job(
    grain: Grain, assets: list[dg.AssetsDefinition]
) -> "dg.UnresolvedAssetJobDefinition":
    """The reports of a grain, and what shows them."""
    return dg.define_asset_job(
        REPORT_JOBS[grain],
        selection=dg.AssetSelection.assets(*assets),
        description=f"Makes the {grain} reports asked for, and those that late data changed.",
        executor_def=dg.in_process_executor,
    )


def topics_job(asset: dg.AssetsDefinition) -> "dg.UnresolvedAssetJobDefinition":
    """Finds topics among the conversations that fit none."""
    return _asset_job(TOPICS_JOB, asset, topics_job.__doc__)


def taxonomy_job(asset: dg.AssetsDefinition) -> "dg.UnresolvedAssetJobDefinition":
    """Looks at the taxonomy and the models, so that Dagster sees which days are stale."""
    return _asset_job(TAXONOMY_JOB, asset, taxonomy_job.__doc__)


def _asset_job(
    name: str, asset: dg.AssetsDefinition, description: str | None
) -> "dg.UnresolvedAssetJobDefinition":
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(asset),
        description=description,
        executor_def=dg.in_process_executor,
    )


def verify_job() -> "dg.UnresolvedAssetJobDefinition":
    """Compares source, lake and MongoDB: the days of a range its tags name, or all days."""
    return dg.define_asset_job(
        VERIFY_JOB,
        selection=dg.AssetSelection.checks(AGREES_KEY),
        description=verify_job.__doc__,
        executor_def=dg.in_process_executor,
    )


class SweepConfig(dg.Config):
    """How a sweep goes about deletions."""

    force: bool = Field(
        False, description="Let any number of rows vanish, more than MAX_DELETE_FRACTION too."
    )


def sweep_job(settings: Settings, resources: Mapping[str, Any]) -> dg.JobDefinition:
    """Compares every row of the source with the lake and marks the days that are behind.

    The sensor refreshes those days.
    """

    @dg.op(pool=SOURCE_POOL)
    def compare_every_row(
        context: dg.OpExecutionContext,
        config: SweepConfig,
        source: SourceResource,
        lake: LakeResource,
    ) -> None:
        from conversation_analytics.sync.look import sweep

        with (
            retried_if_unavailable(context, step_retries(settings)),
            source.session() as opened,
            closing(runner_for(settings)) as runner,
        ):
            look = sweep(settings, lake.open(), opened, runner, force=config.force)
        behind = {str(day): dict(reasons) for day, reasons in look.reasons.items()}
        context.add_output_metadata(
            {"rows_compared": look.rows["sweep"], "days_behind": len(behind), "behind": behind}
        )
        context.log.info("compared %s rows: %s days are behind", look.rows["sweep"], len(behind))

    @dg.job(
        name=SWEEP_JOB,
        description=sweep_job.__doc__,
        executor_def=dg.in_process_executor,
        # Bound here, or Dagster would copy the sensor and warn of what only Dagster can change.
        resource_defs=resources,
    )
    def sweep_everything() -> None:
        compare_every_row()

    return sweep_everything


def maintenance_job(
    settings: Settings, resources: Mapping[str, Any], assets: list[dg.AssetsDefinition]
) -> dg.JobDefinition:
    """Removes what killed writers left in the lake, and what Dagster need not remember.

    And shows Dagster the days of runs that were killed between writing a day and telling so.
    """

    @dg.op
    def tidy(context: dg.OpExecutionContext, lake: LakeResource) -> None:
        from conversation_analytics.storage.maintenance import tidy_lake

        with retried_if_unavailable(context, step_retries(settings)):
            context.add_output_metadata(asdict(tidy_lake(lake.open())))

    @dg.op
    def show_unseen_days(context: dg.OpExecutionContext, lake: LakeResource) -> None:
        from conversation_analytics.reconcile import report_unseen_days

        graph = dg.Definitions(assets, resources=resources).resolve_asset_graph()
        with retried_if_unavailable(context, step_retries(settings)):
            days = report_unseen_days(context.instance, settings, lake.open(), graph)
        context.add_output_metadata({"partitions_shown": days})

    @dg.op
    def forget_old_runs(context: dg.OpExecutionContext) -> None:
        before = datetime.now(UTC) - timedelta(days=settings.run_retention_days)
        context.add_output_metadata({"runs_deleted": forget_runs(context.instance, before)})

    @dg.job(
        name=MAINTENANCE_JOB,
        description=maintenance_job.__doc__,
        executor_def=dg.in_process_executor,
        resource_defs=resources,
    )
    def maintain() -> None:
        tidy()
        show_unseen_days()
        forget_old_runs()

    return maintain

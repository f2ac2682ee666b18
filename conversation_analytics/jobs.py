"""Jobs: one a grain, because a run has partitions of one kind."""

from __future__ import annotations

import dagster as dg

DAILY_JOB = "daily"


def daily_job(assets: list[dg.AssetsDefinition]) -> dg.UnresolvedAssetJobDefinition:
    """Everything that is made by the day: raw rows, tables, documents."""
    return dg.define_asset_job(
        DAILY_JOB,
        selection=dg.AssetSelection.assets(*assets),
        description="Reads the source for a range of days and refreshes everything made of them.",
        executor_def=dg.in_process_executor,
    )

"""The assets of reports: daily, weekly and monthly ones, models, users."""

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from conversation_analytics.assets.lake_tables import (
    LAKE_IO_MANAGER,
    OWNER,
    SINGLE_RUN,
    request_of,
)
from conversation_analytics.checks.blocking import blocking_checks
from conversation_analytics.checks.completeness import completeness_checks
from conversation_analytics.io_managers.day_stream import DayStream
from conversation_analytics.io_managers.metadata import column_schema, day_metadata
from conversation_analytics.io_managers.retries import (
    retried_if_unavailable,
    step_retries,
    to_be_retried,
)
from conversation_analytics.partitions import DayCalendar, day_key, parse_day
from conversation_analytics.periods import GRAINS, Grain, period_of
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.schemas import (
    CATEGORY_SUMMARIES,
    CONVERSATIONS,
    MESSAGE_ACTIVITY,
    USER_ANALYTICS,
    TableSchema,
)
from conversation_analytics.settings import Settings
from conversation_analytics.storage.days import commit_days
from conversation_analytics.storage.layout import REPORT_UNITS

GROUP: Final = "reports"
_STATES = (CONVERSATIONS.name, MESSAGE_ACTIVITY.name, CATEGORY_SUMMARIES.name)


def report_partitions(
    calendar: DayCalendar,
) -> dict[Grain, dg.TimeWindowPartitionsDefinition]:
    """The partitions of each grain, the one that is under way included.

    Their keys are first days: ``2024-01-01`` is a day, a week or a month.
    """
    # All grains share one start, a Monday that is the first of a month.
    common: dict[str, Any] = {
        "start_date": day_key(calendar.start),
        "timezone": calendar.timezone,
        "end_offset": 1,
    }
    return {
        "daily": dg.DailyPartitionsDefinition(**common),
        "weekly": dg.WeeklyPartitionsDefinition(day_offset=1, **common),
        "monthly": dg.MonthlyPartitionsDefinition(**common),
    }


def report_assets(settings: Settings) -> dict[Grain, list[dg.AssetsDefinition]]:
    """The assets of reports for the settings, by grain; those of users are among the daily."""
    partitions = report_partitions(settings.calendar)
    found = {grain: [_reports(settings, grain, partitions[grain])] for grain in GRAINS}
    found["daily"].insert(0, _users(settings))
    return found


def _spec(schema: TableSchema, **more: Any) -> dg.AssetSpec:
    return dg.AssetSpec(
        schema.name,
        group_name=GROUP,
        description=schema.description,
        kinds={"parquet", "duckdb"},
        owners=[OWNER],
        code_version="1",
        **more,
    )


def _reports(
    settings: Settings, grain: Grain, partitions: dg.TimeWindowPartitionsDefinition
) -> dg.AssetsDefinition:
    unit = REPORT_UNITS[grain]
    tables = [schema.name for schema in unit.tables]
    metadata = {
        schema.name: {"dagster/column_schema": column_schema(schema)} for schema in unit.tables
    }
    specs = [
        _spec(
            schema, deps=[*_STATES, USER_ANALYTICS.name], metadata=metadata[schema.name]
        ).with_io_manager_key(LAKE_IO_MANAGER)
        for schema in unit.tables
    ]

    @dg.multi_asset(
        name=unit.name,
        specs=specs,
        check_specs=[*blocking_checks(*tables), *completeness_checks(tables[0])],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def reports(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[Any]:
        from conversation_analytics.reports.days import ReportDays

        asked = [period_of(grain, parse_day(key)) for key in context.partition_keys]
        items = ReportDays(settings, lake.open(), grain, asked, request_of(context))
        yield from DayStream(context, items, step_retries(settings)).outputs()

    return reports


def _users(settings: Settings) -> dg.AssetsDefinition:
    schema, retries = USER_ANALYTICS, step_retries(settings)

    @dg.asset(
        name=schema.name,
        group_name=GROUP,
        description=schema.description,
        kinds={"parquet", "duckdb"},
        owners=[OWNER],
        deps=list(_STATES),
        metadata={"dagster/column_schema": column_schema(schema)},
        code_version="1",
    )
    def user_analytics(
        context: dg.AssetExecutionContext, lake: LakeResource
    ) -> dg.MaterializeResult[Any]:
        from conversation_analytics.reports.catalogue import Catalogue
        from conversation_analytics.reports.user_states import refreshed_users

        with retried_if_unavailable(context, retries):
            opened = lake.open()
            items = refreshed_users(opened, Catalogue.read(opened), request_of(context))
            reports = list(commit_days(opened, items, run_id=context.run.run_id))
        failed = [report for report in reports if report.outcome == "failed"]
        if failed:
            failure = dg.Failure(
                f"{len(failed)} of {len(reports)} states failed; the first: {failed[0].error}"
            )
            if any(report.transient for report in failed):
                raise to_be_retried(context, retries, failure) from failure
            raise failure
        whole = reports[-1]
        metadata = {
            **day_metadata(opened, schema, whole),
            "days_made_anew": sum(one.outcome == "committed" for one in reports[:-1]),
        }
        hash_ = whole.manifest.content_hash if whole.manifest else ""
        return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(hash_))

    return user_analytics

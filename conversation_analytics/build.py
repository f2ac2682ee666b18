"""Everything Dagster needs, built from the settings; fresh at each call, for tests to swap.

What only some settings need is imported when they ask for it: dagster-aws and pymongo double the
time that every process of Dagster takes to load this code location.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import SecretStr

from conversation_analytics.assets.category_tables import category_assets, taxonomy_asset
from conversation_analytics.assets.discovered_topics import discovered_topics_asset
from conversation_analytics.assets.lake_tables import LAKE_IO_MANAGER, lake_assets
from conversation_analytics.assets.partitions import daily_partitions
from conversation_analytics.assets.report_tables import report_assets
from conversation_analytics.assets.translation_tables import translation_assets
from conversation_analytics.checks.agreement import agreement_check
from conversation_analytics.checks.alerts import alert_checks
from conversation_analytics.io_managers.parquet import ParquetIOManager
from conversation_analytics.jobs import (
    daily_job,
    maintenance_job,
    report_job,
    sweep_job,
    taxonomy_job,
    topics_job,
    verify_job,
)
from conversation_analytics.notifications import notifiers
from conversation_analytics.resources.lake import LakeResource, LocalLakeResource
from conversation_analytics.resources.sources import FilesResource, NocoDBResource, SourceResource
from conversation_analytics.schedules import (
    maintenance_schedule,
    report_schedule,
    sweep_schedule,
    taxonomy_schedule,
    topics_schedule,
)
from conversation_analytics.sensors import changes_sensor, failure_sensor
from conversation_analytics.settings import DifyPurpose, Settings, load_settings

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource

    from conversation_analytics.resources.dify import DifyResource


def build_defs(
    settings: Settings | None = None, *, resource_overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """The definitions for the settings. Does no I/O beyond reading ``.env``.

    Args:
        settings: the settings; read from the environment if not given.
        resource_overrides: resources to use instead of those the settings describe, by key.

    Raises:
        SettingsError: a setting is wrong; names it.
    """
    settings = settings or load_settings()
    partitions = daily_partitions(settings.calendar)
    assets = lake_assets(settings, partitions) + category_assets(settings, partitions)
    assets += translation_assets(settings, partitions)
    reports = report_assets(settings)
    resources = _resources(settings)
    if settings.mongodb_uri:
        from conversation_analytics.assets.mongo_reports import (
            mongo_reports_asset,
            mongo_users_asset,
        )
        from conversation_analytics.assets.mongo_tables import mongo_assets

        assets += mongo_assets(settings, partitions)
        resources |= _mongo(settings)
        shown = mongo_reports_asset(settings)
        reports["daily"].append(mongo_users_asset(settings))
        reports = {grain: [*made, shown] for grain, made in reports.items()}
    resources |= resource_overrides or {}
    taxonomy, found = taxonomy_asset(settings), discovered_topics_asset(settings)
    daily, sweep = daily_job(assets), sweep_job(settings, resources)
    observing, topics = taxonomy_job(taxonomy), topics_job(found)
    report_jobs = {grain: report_job(grain, made) for grain, made in reports.items()}
    assets += dict.fromkeys(asset for made in reports.values() for asset in made)
    maintenance = maintenance_job(settings, resources, assets)
    return dg.Definitions(
        assets=[*assets, taxonomy, found],
        asset_checks=[agreement_check(settings, partitions), *alert_checks(settings)],
        jobs=[
            daily,
            *report_jobs.values(),
            sweep,
            verify_job(),
            maintenance,
            observing,
            topics,
        ],
        schedules=[
            sweep_schedule(settings, sweep),
            maintenance_schedule(settings, maintenance),
            taxonomy_schedule(settings, observing),
            topics_schedule(settings, topics),
            *(report_schedule(settings, grain, job) for grain, job in report_jobs.items()),
        ],
        sensors=[
            changes_sensor(settings, daily, sweep),
            failure_sensor(settings, notifiers(settings)),
        ],
        resources=resources,
        executor=dg.in_process_executor,
    )


def _resources(settings: Settings) -> dict[str, Any]:
    s3 = {"s3": _s3(settings)} if settings.s3_enabled else {}
    lake = _lake(settings, s3)
    source = _source(settings)
    resources: dict[str, Any] = {
        **s3,
        "lake": lake,
        LAKE_IO_MANAGER: ParquetIOManager(lake=lake),
        "source": source,
    }
    if isinstance(source, NocoDBResource):
        resources["nocodb"] = source
    if settings.dify_base_url:
        resources["dify"] = _dify(settings)
    return resources


def _dify(settings: Settings) -> DifyResource:
    from conversation_analytics.resources.dify import DifyResource

    return DifyResource(
        base_url=settings.dify_base_url or "",
        translate_api_key=_dify_key(settings, "translate"),
        categorize_api_key=_dify_key(settings, "categorize"),
        user=settings.dify_user,
        max_calls_per_run=settings.dify_max_calls_per_run,
        max_cost=None if settings.dify_max_cost is None else str(settings.dify_max_cost),
        max_concurrency=settings.dify_max_concurrency,
        calls_per_minute=settings.dify_calls_per_minute,
        batch_size=settings.dify_batch_size,
        max_attempts=settings.dify_max_attempts,
        idle_timeout=settings.dify_idle_timeout,
        run_timeout=settings.dify_run_timeout,
        max_retries=settings.max_retries,
        retry_delay=settings.retry_delay,
        io_threads=settings.io_threads,
        mongodb_uri=_secret("MONGODB_URI", settings.mongodb_uri) or "",
        mongodb_database=settings.mongodb_database,
        mongodb_calls_collection=settings.mongodb_dify_calls_collection,
        mongodb_claims_collection=settings.mongodb_dify_claims_collection,
    )


def _dify_key(settings: Settings, purpose: DifyPurpose) -> str:
    found = settings.dify_key(purpose)
    return (_secret(*found) or "") if found else ""


def _mongo(settings: Settings) -> dict[str, Any]:
    from conversation_analytics.assets.mongo_tables import MONGO_IO_MANAGER
    from conversation_analytics.io_managers.mongo import MongoIOManager
    from conversation_analytics.resources.mongo import MongoResource

    mongo = MongoResource(
        uri=_secret("MONGODB_URI", settings.mongodb_uri) or "",
        database=settings.mongodb_database,
        batch_size=settings.batch_size,
        io_threads=settings.io_threads,
    )
    return {"mongo": mongo, MONGO_IO_MANAGER: MongoIOManager(mongo=mongo)}


def _s3(settings: Settings) -> S3Resource:
    from dagster_aws.s3 import S3Resource

    return S3Resource(
        region_name=settings.aws_region,
        endpoint_url=settings.aws_endpoint_url,
        aws_access_key_id=settings.aws_access_key_id,
        aws_secret_access_key=_secret("AWS_SECRET_ACCESS_KEY", settings.aws_secret_access_key),
        max_attempts=settings.max_retries + 1,
    )


def _lake(settings: Settings, s3: dict[str, S3Resource]) -> LakeResource:
    options: dict[str, Any] = {
        "partition_by": settings.parquet_partition_by,
        "compression": settings.parquet_compression,
        "row_group_size": settings.parquet_row_group_size,
        "page_size": settings.parquet_page_size,
        "max_records": settings.parquet_max_records_per_file,
        "target_megabytes": settings.parquet_target_file_size_mb,
        "io_threads": settings.io_threads,
    }
    if not s3:
        return LocalLakeResource(base_dir=str(settings.parquet_base_dir), **options)

    from conversation_analytics.resources.s3_lake import S3LakeResource

    return S3LakeResource(
        bucket=settings.s3_bucket or "", prefix=settings.s3_prefix, s3=s3["s3"], **options
    )


def _source(settings: Settings) -> SourceResource:
    mapping_file = str(settings.field_mapping_file) if settings.field_mapping_file else None
    if settings.source_kind == "files":
        return FilesResource(
            folder=str(settings.source_dir),
            profile=settings.source_profile,
            mapping_file=mapping_file,
            page_rows=settings.chunk_size,
        )
    return NocoDBResource(
        base_url=settings.nocodb_base_url or "",
        api_token=_secret("NOCODB_API_TOKEN", settings.nocodb_api_token) or "",
        base_id=settings.nocodb_project_id or "",
        conversation_table=settings.nocodb_conversation_table,
        messages_table=settings.nocodb_messages_table,
        profile=settings.source_profile,
        mapping_file=mapping_file,
        max_retries=settings.max_retries,
        retry_delay=settings.retry_delay,
        batch_size=settings.batch_size,
    )


def _secret(name: str, value: SecretStr | None) -> str | None:
    """A secret as the name of an environment variable, because Dagster's UI shows values.

    The variable is the setting's own, which holds the value unless that came from elsewhere
    than the environment; a value already there for something else is left alone.
    """
    if value is None:
        return None
    while os.environ.setdefault(name, value.get_secret_value()) != value.get_secret_value():
        name += "_"
    return dg.EnvVar(name)

"""Everything Dagster needs, built from the settings; fresh at each call, for tests to swap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from conversation_analytics.assets.lake_tables import LAKE_IO_MANAGER, lake_assets
from conversation_analytics.assets.mongo_tables import MONGO_IO_MANAGER, mongo_assets
from conversation_analytics.assets.partitions import daily_partitions
from conversation_analytics.io_managers.mongo import MongoIOManager
from conversation_analytics.io_managers.parquet import ParquetIOManager
from conversation_analytics.jobs import daily_job
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.resources.mongo import MongoResource
from conversation_analytics.resources.sources import FilesResource, NocoDBResource, SourceResource
from conversation_analytics.settings import Settings, load_settings


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
    assets = lake_assets(settings, partitions)
    if settings.mongodb_uri:
        assets += mongo_assets(settings, partitions)
    return dg.Definitions(
        assets=assets,
        jobs=[daily_job(assets, partitions)],
        resources={**_resources(settings), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


def _resources(settings: Settings) -> dict[str, Any]:
    s3 = _s3(settings)
    lake = _lake(settings, s3)
    source = _source(settings)
    resources: dict[str, Any] = {
        "s3": s3,
        "lake": lake,
        LAKE_IO_MANAGER: ParquetIOManager(lake=lake),
        "source": source,
    }
    if isinstance(source, NocoDBResource):
        resources["nocodb"] = source
    if settings.mongodb_uri:
        mongo = MongoResource(
            uri=settings.mongodb_uri.get_secret_value(),
            database=settings.mongodb_database,
            batch_size=settings.batch_size,
            io_threads=settings.io_threads,
        )
        resources |= {"mongo": mongo, MONGO_IO_MANAGER: MongoIOManager(mongo=mongo)}
    return resources


def _s3(settings: Settings) -> S3Resource:
    secret = settings.aws_secret_access_key
    return S3Resource(
        region_name=settings.aws_region,
        endpoint_url=settings.aws_endpoint_url,
        aws_access_key_id=settings.aws_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        max_attempts=settings.max_retries + 1,
    )


def _lake(settings: Settings, s3: S3Resource) -> LakeResource:
    return LakeResource(
        base_dir=str(settings.parquet_base_dir),
        bucket=settings.s3_bucket if settings.s3_enabled else None,
        prefix=settings.s3_prefix,
        s3=s3,
        partition_by=settings.parquet_partition_by,
        compression=settings.parquet_compression,
        row_group_size=settings.parquet_row_group_size,
        page_size=settings.parquet_page_size,
        max_records=settings.parquet_max_records_per_file,
        target_megabytes=settings.parquet_target_file_size_mb,
        io_threads=settings.io_threads,
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
    token = settings.nocodb_api_token
    return NocoDBResource(
        base_url=settings.nocodb_base_url or "",
        api_token=token.get_secret_value() if token else "",
        base_id=settings.nocodb_project_id or "",
        conversation_table=settings.nocodb_conversation_table,
        messages_table=settings.nocodb_messages_table,
        profile=settings.source_profile,
        mapping_file=mapping_file,
        max_retries=settings.max_retries,
        retry_delay=settings.retry_delay,
        batch_size=settings.batch_size,
    )

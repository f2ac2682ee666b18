"""The assets of MongoDB: collections that show the lake's tables."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from conversation_analytics.assets.lake_tables import OWNER, SINGLE_RUN
from conversation_analytics.io_managers.day_stream import DayStream
from conversation_analytics.io_managers.metadata import column_schema
from conversation_analytics.io_managers.mongo import COLLECTION
from conversation_analytics.io_managers.retries import retried_if_unavailable, step_retries
from conversation_analytics.partitions import parse_day
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.resources.mongo import MongoResource
from conversation_analytics.settings import Settings
from conversation_analytics.storage.collections import COLLECTIONS, Collection
from conversation_analytics.storage.mongo_days import recorded
from conversation_analytics.storage.publish import lake_days

MONGO_IO_MANAGER = "mongo_io_manager"


def mongo_assets(
    settings: Settings, partitions: dg.PartitionsDefinition[str]
) -> list[dg.AssetsDefinition]:
    """The collections' assets for the settings."""
    retries = step_retries(settings)
    return [_asset(one, one.name(settings), partitions, retries) for one in COLLECTIONS.values()]


def _asset(
    collection: Collection,
    name: str,
    partitions: dg.PartitionsDefinition[str],
    retries: dg.RetryPolicy,
) -> dg.AssetsDefinition:
    schema = collection.schema
    spec = dg.AssetSpec(
        collection.asset,
        group_name="operational",
        description=f"{schema.description} As documents of the collection {name}.",
        kinds={"mongodb"},
        owners=[OWNER],
        deps=list(collection.tables),
        metadata={COLLECTION: name, "dagster/column_schema": column_schema(schema)},
        code_version="1",
    ).with_io_manager_key(MONGO_IO_MANAGER)

    @dg.multi_asset(
        name=collection.asset,
        specs=[spec],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def collection_asset(
        context: dg.AssetExecutionContext, lake: LakeResource, mongo: MongoResource
    ) -> Iterator[Any]:
        days = [parse_day(key) for key in context.partition_keys]
        with retried_if_unavailable(context, retries):
            known = recorded(mongo.connect(), name)
        items = lake_days(lake.open(), collection, days, known)
        yield from DayStream(context, items, retries).outputs()

    return collection_asset

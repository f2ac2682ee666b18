"""The assets of MongoDB: collections that show the lake's tables."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from conversation_analytics.assets.lake_tables import OWNER, SINGLE_RUN
from conversation_analytics.io_managers.day_stream import DayStream
from conversation_analytics.io_managers.metadata import column_schema
from conversation_analytics.io_managers.mongo import COLLECTION
from conversation_analytics.partitions import parse_day
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.resources.mongo import MongoResource
from conversation_analytics.settings import Settings
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT, MESSAGES_UNIT, Unit
from conversation_analytics.storage.mongo_days import recorded
from conversation_analytics.storage.publish import lake_days

MONGO_IO_MANAGER = "mongo_io_manager"


def mongo_assets(
    settings: Settings, partitions: dg.PartitionsDefinition[str]
) -> list[dg.AssetsDefinition]:
    """The collections' assets for the settings."""
    return [
        _collection(
            "mongo_conversation_analytics",
            settings.mongodb_conversations_collection,
            CONVERSATIONS_UNIT,
            partitions,
        ),
        _collection(
            "mongo_conversation_messages",
            settings.mongodb_messages_collection,
            MESSAGES_UNIT,
            partitions,
        ),
    ]


def _collection(
    name: str, collection: str, unit: Unit, partitions: dg.PartitionsDefinition[str]
) -> dg.AssetsDefinition:
    (schema,) = unit.tables

    spec = dg.AssetSpec(
        name,
        group_name="operational",
        description=f"{schema.description} As documents of the collection {collection}.",
        kinds={"mongodb"},
        owners=[OWNER],
        deps=[schema.name],
        metadata={COLLECTION: collection, "dagster/column_schema": column_schema(schema)},
        code_version="1",
    ).with_io_manager_key(MONGO_IO_MANAGER)

    @dg.multi_asset(name=name, specs=[spec], partitions_def=partitions, backfill_policy=SINGLE_RUN)
    def collection_asset(
        context: dg.AssetExecutionContext, lake: LakeResource, mongo: MongoResource
    ) -> Iterator[Any]:
        days = [parse_day(key) for key in context.partition_keys]
        known = recorded(mongo.connect(), collection)
        yield from DayStream(context, lake_days(lake.open(), unit, days, known)).outputs()

    return collection_asset

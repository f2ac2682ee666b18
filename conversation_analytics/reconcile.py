"""Telling Dagster of days that are there without its knowing: a crash came between the two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from conversation_analytics.io_managers.day_stream import CODE_VERSION_TAG, DATA_VERSION_TAG
from conversation_analytics.io_managers.metadata import day_metadata
from conversation_analytics.io_managers.mongo import COLLECTION
from conversation_analytics.partitions import day_key
from conversation_analytics.settings import Settings
from conversation_analytics.storage.days import DayReport
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import UNITS, UNPLACED, USER_ANALYTICS_UNIT
from conversation_analytics.storage.mongo_client import connect
from conversation_analytics.storage.mongo_days import recorded


def report_unseen_days(
    instance: dg.DagsterInstance, settings: Settings, lake: Lake, graph: dg.AssetGraph
) -> int:
    """Report committed days that Dagster does not show as materialised; tells how many.

    Raises:
        StorageError: the lake or MongoDB cannot be read.
    """
    count = 0
    for event in (*_of_lake(instance, lake, graph), *_of_mongo(instance, settings, graph)):
        instance.report_runless_asset_event(event)
        count += 1
    return count


def _of_lake(
    instance: dg.DagsterInstance, lake: Lake, graph: dg.AssetGraph
) -> Iterator[dg.AssetMaterialization]:
    for unit in (unit for unit in UNITS.values() if unit not in (UNPLACED, USER_ANALYTICS_UNIT)):
        shown = [schema for schema in unit.tables if graph.has(dg.AssetKey(schema.name))]
        days = lake.days(unit) if shown else []
        for schema in shown:
            key = dg.AssetKey(schema.name)
            seen = instance.get_materialized_partitions(key)
            unseen = [day for day in days if day_key(day) not in seen]
            for day, manifest in lake.manifests(unit, unseen).items():
                metadata = day_metadata(lake, schema, DayReport(unit.name, day, "kept", manifest))
                hash_ = manifest.tables[schema.name].content_hash
                yield _event(graph, key, day_key(day), metadata, hash_)


def _of_mongo(
    instance: dg.DagsterInstance, settings: Settings, graph: dg.AssetGraph
) -> Iterator[dg.AssetMaterialization]:
    collections = collections_of(graph)
    if not (settings.mongodb_uri and collections):
        return
    uri = settings.mongodb_uri.get_secret_value()
    database = connect(uri, database=settings.mongodb_database)
    try:
        for key, collection in collections.items():
            if graph.get(key).partitions_def is None:
                continue
            seen = instance.get_materialized_partitions(key)
            for day, record in recorded(database, collection).items():
                if day_key(day) in seen:
                    continue
                metadata = {
                    "dagster/row_count": record.rows,
                    "content_hash": record.content_hash,
                    "epoch": record.epoch,
                }
                yield _event(graph, key, day_key(day), metadata, record.content_hash)
    finally:
        database.client.close()


def collections_of(graph: dg.AssetGraph) -> dict[dg.AssetKey, str]:
    """The collection of each asset that is published to MongoDB."""
    return {
        key: str(graph.get(key).metadata[COLLECTION])
        for key in graph.get_all_asset_keys()
        if COLLECTION in graph.get(key).metadata
    }


def _event(
    graph: dg.AssetGraph, key: dg.AssetKey, day: str, metadata: dict[str, Any], hash_: str
) -> dg.AssetMaterialization:
    tags = {DATA_VERSION_TAG: hash_}
    code_version = graph.get(key).code_version
    if code_version:
        tags[CODE_VERSION_TAG] = code_version
    return dg.AssetMaterialization(key, partition=day, metadata=metadata, tags=tags)

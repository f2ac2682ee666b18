"""Emptying a lake that was made with other settings, so that it can be filled anew."""

from __future__ import annotations

import re

import dagster as dg

from conversation_analytics.reconcile import collections_of
from conversation_analytics.schemas import USER_ANALYTICS
from conversation_analytics.settings import Settings
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    ALL_DAYS,
    CLAIMS_FOLDER,
    INDEX_FOLDER,
    LAKE_FILE,
    REPORT_UNITS,
    REPORTS_FOLDER,
    SYNC_FOLDER,
    TAXONOMIES_FOLDER,
    TOPICS_FOLDER,
    UNITS,
    UNKNOWN_DAY,
    Layout,
)
from conversation_analytics.storage.mongo_client import connect, our_errors
from conversation_analytics.storage.mongo_days import DAYS

_PARTITION = r"(date=[^/]+|year=[^/]+/month=[^/]+/day=[^/]+)"
_FILE = r"([a-z_]+(-\d{5})?\.parquet|_manifest\.json)"
_DOCUMENT = r"report\.(json|html)"


def keys_to_delete(lake: Lake) -> list[str]:
    """The keys of everything that is ours in a lake, however it was partitioned.

    The identity comes last: while it is there, a rebuild that was cut off shows.
    """
    keys = []
    for prefix, pattern in _patterns().items():
        keys += [key for key in lake.store.list(prefix) if pattern.fullmatch(key)]
    for folder in (INDEX_FOLDER, CLAIMS_FOLDER, SYNC_FOLDER, TAXONOMIES_FOLDER, TOPICS_FOLDER):
        keys += lake.store.list(folder)
    return [*dict.fromkeys(keys), *(key for key in lake.store.list(LAKE_FILE) if key == LAKE_FILE)]


def empty(
    settings: Settings,
    lake: Lake,
    keys: list[str],
    instance: dg.DagsterInstance,
    graph: dg.AssetGraph,
) -> None:
    """Delete the keys, the documents made from them, and what Dagster knows of both.

    Documents go first: while they are there, the lake's epochs must not begin again.

    Raises:
        StorageError: the lake or MongoDB cannot be written.
    """
    collections = collections_of(graph)
    if settings.mongodb_uri and collections:
        database = connect(
            settings.mongodb_uri.get_secret_value(), database=settings.mongodb_database
        )
        with our_errors("deleting the documents of the lake that is rebuilt"):
            for name in collections.values():
                database[name].delete_many({"partition": {"$exists": True}})
            database[DAYS].delete_many({"collection": {"$in": list(collections.values())}})
        database.client.close()
    lake.store.delete(keys)
    tables = {schema.name for unit in UNITS.values() for schema in unit.tables}
    ours = [key for key in graph.get_all_asset_keys() if key.path[-1] in tables]
    instance.wipe_assets([*ours, *collections])


def _patterns() -> dict[str, re.Pattern[str]]:
    """What the keys of a table's files look like, by what they start with."""
    layout = Layout()
    found: dict[str, str] = {}
    found[REPORTS_FOLDER] = rf"{REPORTS_FOLDER}(daily|weekly|monthly)/[^/]+/({_FILE}|{_DOCUMENT})"
    days = (unit for unit in UNITS.values() if unit not in REPORT_UNITS.values() and unit.grain)
    for unit in days:
        for schema in unit.tables:
            folder = layout.folder(schema.name, UNKNOWN_DAY)
            before, _, after = folder.partition(layout.partition(UNKNOWN_DAY))
            pattern = f"{re.escape(before)}{_PARTITION}/({re.escape(after[1:])})?{_FILE}"
            # Folders nest, so one prefix may stand for several tables.
            known = found.get(before)
            found[before] = f"{known}|{pattern}" if known else pattern
    users = layout.folder(USER_ANALYTICS.name, ALL_DAYS)
    found[users] += f"|{users}{_FILE}"
    return {prefix: re.compile(pattern) for prefix, pattern in found.items()}

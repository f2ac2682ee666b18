"""The indexes of MongoDB's collections: each serves a query of the API or of the writer.

Every index slows writing, so the one the writer needs is made before a first load and the others
after it: building an index over many documents at once costs far less than keeping it up to date.
"""

from __future__ import annotations

from collections.abc import Mapping

from pymongo import ASCENDING, DESCENDING

from conversation_analytics.storage.mongo_client import MongoDatabase, our_errors

Index = tuple[tuple[str, int], ...]
BY_DAY: Index = (("partition", ASCENDING),)
INDEXES: Mapping[str, tuple[Index, ...]] = {
    "conversations": (
        BY_DAY,
        (("user_id", ASCENDING), ("started_at", DESCENDING)),
    ),
    "messages": (
        BY_DAY,
        (("conversation_id", ASCENDING), ("turn_index", ASCENDING)),
    ),
}


def ensure_indexes(database: MongoDatabase, names: Mapping[str, str]) -> None:
    """Create the indexes of `INDEXES` that are missing.

    Args:
        database: where.
        names: table → collection; a table that `INDEXES` does not know is indexed by day only.

    Raises:
        StoreUnavailable: MongoDB cannot be reached.
        StorageError: an index on the same fields exists with other options.
    """
    for table, collection in names.items():
        with our_errors(f"making the indexes of {collection}"):
            for keys in INDEXES.get(table, (BY_DAY,)):
                database[collection].create_index(list(keys))


def ensure_day_index(database: MongoDatabase, collection: str) -> None:
    """Create the index by day if it is missing.

    Raises:
        StoreUnavailable: MongoDB cannot be reached.
        StorageError: an index on the same field exists with other options.
    """
    with our_errors(f"making the indexes of {collection}"):
        database[collection].create_index(list(BY_DAY))

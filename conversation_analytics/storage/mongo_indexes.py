"""The indexes of MongoDB's collections: each serves a query of the API or of the writer.

They are made before the first document: the server keeps them up to date while the client makes
the next documents, which takes less time than building them afterwards, and readers never miss one.
"""

from __future__ import annotations

from collections.abc import Mapping

from pymongo import ASCENDING, DESCENDING, IndexModel

from conversation_analytics.storage.mongo_client import MongoDatabase, our_errors

Index = tuple[tuple[str, int], ...]
_BY_DAY: Index = (("partition", ASCENDING),)
INDEXES: Mapping[str, tuple[Index, ...]] = {
    "conversations": (
        _BY_DAY,
        (("user_id", ASCENDING), ("started_at", DESCENDING)),
    ),
    "messages": (
        _BY_DAY,
        (("conversation_id", ASCENDING), ("turn_index", ASCENDING)),
    ),
    "dify_calls": (
        (("workflow", ASCENDING), ("day", ASCENDING)),
        (("workflow", ASCENDING), ("state", ASCENDING)),
        (("keys", ASCENDING),),
    ),
}


def ensure_indexes(database: MongoDatabase, table: str, collection: str) -> None:
    """Create the indexes of `INDEXES` that are missing.

    Args:
        database: where.
        table: whose rows the collection has; one that `INDEXES` does not know is indexed by day.
        collection: its name.

    Raises:
        StoreUnavailable: MongoDB cannot be reached.
        StorageError: an index on the same fields exists with other options.
    """
    models = [IndexModel(list(keys)) for keys in INDEXES.get(table, (_BY_DAY,))]
    with our_errors(f"making the indexes of {collection}"):
        database[collection].create_indexes(models)

"""The source's columns as they were when the lake was last filled: one small object in the lake.

    _sync/columns.json

What a reading takes for granted is written down here, so that a later one can tell that a column
is gone, means something else, or is new.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conversation_analytics.errors import StorageError
from conversation_analytics.storage.layout import SYNC_FOLDER
from conversation_analytics.storage.store import ObjectStore

_KEY = f"{SYNC_FOLDER}columns.json"


class KnownTable(BaseModel):
    """The columns of a source table.

    Attributes:
        columns: type of each column, in the source's words; empty where it does not tell.
        fields: by field, the columns it is read from.
    """

    model_config = ConfigDict(frozen=True)

    columns: dict[str, str] = Field(default_factory=dict)
    fields: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class KnownColumns(BaseModel):
    """The columns of a source.

    Attributes:
        tables: each source table, by name.
    """

    model_config = ConfigDict(frozen=True)

    tables: dict[str, KnownTable]


def read_columns(store: ObjectStore) -> KnownColumns | None:
    """The columns the lake knows of; null if its source was not read yet.

    Raises:
        StorageError: the note is damaged, or the store cannot be read.
    """
    data = store.get(_KEY)
    try:
        return None if data is None else KnownColumns.model_validate_json(data)
    except ValidationError as error:
        raise StorageError(
            f"{store.url}/{_KEY} is damaged: accept the source's columns as they are with: "
            "conversation-analytics source check --accept"
        ) from error


def write_columns(store: ObjectStore, columns: KnownColumns) -> None:
    """Remember the columns.

    Raises:
        StoreUnavailable: the store cannot be written.
    """
    store.put(_KEY, columns.model_dump_json(indent=1).encode())

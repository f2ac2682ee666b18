"""How far the source's changes have been looked at: one small object in the lake.

    _sync/cursor/0000000012.json

Every change that was visible when the cursor's mark was taken is in the lake, or its day has a
token (see `storage.pending`): tokens are written before the cursor moves. A pass over many
changes may be interrupted after any page; the cursor then says where to go on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from conversation_analytics.errors import FencedWriter, StorageError
from conversation_analytics.sources.base import SourceTable
from conversation_analytics.storage.failpoints import CURSOR, failpoint
from conversation_analytics.storage.layout import SYNC_FOLDER
from conversation_analytics.storage.store import ObjectStore

_CURSORS = f"{SYNC_FOLDER}cursor/"


class Pass(BaseModel):
    """A look at the changes that is under way.

    Attributes:
        mark: what the cursor's mark becomes when it is through.
        table: the table that is being read.
        after: key of the last row seen in it, null before the first.
    """

    model_config = ConfigDict(frozen=True)

    mark: datetime
    table: SourceTable = "conversations"
    after: int | str | None = None


class Cursor(BaseModel):
    """How far the source's changes have been looked at.

    Attributes:
        epoch: number of the cursor; the next one has a higher one.
        source: which source and mapping it speaks of.
        mark: changes up to this moment of the source's clock have been seen.
        version: the source's version at that moment, for sources that have one.
        under_way: a pass that was interrupted, null if there is none.
    """

    model_config = ConfigDict(frozen=True)

    epoch: int = 0
    source: str
    mark: datetime
    version: str | None = None
    under_way: Pass | None = None

    def next(self, **changes: object) -> Self:
        """The cursor that follows this one."""
        return self.model_copy(update={**changes, "epoch": self.epoch + 1})


class CursorStore:
    """Where the cursor is kept."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def read(self) -> Cursor | None:
        """The newest cursor; null if the source was never looked at.

        Raises:
            StorageError: it is damaged, or the store cannot be read.
        """
        keys = self._store.list(_CURSORS)
        data = self._store.get(keys[-1]) if keys else None
        if data is None:  # none, or a newer one has just taken its place
            return self.read() if keys else None
        try:
            return Cursor.model_validate_json(data)
        except ValidationError as error:
            raise StorageError(
                f"{self._store.url}/{keys[-1]} is damaged: delete it, and the next sync compares "
                "everything"
            ) from error

    def write(self, cursor: Cursor) -> None:
        """Move the cursor.

        Raises:
            FencedWriter: another sync has moved it meanwhile; its cursor is as good as this one.
        """
        failpoint(CURSOR)
        key = f"{_CURSORS}{cursor.epoch:010d}.json"
        if not self._store.create(key, cursor.model_dump_json().encode()):
            raise FencedWriter(
                f"another sync is at work: it has moved the cursor to epoch {cursor.epoch} before "
                "this one could; nothing is lost, this one leaves the rest to it"
            )
        self._store.delete(old for old in self._store.list(_CURSORS) if old < key)

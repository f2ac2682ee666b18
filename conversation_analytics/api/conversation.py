"""One conversation with its messages, categories and translations.

MongoDB answers by id at once and is asked first where there is one; the lake knows the day of an id
by its index, and has everything.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pymongo.errors import PyMongoError

from conversation_analytics.api.reader import LakeReader
from conversation_analytics.api.rows import Row, row_of, rows_of
from conversation_analytics.errors import ConversationAnalyticsError
from conversation_analytics.schemas import CATEGORIES, MESSAGES, TRANSLATIONS
from conversation_analytics.settings import Settings
from conversation_analytics.storage.collections import COLLECTIONS, CONVERSATION_DOCUMENTS
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    TRANSLATIONS_UNIT,
    Unit,
)
from conversation_analytics.storage.mongo_client import MongoDatabase, connect, in_our_words

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 2.0
_LEAVE_ALONE_SECONDS = 30.0
_TOLD = {
    CATEGORIES_UNIT.name: (CATEGORIES_UNIT, CATEGORIES),
    TRANSLATIONS_UNIT.name: (TRANSLATIONS_UNIT, TRANSLATIONS),
}


@dataclass(frozen=True)
class Found:
    """A conversation and what belongs to it.

    Attributes:
        conversation: its row.
        messages: some of its messages, in their order, one more than asked for if there are more.
        told: rows of `categories` and `translations`, of all its messages.
    """

    conversation: Row
    messages: list[Row]
    told: Mapping[str, list[Row]]

    def answer(self, limit: int) -> dict[str, Any]:
        """What is answered: at most `limit` messages, and what was told of them."""
        shown, rest = self.messages[:limit], self.messages[limit:]
        ids = {None, *(row["message_id"] for row in shown)}
        told = {
            name: [row for row in rows if row["message_id"] in ids]
            for name, rows in self.told.items()
        }
        following = rest[0]["turn_index"] if rest else None
        return {
            "conversation": self.conversation,
            "messages": shown,
            **told,
            "next_turn": following,
        }


def in_lake(reader: LakeReader, id_: str, *, turn: int, most: int) -> Found | None:
    """A conversation of the lake; null if it has none of the id.

    Raises:
        Problem: its day is damaged.
    """
    day = reader.day_of(id_)
    rows = None if day is None else reader.conversations(day)
    own = None if rows is None else _of(rows, id_)
    if day is None or own is None or not own.num_rows:
        return None

    def table(unit: Unit, name: str) -> pa.Table:
        found = reader.table(unit, name, day)
        return None if found is None else _of(found, id_)

    messages = table(MESSAGES_UNIT, MESSAGES.name)
    if messages is not None:
        messages = messages.filter(pc.greater_equal(messages["turn_index"], turn))
    told = {name: table(unit, schema.name) for name, (unit, schema) in _TOLD.items()}
    return Found(
        rows_of(own)[0],
        [] if messages is None else rows_of(messages.slice(0, most)),
        {name: [] if rows is None else rows_of(rows) for name, rows in told.items()},
    )


class MongoLookup:
    """Conversations by their id in MongoDB. One that does not answer is left alone for a while."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database: MongoDatabase | None = None
        self._again_at = 0.0
        self._lock = threading.Lock()

    @property
    def configured(self) -> bool:
        """Whether there is a MongoDB at all."""
        return self._settings.mongodb_uri is not None

    def find(self, id_: str, *, turn: int, most: int) -> Found | None:
        """A conversation; null if MongoDB has none of the id, or does not answer."""
        database = self._connected()
        if database is None:
            return None
        try:
            return self._found(database, id_, turn, most)
        except PyMongoError as error:
            self._leave_alone(in_our_words(error, "reading a conversation"))
            return None

    def answers(self) -> bool:
        """Whether it can be asked now."""
        database = self._connected()
        if database is None:
            return False
        try:
            database.command("ping")
        except PyMongoError as error:
            self._leave_alone(in_our_words(error, "asking whether it is there"))
            return False
        return True

    def close(self) -> None:
        """End the connection."""
        if self._database is not None:
            self._database.client.close()

    def _found(self, database: MongoDatabase, id_: str, turn: int, most: int) -> Found | None:
        def collection(unit: Unit) -> Any:
            return database[COLLECTIONS[unit.name].name(self._settings)]

        own = collection(CONVERSATIONS_UNIT).find_one({"_id": id_})
        if own is None:
            return None
        of_turns = {"conversation_id": id_, "turn_index": {"$gte": turn}}
        messages = collection(MESSAGES_UNIT).find(of_turns).sort("turn_index", 1).limit(most)
        # By _id, which begins with the conversation's: `}` follows `|`. Ids may hold a `|` too.
        of_it = {"_id": {"$gte": f"{id_}|", "$lt": f"{id_}}}"}, "conversation_id": id_}
        return Found(
            row_of(own, CONVERSATION_DOCUMENTS.names),
            [row_of(one, MESSAGES.names) for one in messages],
            {
                name: [row_of(one, schema.names) for one in collection(unit).find(of_it)]
                for name, (unit, schema) in _TOLD.items()
            },
        )

    def _connected(self) -> MongoDatabase | None:
        uri = self._settings.mongodb_uri
        if uri is None:
            return None
        with self._lock:
            if time.monotonic() < self._again_at:
                return None
            if self._database is None:
                try:
                    self._database = connect(
                        uri.get_secret_value(),
                        database=self._settings.mongodb_database,
                        timeout_seconds=_CONNECT_SECONDS,
                    )
                except ConversationAnalyticsError as error:
                    self._leave_alone(error)
            return self._database

    def _leave_alone(self, error: ConversationAnalyticsError) -> None:
        logger.warning("%s The lake answers instead.", error)
        self._again_at = time.monotonic() + _LEAVE_ALONE_SECONDS


def _of(table: pa.Table, id_: str) -> pa.Table:
    return table.filter(pc.equal(table["conversation_id"], id_))

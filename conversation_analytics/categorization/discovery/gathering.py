"""The conversations of the lake that no topic fits, and what a discovery leaves to the next one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.categorization.discovery.discover import Discovery, discover
from conversation_analytics.categorization.discovery.lineage import State
from conversation_analytics.categorization.discovery.texts import LONGEST, Conversations
from conversation_analytics.errors import CategorizationError
from conversation_analytics.schemas import CATEGORIES, CATEGORY_SUMMARIES, CONVERSATIONS
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    TOPICS_FOLDER,
    Unit,
)
from conversation_analytics.storage.store import ObjectStore

_STATE: Final = f"{TOPICS_FOLDER}state.json"
_FITS_NONE: Final = pa.array(
    ["below_threshold", "unmeasured_language", "llm_invalid", "out_of_scope"]
)
_COLUMNS: Final = pa.schema(
    [
        pa.field("conversation_id", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("started_at", CONVERSATIONS.arrow.field("started_at").type),
        pa.field("text", pa.string()),
        pa.field("language", pa.string()),
    ]
)


def rediscover(lake: Lake, days: Sequence[date] | None = None, *, min_users: int) -> Discovery:
    """Find the topics of conversations that no topic fits, and follow those of the last time.

    Args:
        lake: where the conversations are.
        days: only these; null for all that have categories. Of some days nothing is kept: the
            next discovery would take the topics of all others for gone, and give them new ids.
        min_users: different users that a topic must have to be shown.

    Raises:
        CategorizationError: what the last discovery left cannot be used; says what to do.
        StorageError: the lake cannot be used.
    """
    before = _last_state(lake.store)
    some = without_topic(lake, lake.days(CATEGORIES_UNIT) if days is None else days)
    found = discover(some, before, min_users=min_users)
    if days is None:
        lake.store.put(_STATE, orjson.dumps(found.state.as_dict()))
    return found


def without_topic(lake: Lake, days: Sequence[date]) -> Conversations:
    """The conversations of some days that no topic fits though their users say something.

    Args:
        lake: where they are.
        days: which days; those without categories have none.

    Raises:
        StorageError: the lake cannot be read.
    """
    parts = [_COLUMNS.empty_table(), *(part for day in days for part in _of_day(lake, day))]
    return Conversations.of(_each_once(pa.concat_tables(parts)))


def _each_once(rows: pa.Table) -> pa.Table:
    """One row a conversation: while one moves to another day, both days may have it."""
    numbered = rows.append_column("place", pa.array(np.arange(rows.num_rows)))
    last = numbered.group_by("conversation_id").aggregate([("place", "max")])
    return rows.take(last["place_max"])


def _of_day(lake: Lake, day: date) -> Iterator[pa.Table]:
    """What there is of a day, in `_COLUMNS`."""
    labels = lake.read_day(
        CATEGORIES_UNIT,
        day,
        {
            CATEGORIES.name: ["conversation_id", "task", "reason"],
            CATEGORY_SUMMARIES.name: ["conversation_id", "language"],
        },
    )
    people = ["conversation_id", "user_id", "started_at"]
    conversations = _read(lake, CONVERSATIONS_UNIT, day, people)
    messages = _read(lake, MESSAGES_UNIT, day, ["conversation_id", "role", "content", "turn_index"])
    if labels is None or conversations is None or messages is None:
        return
    told = labels[1][CATEGORIES.name]
    none = pc.and_(pc.equal(told["task"], "topic"), pc.is_in(told["reason"], _FITS_NONE))
    ids = told.filter(none)["conversation_id"]
    rows = (
        conversations.filter(pc.is_in(conversations["conversation_id"], ids))
        .join(labels[1][CATEGORY_SUMMARIES.name], "conversation_id")
        .join(_said_by_users(messages), "conversation_id")
    )
    yield rows.select(_COLUMNS.names).cast(_COLUMNS)


def _said_by_users(messages: pa.Table) -> pa.Table:
    """conversation_id, text: what the user of each says first."""
    said = messages.filter(pc.equal(messages["role"], "user")).sort_by("turn_index")
    lists = said.group_by("conversation_id", use_threads=False).aggregate([("content", "list")])
    texts = pc.utf8_slice_codeunits(pc.binary_join(lists["content_list"], "\n"), 0, LONGEST)
    return pa.table([lists["conversation_id"], texts], names=["conversation_id", "text"])


def _read(lake: Lake, unit: Unit, day: date, columns: list[str]) -> pa.Table | None:
    table = unit.tables[0].name
    found = lake.read_day(unit, day, {table: columns})
    return None if found is None else found[1][table]


def _last_state(store: ObjectStore) -> State | None:
    """What the last discovery left; null if there was none."""
    data = store.get(_STATE)
    if data is None:
        return None
    try:
        return State.from_dict(orjson.loads(data))
    except orjson.JSONDecodeError as error:
        raise CategorizationError(
            f"{store.url}/{_STATE} is not JSON: remove it, and topics get new ids ({error})"
        ) from error
    except CategorizationError as error:
        raise CategorizationError(f"{store.url}/{_STATE}: {error}") from error

"""Messages of a day, from its raw rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.partitions import DayCalendar
from conversation_analytics.schemas import MESSAGES, RAW_CONVERSATIONS, RAW_MESSAGES
from conversation_analytics.schemas.raw import REPRESENTED
from conversation_analytics.schemas.validation import CheckResult
from conversation_analytics.sources.interpret import Interpreter, MessageFields
from conversation_analytics.storage.encoding import row_hashes

_ANSWERING = ("assistant", "agent")
_ROWS_AT_ONCE = 20_000


class _Row(NamedTuple):
    """A message with what its place in the conversation tells."""

    fields: MessageFields
    user_id: str | None
    turn_index: int
    response_seconds: float | None
    escalated: bool


def represented(table: pa.Table, excluded: frozenset[str]) -> pa.Table:
    """The raw rows that are shown: not deleted, of conversations that live in the day."""
    kept = table.filter(pc.equal(table["disposition"], REPRESENTED))
    if not excluded:
        return kept
    gone = pc.is_in(kept["conversation_id"], pa.array(sorted(excluded), pa.string()))
    return kept.filter(pc.invert(gone))


def build_messages(
    raw: dict[str, pa.Table],
    interpreter: Interpreter,
    *,
    escalation: re.Pattern[str],
    excluded: frozenset[str] = frozenset(),
) -> pa.Table:
    """The messages of a day.

    Args:
        raw: the day's raw tables, by name.
        interpreter: how the rows were read.
        escalation: what an assistant message that asks for a human contains.
        excluded: conversations listed here although they live in another day.

    Returns:
        A table of `schemas.MESSAGES`, in file order.
    """
    users = _users(represented(raw[RAW_CONVERSATIONS.name], excluded), interpreter)
    rows = represented(raw[RAW_MESSAGES.name], excluded)
    return pa.concat_tables(
        _of_conversations(some["payload"], interpreter, users, escalation)
        for some in whole_conversations(rows, at_once=_ROWS_AT_ONCE)
    )


def check_messages(
    table: pa.Table, raw: dict[str, pa.Table], interpreter: Interpreter, excluded: frozenset[str]
) -> CheckResult:
    """Check that every represented raw row is there: one message each, or a pair in Dify."""
    each = 2 if interpreter.profile == "dify" else 1
    expected = represented(raw[RAW_MESSAGES.name], excluded).num_rows * each
    problems: tuple[str, ...] = ()
    if table.num_rows != expected:
        problems = (f"{expected} messages expected from the raw rows, {table.num_rows} made",)
    figures = {"expected": expected, "messages": table.num_rows}
    return CheckResult(MESSAGES.name, "complete", not problems, problems, figures)


def activity_days(table: pa.Table, calendar: DayCalendar) -> list[date]:
    """The local days on which the messages were made, in order."""
    micros = table["created_at"].cast(pa.int64()).to_numpy()
    if not len(micros):
        return []
    last = calendar.day_of(pc.max(table["created_at"]).as_py())
    numbers = np.unique(calendar.numbers(micros, last=last))
    return [calendar.day(int(number)) for number in numbers]


def _users(conversations: pa.Table, interpreter: Interpreter) -> dict[str, str | None]:
    payloads = conversations["payload"].to_pylist()
    return dict(interpreter.conversation_user(orjson.loads(payload)) for payload in payloads)


def whole_conversations(rows: pa.Table, *, at_once: int) -> Iterator[pa.Table]:
    """Rows of messages, some thousands at a time, so that few of them are Python objects at once.

    Args:
        rows: with a `conversation_id`; the rows of a conversation lie together and stay together.
        at_once: rows to exceed by no more than a conversation.
    """
    ids, count = rows["conversation_id"], rows.num_rows
    differs = pc.not_equal(ids.slice(1), ids.slice(0, max(count - 1, 0)))
    firsts = np.flatnonzero(differs.to_numpy()) + 1
    start = 0
    while count - start > at_once:
        place = np.searchsorted(firsts, start + at_once)
        end = int(firsts[place]) if place < len(firsts) else count
        yield rows.slice(start, end - start)
        start = end
    if start < count or not count:
        yield rows.slice(start)


def _of_conversations(
    payloads: pa.ChunkedArray,
    interpreter: Interpreter,
    users: dict[str, str | None],
    escalation: re.Pattern[str],
) -> pa.Table:
    """The messages of some conversations."""
    parts = [
        (part.conversation_id, part.created_at, place, which, part)
        for place, payload in enumerate(payloads.to_pylist())
        for which, part in enumerate(interpreter.message_fields(orjson.loads(payload)))
    ]
    parts.sort()  # raw rows are in source order within an instant; no two have the same place
    return _table(list(_walk((part[4] for part in parts), users, escalation)))


def _walk(
    messages: Iterator[MessageFields], users: dict[str, str | None], escalation: re.Pattern[str]
) -> Iterator[_Row]:
    """Messages, conversation by conversation, with their place in it."""
    conversation: list[MessageFields] = []
    for message in messages:
        if conversation and conversation[0].conversation_id != message.conversation_id:
            yield from _one_conversation(conversation, users, escalation)
            conversation = []
        conversation.append(message)
    if conversation:
        yield from _one_conversation(conversation, users, escalation)


def _one_conversation(
    messages: list[MessageFields], users: dict[str, str | None], escalation: re.Pattern[str]
) -> Iterator[_Row]:
    user_id = users[messages[0].conversation_id]
    if user_id is None:  # the source names users on messages only
        named = (m.user_id for m in messages if m.role == "user" and m.user_id is not None)
        user_id = next(named, None)
    previous: MessageFields | None = None
    for turn, message in enumerate(messages):
        answers = previous is not None and previous.role == "user" and message.role in _ANSWERING
        yield _Row(
            message,
            user_id,
            turn,
            (message.created_at - previous.created_at) / 1e6 if answers and previous else None,
            message.role == "assistant" and escalation.search(message.content) is not None,
        )
        previous = message


def _table(rows: list[_Row]) -> pa.Table:
    schema = MESSAGES.arrow
    columns = {name: [getattr(row, name) for row in rows] for name in _Row._fields[1:]}
    if rows:
        fields = zip(*(row.fields for row in rows), strict=True)
        by_name = dict(zip(MessageFields._fields, fields, strict=True))
        columns = {**{name: list(values) for name, values in by_name.items()}, **columns}
    arrays = {
        name: pa.array(columns.get(name, []), schema.field(name).type)
        for name in MESSAGES.names[:-1]
    }
    table = pa.table(arrays)
    return pa.table(
        [*table.columns, pa.array(row_hashes(table, MESSAGES), pa.string())], schema=schema
    )

"""Conversations of a day, from their raw rows and their messages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from conversation_analytics.schemas import CONVERSATIONS, RAW_CONVERSATIONS
from conversation_analytics.schemas.validation import CheckResult
from conversation_analytics.sources.interpret import ConversationFields, Interpreter
from conversation_analytics.storage.encoding import row_hashes
from conversation_analytics.transforms.messages import represented


class _Message(NamedTuple):
    """What counts of a message. Its time is microseconds since 1970."""

    conversation_id: str
    user_id: str | None
    role: str
    created_at: int
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost: Decimal | None
    currency: str | None
    error: str | None
    feedback_score: float | None
    escalated: bool


@dataclass
class _Totals:
    """What the messages of one conversation add up to."""

    user_id: str | None = None
    messages: int = 0
    by_role: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    last_at: int | None = None
    first_user_at: int | None = None
    first_response: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: dict[str | None, Decimal] = field(default_factory=dict)
    errors: int = 0
    feedback: list[float] = field(default_factory=list)
    escalated: bool = False

    def add(self, message: _Message) -> None:
        """Add the next message, in turn order."""
        role, at = message.role, message.created_at
        self.user_id = message.user_id
        self.messages += 1
        self.by_role[role] += 1
        self.last_at = at
        if message.model is not None:
            self.models[message.model] += 1
        if role == "user" and self.first_user_at is None:
            self.first_user_at = at
        elif (
            role in ("assistant", "agent")
            and self.first_response is None
            and self.first_user_at is not None
        ):
            self.first_response = (at - self.first_user_at) / 1e6
        self.prompt_tokens += message.prompt_tokens or 0
        self.completion_tokens += message.completion_tokens or 0
        if message.cost is not None:
            currency = message.currency
            self.cost[currency] = self.cost.get(currency, Decimal(0)) + message.cost
        self.errors += message.error is not None
        if message.feedback_score is not None:
            self.feedback.append(message.feedback_score)
        self.escalated |= message.escalated


def build_conversations(
    raw: dict[str, pa.Table],
    messages: pa.Table,
    interpreter: Interpreter,
    *,
    excluded: frozenset[str] = frozenset(),
) -> pa.Table:
    """The conversations of a day.

    Args:
        raw: the day's raw tables, by name.
        messages: the day's messages.
        interpreter: how the rows were read.
        excluded: conversations listed here although they live in another day.

    Returns:
        A table of `schemas.CONVERSATIONS`, in file order.
    """
    totals = _totals(messages)
    rows = represented(raw[RAW_CONVERSATIONS.name], excluded)
    started = rows["started_at"].cast(pa.int64()).to_pylist()
    records = [
        _record(fields, began, totals.get(fields.conversation_id, _Totals()))
        for fields, began in zip(_fields(rows, interpreter), started, strict=True)
    ]
    arrays = {
        name: pa.array([record[name] for record in records], CONVERSATIONS.arrow.field(name).type)
        for name in CONVERSATIONS.names[:-1]
    }
    table = pa.table(arrays)
    hashes = pa.array(row_hashes(table, CONVERSATIONS), pa.string())
    return pa.table([*table.columns, hashes], schema=CONVERSATIONS.arrow)


def check_conversations(
    table: pa.Table, raw: dict[str, pa.Table], messages: pa.Table, excluded: frozenset[str]
) -> CheckResult:
    """Check that no conversation and no message was lost or doubled on the way."""
    expected = represented(raw[RAW_CONVERSATIONS.name], excluded).num_rows
    counted = sum(table["message_count"].to_pylist())
    problems = []
    if table.num_rows != expected:
        problems.append(f"{expected} conversations expected, {table.num_rows} made")
    if counted != messages.num_rows:
        problems.append(f"{messages.num_rows} messages in the day, {counted} in its conversations")
    figures = {"expected": expected, "conversations": table.num_rows, "messages": counted}
    return CheckResult(CONVERSATIONS.name, "complete", not problems, tuple(problems), figures)


def _totals(messages: pa.Table) -> dict[str, _Totals]:
    table = messages.select(list(_Message._fields))
    times = table["created_at"].cast(pa.int64())
    table = table.set_column(table.schema.get_field_index("created_at"), "created_at", times)
    totals: defaultdict[str, _Totals] = defaultdict(_Totals)
    for values in zip(*(column.to_pylist() for column in table.columns), strict=True):
        message = _Message._make(values)
        totals[message.conversation_id].add(message)
    return totals


def _fields(rows: pa.Table, interpreter: Interpreter) -> Iterator[ConversationFields]:
    for payload in rows["payload"].to_pylist():
        yield interpreter.conversation_fields(orjson.loads(payload))


def _record(fields: ConversationFields, began: int, totals: _Totals) -> dict[str, Any]:
    ended = began if totals.last_at is None else totals.last_at
    cost, currency, by_currency = _cost(totals.cost)
    return {
        **fields._asdict(),
        "user_id": totals.user_id if fields.user_id is None else fields.user_id,
        "model": fields.model or next((m for m, _ in totals.models.most_common(1)), None),
        "started_at": began,
        "ended_at": ended,
        "source_created_at": fields.created_at,
        "source_updated_at": fields.updated_at,
        "message_count": totals.messages,
        "user_message_count": totals.by_role["user"],
        "assistant_message_count": totals.by_role["assistant"],
        "duration_seconds": (ended - began) / 1e6,
        "first_response_seconds": totals.first_response,
        "prompt_tokens": totals.prompt_tokens,
        "completion_tokens": totals.completion_tokens,
        "total_tokens": totals.prompt_tokens + totals.completion_tokens,
        "cost": cost,
        "currency": currency,
        "error_count": totals.errors,
        "feedback_score": sum(totals.feedback) / len(totals.feedback) if totals.feedback else None,
        "escalated": totals.escalated,
        "attributes": orjson.dumps(
            {**fields.attributes, **by_currency}, option=orjson.OPT_SORT_KEYS
        ).decode(),
    }


def _cost(
    sums: dict[str | None, Decimal],
) -> tuple[Decimal | None, str | None, dict[str, dict[str, str]]]:
    """The one sum there is with its currency, or all sums as an attribute."""
    if len(sums) <= 1:
        currency, cost = next(iter(sums.items()), (None, None))
        return cost, currency, {}
    return None, None, {"cost_by_currency": {str(c): str(s) for c, s in sums.items()}}

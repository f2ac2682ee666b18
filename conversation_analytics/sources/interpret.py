"""Source rows as ours: which column means what, and whether a row can be used at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict

from conversation_analytics.sources import values
from conversation_analytics.sources.base import SourceInfo, SourceTable, TableInfo
from conversation_analytics.sources.decode import Decoded, Row
from conversation_analytics.sources.mapping import FieldMapping
from conversation_analytics.sources.values import Unusable
from conversation_analytics.storage.encoding import digest


class Keys(NamedTuple):
    """What a row is known by. Times are microseconds since 1970."""

    source_id: str | None
    conversation_id: str | None
    created_at: int | None
    updated_at: int | None
    deleted: bool


class ConversationFields(NamedTuple):
    """A conversation as its source row tells it."""

    conversation_id: str
    user_id: str | None
    title: str | None
    channel: str | None
    status: str | None
    model: str | None
    language: str | None
    created_at: int | None
    updated_at: int | None
    attributes: dict[str, Any]


class MessageFields(NamedTuple):
    """One message as its source row tells it. Times are microseconds since 1970."""

    message_id: str
    conversation_id: str
    user_id: str | None
    role: str
    content: str
    created_at: int
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_ms: float | None = None
    cost: Decimal | None = None
    currency: str | None = None
    error: str | None = None
    feedback_score: float | None = None
    attributes: str = "{}"


class ResolvedTable(BaseModel):
    """A table's mapping against the columns there really are.

    Attributes:
        columns: source columns by field; more than one where rows take the first with a value.
        consumed: columns that are mapped, ignored or the source's own, so not attributes.
        system: columns the source adds by itself, left out of row hashes.
        primary_key: column that tells one source row from another, null where there is none.
    """

    model_config = ConfigDict(frozen=True)

    columns: dict[str, tuple[str, ...]]
    consumed: frozenset[str]
    system: frozenset[str]
    primary_key: str | None = None

    def value(self, row: Row, field: str) -> Any:
        """The value of a field in a row, null if it has none."""
        for column in self.columns.get(field, ()):
            root, dot, rest = column.partition(".")
            found = row.get(root)
            if dot:
                found = _object(found, root).get(rest)
            if found is not None:
                return found
        return None

    def attributes(self, row: Row) -> dict[str, Any]:
        """The columns without a field of their own; nulls say nothing and are left out."""
        own = {k: v for k, v in row.items() if v is not None and k not in self.consumed}
        if "inputs" not in self.columns:
            return own
        inputs = _object(self.value(row, "inputs"), "inputs")
        kept = {k: v for k, v in inputs.items() if v is not None}
        return {**{(f"inputs.{k}" if k in own else k): v for k, v in kept.items()}, **own}

    def row_hash(self, decoded: Decoded) -> str:
        """The hash of a row without the columns the source adds by itself."""
        if self.system.isdisjoint(decoded.row):
            return digest(decoded.payload)
        own = {k: v for k, v in decoded.row.items() if k not in self.system}
        return digest(orjson.dumps(own, option=orjson.OPT_SORT_KEYS))


class Interpreter(BaseModel):
    """Reads rows of both source tables under one mapping.

    It is plain data, so that worker processes can have it and each raw day can keep the one it
    was read with.

    Attributes:
        profile: ``plain`` or ``dify``.
        conversations: resolved mapping of the conversations table.
        messages: resolved mapping of the messages table.
    """

    model_config = ConfigDict(frozen=True)

    profile: str
    conversations: ResolvedTable
    messages: ResolvedTable

    def keys(self, table: SourceTable, decoded: Decoded) -> Keys:
        """What the row is known by, after making sure that all of it can be used.

        Raises:
            Unusable: with the first reason that applies.
        """
        if decoded.problem:
            raise decoded.problem
        row = decoded.row
        if table == "conversations":
            return self._conversation_keys(row)
        keys = self._message_keys(row)
        self.message_fields(row)
        return keys

    def best_keys(self, table: SourceTable, row: Row) -> Keys:
        """What can be told of a row that cannot be used; whatever cannot is null."""
        resolved = self._table(table)
        own = "conversation_id" if table == "conversations" else "message_id"

        def attempt(read: Callable[[Any, str], Any], field: str) -> Any:
            try:
                found = read(resolved.value(row, field), field)
                if isinstance(found, str):
                    found.encode()
            except (Unusable, UnicodeEncodeError):
                return None
            return found

        return Keys(
            attempt(values.identity, own),
            attempt(values.identity, "conversation_id"),
            attempt(values.instant, "created_at"),
            attempt(values.instant, "updated_at"),
            deleted=False,
        )

    def conversation_fields(self, row: Row) -> ConversationFields:
        """The conversation in a usable row."""
        get = self.conversations.value
        return ConversationFields(
            self._id(row, self.conversations, "conversation_id"),
            values.identity(get(row, "user_id"), "user_id"),
            values.text(get(row, "title"), "title"),
            values.text(get(row, "channel"), "channel"),
            values.text(get(row, "status"), "status"),
            values.text(get(row, "model"), "model"),
            values.text(get(row, "language"), "language"),
            values.instant(get(row, "created_at"), "created_at"),
            values.instant(get(row, "updated_at"), "updated_at"),
            self.conversations.attributes(row),
        )

    def message_fields(self, row: Row) -> list[MessageFields]:
        """The messages in a usable row: one, or a question and its answer."""
        return self._pair(row) if self.profile == "dify" else [self._single(row)]

    def _table(self, table: SourceTable) -> ResolvedTable:
        return self.conversations if table == "conversations" else self.messages

    def _conversation_keys(self, row: Row) -> Keys:
        fields = self.conversation_fields(row)
        deleted = values.flag(self.conversations.value(row, "is_deleted"), "is_deleted")
        own = fields.conversation_id
        return Keys(own, own, fields.created_at, fields.updated_at, deleted)

    def _message_keys(self, row: Row) -> Keys:
        get = self.messages.value
        source_id = self._id(row, self.messages, "message_id")
        conversation_id = values.identity(get(row, "conversation_id"), "conversation_id")
        created = values.instant(get(row, "created_at"), "created_at")
        updated = values.instant(get(row, "updated_at"), "updated_at")
        deleted = values.flag(get(row, "is_deleted"), "is_deleted")
        if created is None:
            raise Unusable("bad_time", "created_at is absent")
        return Keys(source_id, conversation_id, created, updated, deleted)

    @staticmethod
    def _id(row: Row, table: ResolvedTable, field: str) -> str:
        found = values.identity(table.value(row, field), field)
        if found is None:
            raise Unusable("missing_id", f"{field} is absent or blank")
        return found

    def _single(self, row: Row) -> MessageFields:
        get = self.messages.value
        return MessageFields(
            self._id(row, self.messages, "message_id"),
            values.identity(get(row, "conversation_id"), "conversation_id") or "",
            values.identity(get(row, "user_id"), "user_id"),
            values.role(get(row, "role"), "role"),
            values.content(get(row, "content"), "content"),
            values.instant(get(row, "created_at"), "created_at") or 0,
            values.text(get(row, "model"), "model"),
            values.count(get(row, "prompt_tokens"), "prompt_tokens"),
            values.count(get(row, "completion_tokens"), "completion_tokens"),
            values.real(get(row, "latency_ms"), "latency_ms"),
            values.money(get(row, "cost"), "cost"),
            values.text(get(row, "currency"), "currency"),
            values.text(get(row, "error"), "error") or None,
            values.feedback(get(row, "feedback_score"), "feedback_score"),
            _json(self.messages.attributes(row)),
        )

    def _pair(self, row: Row) -> list[MessageFields]:
        """A Dify row as the user's question and the assistant's answer.

        The inputs belong to the question as well as to the answer; the other attributes,
        tokens, price, latency and error are the answer's.
        """
        get = self.messages.value
        source_id = self._id(row, self.messages, "message_id")
        conversation_id = values.identity(get(row, "conversation_id"), "conversation_id") or ""
        user_id = values.identity(get(row, "user_id"), "user_id")
        asked = values.instant(get(row, "created_at"), "created_at") or 0
        latency = values.real(get(row, "latency_seconds"), "provider_response_latency")
        error = values.text(get(row, "error"), "error") or None
        if error is None and get(row, "status") == "error":
            error = "error"
        inputs = _object(get(row, "inputs"), "inputs")
        question = MessageFields(
            f"{source_id}:q",
            conversation_id,
            user_id,
            "user",
            values.content(get(row, "query"), "query"),
            asked,
            attributes=_json({k: v for k, v in inputs.items() if v is not None}),
        )
        answer = MessageFields(
            f"{source_id}:a",
            conversation_id,
            user_id,
            "assistant",
            values.content(get(row, "answer"), "answer"),
            asked + round((latency or 0) * 1_000_000),
            values.text(get(row, "model"), "model"),
            values.count(get(row, "prompt_tokens"), "message_tokens"),
            values.count(get(row, "completion_tokens"), "answer_tokens"),
            None if latency is None else latency * 1_000,
            values.money(get(row, "cost"), "total_price"),
            values.text(get(row, "currency"), "currency"),
            error,
            values.feedback(get(row, "feedback_score"), "feedback_score"),
            _json(self.messages.attributes(row)),
        )
        return [question, answer]


def build_interpreter(mapping: FieldMapping, info: SourceInfo) -> Interpreter:
    """The interpreter of a mapping for the columns a source has.

    Raises:
        SourceSchemaError: a required or hand-mapped column is missing.
    """

    def resolve(table: SourceTable, there: TableInfo) -> ResolvedTable:
        of_table = mapping.table(table)
        found = of_table.resolve(there.columns, table=table)
        roots = {alias.partition(".")[0] for aliases in found.values() for alias in aliases}
        system = there.system_columns - roots
        consumed = frozenset(roots | of_table.ignored | system)
        return ResolvedTable(
            columns=found, consumed=consumed, system=system, primary_key=there.primary_key
        )

    return Interpreter(
        profile=mapping.profile,
        conversations=resolve("conversations", info.conversations),
        messages=resolve("messages", info.messages),
    )


def _object(value: Any, name: str) -> dict[str, Any]:
    """A JSON column as an object, whether it comes decoded or as text."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        with contextlib.suppress(orjson.JSONDecodeError):  # refused below, as it is no object
            value = orjson.loads(value)
    if not isinstance(value, dict):
        raise values.wrong_type(name, value, "a JSON object")
    return value


def _json(attributes: dict[str, Any]) -> str:
    return orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS).decode()

"""Source rows as ours: which column means what, and whether a row can be used at all."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict

from conversation_analytics.sources import values
from conversation_analytics.sources.base import SourceInfo, SourceTable, TableInfo
from conversation_analytics.sources.decode import Decoded, Row
from conversation_analytics.sources.mapping import FieldMapping
from conversation_analytics.sources.resolved import Field, ResolvedTable, fields
from conversation_analytics.sources.values import Unusable


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


# What of a row must be usable, in the order in which it is judged and told.
_CONVERSATION = fields(
    ("user_id", values.identity),
    ("title", values.text),
    ("channel", values.text),
    ("status", values.text),
    ("model", values.text),
    ("language", values.text),
    ("inputs", values.json_object),
    ("is_deleted", values.flag),
)
_ROLE = fields(("role", values.role))
_MESSAGE = fields(
    ("conversation_id", values.identity),
    ("user_id", values.identity),
    ("content", values.content),
    ("model", values.text),
    ("prompt_tokens", values.count),
    ("completion_tokens", values.count),
    ("latency_ms", values.real),
    ("cost", values.money),
    ("currency", values.text),
    ("error", values.text),
    ("feedback_score", values.feedback),
    ("is_deleted", values.flag),
)
_EXCHANGE = fields(
    ("conversation_id", values.identity),
    ("user_id", values.identity),
    ("query", values.content),
    ("answer", values.content),
    ("model", values.text),
    ("prompt_tokens", values.count),
    ("completion_tokens", values.count),
    ("latency_seconds", values.real),
    ("cost", values.money),
    ("currency", values.text),
    ("error", values.text),
    ("feedback_score", values.feedback),
    ("status", values.text),
    ("inputs", values.json_object),
    ("is_deleted", values.flag),
    prompt_tokens="message_tokens",
    completion_tokens="answer_tokens",
    latency_seconds="provider_response_latency",
    cost="total_price",
)


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

    def table(self, table: SourceTable) -> ResolvedTable:
        """The mapping of one source table."""
        return self.conversations if table == "conversations" else self.messages

    def judged(self, table: SourceTable) -> tuple[Field, ...]:
        """The fields of a table, but for its own id and times, that must be readable."""
        if table == "conversations":
            return _CONVERSATION
        return _EXCHANGE if self.profile == "dify" else (*_ROLE, *_MESSAGE)

    def keys(self, table: SourceTable, decoded: Decoded) -> Keys:
        """What the row is known by, after making sure that all of it can be used.

        Raises:
            Unusable: with the first reason that applies.
        """
        if decoded.problem:
            raise decoded.problem
        if table == "conversations":
            return self._conversation(decoded.row)[0]
        return self._message(decoded.row)[0]

    def best_keys(self, table: SourceTable, row: Row) -> Keys:
        """What can be told of a row that cannot be used; whatever cannot is null."""
        resolved = self.table(table)
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
        keys, (user_id, title, channel, status, model, language, *_) = self._conversation(row)
        return ConversationFields(
            keys.source_id or "",
            user_id,
            title,
            channel,
            status,
            model,
            language,
            keys.created_at,
            keys.updated_at,
            self.conversations.attributes(row),
        )

    def conversation_user(self, row: Row) -> tuple[str, str | None]:
        """Id and user of the conversation in a usable row."""
        get = self.conversations.value
        own = values.identity(get(row, "conversation_id"), "conversation_id")
        return own or "", values.identity(get(row, "user_id"), "user_id")

    def message_fields(self, row: Row) -> list[MessageFields]:
        """The messages in a usable row: one, or a question and its answer."""
        return self._pair(row) if self.profile == "dify" else [self._single(row)]

    def _conversation(self, row: Row) -> tuple[Keys, list[Any]]:
        table = self.conversations
        own = _id(row, table, "conversation_id")
        found = table.read(row, _CONVERSATION)
        created = values.instant(table.value(row, "created_at"), "created_at")
        updated = values.instant(table.value(row, "updated_at"), "updated_at")
        return Keys(own, own, created, updated, bool(found[-1])), found

    def _message(self, row: Row) -> tuple[Keys, list[Any]]:
        table = self.messages
        own = _id(row, table, "message_id")
        if self.profile == "dify":
            found = table.read(row, _EXCHANGE)
        else:
            role = values.role(table.value(row, "role"), "role")
            found = [role, *table.read(row, _MESSAGE)]
        created = values.instant(table.value(row, "created_at"), "created_at")
        updated = values.instant(table.value(row, "updated_at"), "updated_at")
        if created is None:
            raise Unusable("bad_time", "created_at is absent")
        conversation_id = found[0] if self.profile == "dify" else found[1]
        return Keys(own, conversation_id, created, updated, bool(found[-1])), found

    def _single(self, row: Row) -> MessageFields:
        keys, (role, conversation_id, user_id, content, *rest) = self._message(row)
        model, prompt_tokens, completion_tokens, latency, cost, currency, error, feedback, _ = rest
        return MessageFields(
            keys.source_id or "",
            conversation_id or "",
            user_id,
            role,
            content or "",
            keys.created_at or 0,
            model,
            prompt_tokens,
            completion_tokens,
            latency,
            cost,
            currency,
            error or None,
            feedback,
            _json(self.messages.attributes(row)),
        )

    def _pair(self, row: Row) -> list[MessageFields]:
        """A Dify row as the user's question and the assistant's answer.

        The inputs belong to the question as well as to the answer; the other attributes,
        tokens, price, latency and error are the answer's.
        """
        keys, (conversation_id, user_id, query, answer, *rest) = self._message(row)
        model, prompt_tokens, completion_tokens, latency, cost, currency, error, *more = rest
        feedback, status, inputs, _ = more
        asked = keys.created_at or 0
        question = MessageFields(
            f"{keys.source_id}:q",
            conversation_id or "",
            user_id,
            "user",
            query or "",
            asked,
            attributes=_json({k: v for k, v in (inputs or {}).items() if v is not None}),
        )
        reply = MessageFields(
            f"{keys.source_id}:a",
            conversation_id or "",
            user_id,
            "assistant",
            answer or "",
            asked + round((latency or 0) * 1_000_000),
            model,
            prompt_tokens,
            completion_tokens,
            None if latency is None else latency * 1_000,
            cost,
            currency,
            error or ("error" if status == "error" else None),
            feedback,
            _json(self.messages.attributes(row)),
        )
        return [question, reply]


def build_interpreter(mapping: FieldMapping, info: SourceInfo) -> Interpreter:
    """The interpreter of a mapping for the columns a source has.

    Raises:
        SourceSchemaError: a required or hand-mapped column is missing.
    """

    def resolve(table: SourceTable, there: TableInfo) -> ResolvedTable:
        of_table = mapping.table(table)
        # What was found in files are the columns of their first rows.
        complete = info.kind != "files"
        found = of_table.resolve(there.columns, table=table, complete=complete)
        roots = {alias.partition(".")[0] for aliases in found.values() for alias in aliases}
        system = there.system_columns - roots
        consumed = frozenset(roots | of_table.ignored | system)
        return ResolvedTable(
            columns=found,
            consumed=consumed,
            system=system,
            primary_key=there.primary_key,
            change_times=info.change_columns.get(table, ()),
            creation_times=info.creation_columns.get(table, ()),
            amounts=of_table.amounts,
            objects=of_table.objects,
        )

    return Interpreter(
        profile=mapping.profile,
        conversations=resolve("conversations", info.conversations),
        messages=resolve("messages", info.messages),
    )


def _id(row: Row, table: ResolvedTable, field: str) -> str:
    found = values.identity(table.value(row, field), field)
    if found is None:
        raise Unusable("missing_id", f"{field} is absent or blank")
    return found


def _json(attributes: dict[str, Any]) -> str:
    return orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS).decode()

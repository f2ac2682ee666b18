"""What answers look like, made from the tables' schemas, for the OpenAPI document.

Rows go out as they are read; these models describe them and are not run over them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, create_model

from conversation_analytics.schemas import (
    CATEGORIES,
    CATEGORY_SUMMARIES,
    CONVERSATIONS,
    MESSAGES,
    TRANSLATIONS,
    Column,
)
from conversation_analytics.schemas.base import ATTRIBUTES, CONTENT_HASH

JSON_COLUMNS = frozenset({ATTRIBUTES.name, "details", "costs"})
"""Columns that hold a JSON object as text, and are one in answers."""
OURS = frozenset({CONTENT_HASH.name, "categories_hash"})
"""Columns that tell nothing to people."""


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


def _type_of(column: Column) -> Any:
    if column.name in JSON_COLUMNS:
        return dict[str, Any]
    kind = column.type
    if pa.types.is_list(kind):
        return list[str]
    checks = (
        (pa.types.is_timestamp, datetime),
        (pa.types.is_date, date),
        (pa.types.is_boolean, bool),
        (pa.types.is_integer, int),
        (pa.types.is_floating, float),
    )
    return next((type_ for holds, type_ in checks if holds(kind)), str)


def model_of(name: str, columns: Iterable[Column]) -> type[BaseModel]:
    """The model of rows with some columns."""
    fields: dict[str, Any] = {}
    for column in columns:
        type_ = _type_of(column)
        words = " ".join([column.description, *(f"({limit})" for limit in column.constraints)])
        fields[column.name] = (type_ | None if column.nullable else type_, Field(description=words))
    return create_model(name, __base__=Answer, **fields)


def _shown(columns: Iterable[Column]) -> list[Column]:
    return [column for column in columns if column.name not in OURS]


Labels = model_of("Labels", _shown(CATEGORY_SUMMARIES.columns[1:]))
_MadeOf: Any = (
    Labels | None,
    Field(description="What its categories come to; null until they were made."),
)
Conversation = create_model(
    "Conversation",
    __base__=model_of("ConversationRow", _shown(CONVERSATIONS.columns)),
    categories=_MadeOf,
)
Message = model_of("Message", _shown(MESSAGES.columns))
Category = model_of("Category", _shown(CATEGORIES.columns))
Translation = model_of("Translation", _shown(TRANSLATIONS.columns))


class Gap(Answer):
    """Days without data, both included."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")


class CoverageOf(Answer):
    """Which days of the range that was asked for the lake has."""

    first: date | None = Field(alias="from")
    last: date | None = Field(alias="to")
    complete: bool = Field(description="Whether no day is missing.")
    days_missing: int = Field(description="Days that are not in the lake yet.")
    missing: list[Gap] = Field(description="Those days, as the first 50 runs of days.")


class ConversationPage(Answer):
    """Conversations, the newest first."""

    items: list[Conversation]
    next_cursor: str | None = Field(
        description="Where to go on; null at the end. A page may have few items, or none, and "
        "yet be followed by others: a look stops after a while."
    )
    searched_back_to: date | None = Field(description="The earliest day this page looked at.")
    coverage: CoverageOf


class ConversationWhole(Answer):
    """One conversation with its messages, and what was made of them."""

    conversation: Conversation
    messages: list[Message] = Field(description="In their order.")  # type: ignore[valid-type]
    categories: list[Category] = Field(  # type: ignore[valid-type]
        description="Labels of the conversation and of these messages."
    )
    translations: list[Translation] = Field(  # type: ignore[valid-type]
        description="Translations of the title and of these messages."
    )
    next_turn: int | None = Field(description="`turn` of the messages that follow; null if none.")


class Health(Answer):
    """Whether the service is there."""

    status: str


class Component(Answer):
    """Whether a thing the service needs can be used."""

    ok: bool
    needed: bool = Field(description="Whether nothing can be answered without it.")


class Readiness(Answer):
    """Whether the service can answer, and what of it cannot be used."""

    status: str
    components: dict[str, Component]


class LedgerDay(Answer):
    """What the lake and MongoDB have of a day. Null counts: never made."""

    day: date
    raw_rows: int | None
    conversations: int | None
    messages: int | None
    quarantined: int | None
    epoch: int | None
    synced_to: datetime | None
    committed: datetime | None
    mongo: str | None
    problems: list[str]
    pending: dict[str, int] | None
    error: str | None
    untranslated: dict[str, int] | None
    complete: bool = Field(description="Whether it is up to date in every part.")


class Ledger(Answer):
    """The days of the lake."""

    days: list[LedgerDay]
    totals: dict[str, int]
    unplaced: list[str] = Field(description="What is wrong with rows whose day cannot be told.")
    coverage: CoverageOf

"""Which source column feeds which of our fields: profiles, aliases and the user's YAML.

Nothing here reads rows; see `interpret` for that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import yaml

from conversation_analytics.errors import SettingsError, SourceSchemaError
from conversation_analytics.sources.base import SOURCE_TABLES, SourceTable

ProfileName = Literal["plain", "dify"]

Aliases = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TableMapping:
    """How one source table is read.

    Attributes:
        aliases: our field → the source columns it may come from; the first that exists wins.
            A dotted alias (``inputs.username``) reaches into a JSON column.
        required: fields that must be found, else the source does not fit.
        ignored: source columns that are neither mapped nor kept in `attributes`.
        explicit: fields a user mapped by hand; their column must exist.
        coalesced: fields that take the first column with a value, row by row, instead of the
            first column that exists.
        amounts: unmapped columns that hold decimal numbers, which one kind of source gives as
            text and another as numbers; `attributes` has them as text, written one way.
        objects: unmapped columns that hold JSON objects, as such or as text; `attributes` has
            them as objects.
    """

    aliases: Aliases
    required: frozenset[str]
    ignored: frozenset[str] = frozenset()
    explicit: frozenset[str] = frozenset()
    coalesced: frozenset[str] = frozenset()
    amounts: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()

    def resolve(
        self, columns: Iterable[str], *, table: str, complete: bool = True
    ) -> dict[str, tuple[str, ...]]:
        """The columns that feed each field, of those that exist.

        Args:
            columns: the columns that were found.
            table: name of the table, for people.
            complete: whether there can be no others. If there can, a field that none of them
                feeds takes its value from whichever of its aliases a row has; and where none
                was found at all there is nothing to miss.

        Raises:
            SourceSchemaError: a required or hand-mapped field has no column; names the field,
                what was looked for and the columns there are.
        """
        present = set(columns)
        found: dict[str, tuple[str, ...]] = {}
        for name, aliases in self.aliases.items():
            here = tuple(alias for alias in aliases if alias.partition(".")[0] in present)
            if here:
                found[name] = here if name in self.coalesced else here[:1]
            elif (present or complete) and (name in self.required or name in self.explicit):
                raise SourceSchemaError(
                    f"{table}: no column for '{name}': looked for {', '.join(aliases)}; the table "
                    f"has {', '.join(sorted(present)) or 'no columns'}. "
                    "Map it in FIELD_MAPPING_FILE."
                )
            elif not complete:
                found[name] = aliases
        return found


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """A profile with the user's changes applied.

    Attributes:
        profile: ``plain`` (one row a message) or ``dify`` (one row a question and its answer).
        conversations: how the conversations table is read.
        messages: how the messages table is read.
    """

    profile: ProfileName
    conversations: TableMapping
    messages: TableMapping

    def table(self, table: SourceTable) -> TableMapping:
        """The mapping of one source table."""
        return self.conversations if table == "conversations" else self.messages

    @property
    def fingerprint(self) -> str:
        """Text that differs when rows are read differently; the lake remembers it."""
        described = {
            table: {
                "columns": {name: list(columns) for name, columns in mapping.aliases.items()},
                "ignored": sorted(mapping.ignored),
            }
            for table in SOURCE_TABLES
            for mapping in (self.table(table),)
        }
        text = json.dumps(described, sort_keys=True)
        return f"{self.profile}:{blake2b(text.encode(), digest_size=8).hexdigest()}"


PLAIN = FieldMapping(
    profile="plain",
    conversations=TableMapping(
        aliases={
            "conversation_id": ("conversation_id", "id", "Id", "ID"),
            "user_id": ("user_id", "userId", "user", "customer_id", "contact_id"),
            "title": ("title", "Title", "name", "subject", "summary"),
            "channel": ("channel", "source_channel", "inbox"),
            "status": ("status", "state"),
            "model": ("model", "model_id", "model_name"),
            "language": ("language", "lang", "locale"),
            "created_at": ("created_at", "createdAt", "started_at", "CreatedAt"),
            "updated_at": ("updated_at", "updatedAt", "UpdatedAt"),
            "is_deleted": ("is_deleted", "deleted"),
        },
        required=frozenset({"conversation_id"}),
    ),
    messages=TableMapping(
        aliases={
            "message_id": ("message_id", "id", "Id", "ID"),
            "conversation_id": ("conversation_id", "conversationId", "conversation"),
            "user_id": ("user_id", "userId", "sender_id"),
            "role": ("role", "sender", "author_type"),
            "content": ("content", "text", "body", "message"),
            "created_at": ("created_at", "createdAt", "sent_at", "timestamp", "CreatedAt"),
            "updated_at": ("updated_at", "updatedAt", "edited_at", "UpdatedAt"),
            "is_deleted": ("is_deleted", "deleted"),
            "model": ("model", "model_id", "model_name"),
            "prompt_tokens": ("prompt_tokens", "input_tokens"),
            "completion_tokens": ("completion_tokens", "output_tokens"),
            "latency_ms": ("latency_ms",),
            "cost": ("cost", "total_price", "price"),
            "currency": ("currency",),
            "error": ("error", "error_message"),
            "feedback_score": ("feedback_score", "feedback", "rating"),
        },
        required=frozenset({"message_id", "conversation_id", "role", "content", "created_at"}),
    ),
)

DIFY = FieldMapping(
    profile="dify",
    conversations=TableMapping(
        aliases={
            "conversation_id": ("id",),
            "user_id": ("inputs.username", "from_end_user_id", "from_account_id"),
            "title": ("name",),
            "channel": ("from_source",),
            "status": ("status",),
            "model": ("model_id",),
            "language": ("inputs.language",),
            "created_at": ("created_at",),
            "updated_at": ("updated_at",),
            "is_deleted": ("is_deleted",),
            "inputs": ("inputs",),
        },
        required=frozenset({"conversation_id", "created_at"}),
        coalesced=frozenset({"user_id"}),
    ),
    messages=TableMapping(
        aliases={
            "message_id": ("id",),
            "conversation_id": ("conversation_id",),
            "query": ("query",),
            "answer": ("answer",),
            "created_at": ("created_at",),
            "updated_at": ("updated_at",),
            "model": ("model_id",),
            "prompt_tokens": ("message_tokens",),
            "completion_tokens": ("answer_tokens",),
            "latency_seconds": ("provider_response_latency",),
            "cost": ("total_price",),
            "currency": ("currency",),
            "status": ("status",),
            "error": ("error",),
            "feedback_score": ("feedback_rating",),
            "inputs": ("inputs",),
            "user_id": ("inputs.username", "from_end_user_id", "from_account_id"),
        },
        required=frozenset({"message_id", "conversation_id", "query", "answer", "created_at"}),
        ignored=frozenset({"message"}),  # the prompt repeats the whole history; raw keeps it
        coalesced=frozenset({"user_id"}),
        amounts=frozenset({"message_unit_price", "answer_unit_price"}),
        objects=frozenset({"message_metadata"}),
    ),
)

PROFILES: Mapping[ProfileName, FieldMapping] = {"plain": PLAIN, "dify": DIFY}


def load_mapping(profile: ProfileName, file: Path | None) -> FieldMapping:
    """A profile, with the user's YAML laid over it.

    The file has up to two sections, ``conversations`` and ``messages``; each maps our fields to
    source columns, one name or a list of them, and may name columns to leave out::

        conversations:
          conversation_id: ticket_no
          ignored: [internal_note]

    Raises:
        SettingsError: the file is missing, no YAML, or names a field there is not.
    """
    mapping = PROFILES[profile]
    if file is None:
        return mapping
    try:
        sections = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"FIELD_MAPPING_FILE={file}: cannot be read: {error}") from error
    unknown = set(sections) - set(SOURCE_TABLES) if isinstance(sections, dict) else {"its content"}
    if unknown:
        raise SettingsError(
            f"FIELD_MAPPING_FILE={file}: {', '.join(map(str, unknown))}: only the sections "
            "conversations and messages are known"
        )
    return replace(
        mapping,
        conversations=_overlay(mapping.conversations, sections.get("conversations"), file),
        messages=_overlay(mapping.messages, sections.get("messages"), file),
    )


def _overlay(table: TableMapping, section: Any, file: Path) -> TableMapping:
    """A table's mapping with a section of the user's file laid over it."""
    if not isinstance(section or {}, dict):
        raise SettingsError(f"FIELD_MAPPING_FILE={file}: {section!r} maps no fields to columns")
    columns = {name: _names(name, value, file) for name, value in (section or {}).items()}
    ignored = frozenset(columns.pop("ignored", ()))
    unknown = set(columns) - set(table.aliases)
    if unknown:
        raise SettingsError(
            f"FIELD_MAPPING_FILE={file}: no such field: {', '.join(sorted(map(str, unknown)))}; "
            f"fields are {', '.join(table.aliases)}"
        )
    return replace(
        table,
        aliases={**table.aliases, **columns},
        ignored=table.ignored | ignored,
        explicit=frozenset(columns),
    )


def _names(field: Any, value: Any, file: Path) -> tuple[str, ...]:
    """One column name or a list of them."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingsError(
            f"FIELD_MAPPING_FILE={file}: {field}: {value!r} is neither a column nor a list of them"
        )
    return tuple(names)


def choose_profile(columns: Iterable[str]) -> ProfileName:
    """The profile that fits the columns of a messages table."""
    return "dify" if {"query", "answer", "conversation_id"} <= set(columns) else "plain"

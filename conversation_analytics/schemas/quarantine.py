"""Quarantine: source rows that could not be used, whole, each with the reason."""

from __future__ import annotations

from conversation_analytics.schemas.base import STRING, Column, TableSchema
from conversation_analytics.schemas.raw import SOURCE_KEY

REASONS = {
    "malformed": "the line or record is not a JSON object",
    "bad_encoding": "it holds text that is not valid Unicode",
    "too_large": "it is larger than any store would take as one document",
    "missing_id": "it has no identity",
    "wrong_type": "a mapped column holds a value of an unusable type",
    "bad_time": "its time is missing, unreadable or ambiguous",
    "out_of_range": "it is from before the first partition or from the future",
    "duplicate_id": "another row with the same identity was kept",
    "orphan_message": "it belongs to no usable conversation",
}

QUARANTINE = TableSchema(
    name="quarantine",
    description="One row a source row that could not be used.",
    columns=(
        Column(
            "source_table",
            STRING,
            "Which source table it is from.",
            nullable=False,
            allowed=("conversations", "messages"),
            categorical=True,
        ),
        Column("source_id", STRING, "Its identity, if it has a readable one."),
        Column("conversation_id", STRING, "The conversation it names, if readable."),
        Column(
            "reason",
            STRING,
            "Why it cannot be used.",
            nullable=False,
            allowed=tuple(REASONS),
            categorical=True,
        ),
        Column("detail", STRING, "What exactly was wrong, with the offending value."),
        Column(
            "payload",
            STRING,
            "The source row as JSON, or its escaped text.",
            nullable=False,
            hashed=False,
        ),
        SOURCE_KEY,
        Column("row_hash", STRING, "Hash of the payload.", nullable=False),
    ),
    key=(),
    order=("source_table", "source_id", "reason", "row_hash"),
)

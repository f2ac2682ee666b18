"""Raw: the source's rows whole, with what is needed to find, order and compare them."""

from __future__ import annotations

from conversation_analytics.schemas.base import INTEGER, STRING, TIMESTAMP, Column, TableSchema

REPRESENTED = "represented"
SOFT_DELETED = "soft_deleted"

_DISPOSITION = Column(
    "disposition",
    STRING,
    "What becomes of the row: it is shown, or the source marked it as deleted.",
    nullable=False,
    allowed=(REPRESENTED, SOFT_DELETED),
    categorical=True,
)
SOURCE_KEY = Column(
    "source_key",
    STRING,
    "The source's primary key of the row; null where the source has none.",
    hashed=False,
)
_ROW_HASH = Column(
    "row_hash",
    STRING,
    "Hash of the source row without the columns the source adds by itself.",
    nullable=False,
)
_PAYLOAD = Column(
    "payload", STRING, "The source row as JSON with sorted keys.", nullable=False, hashed=False
)
_UPDATED = Column(
    "source_updated_at", TIMESTAMP, "When the source says the row was last changed.", hashed=False
)

RAW_CONVERSATIONS = TableSchema(
    name="raw_conversations",
    description="One row a conversation in the source that started on the day.",
    columns=(
        Column("conversation_id", STRING, "Identity of the conversation.", nullable=False),
        Column(
            "started_at",
            TIMESTAMP,
            "When it started: the source's creation time, else that of its first message.",
            nullable=False,
        ),
        _UPDATED,
        _DISPOSITION,
        SOURCE_KEY,
        _ROW_HASH,
        _PAYLOAD,
    ),
    key=("conversation_id",),
    order=("started_at", "conversation_id"),
)

RAW_MESSAGES = TableSchema(
    name="raw_messages",
    description="One row a message row in the source, on its conversation's day. In the Dify "
    "profile such a row is a question with its answer.",
    columns=(
        Column("message_id", STRING, "Identity of the source row.", nullable=False),
        Column("conversation_id", STRING, "The conversation it belongs to.", nullable=False),
        Column("created_at", TIMESTAMP, "When the source says it was made.", nullable=False),
        Column(
            "tie_order",
            INTEGER,
            "Order among the rows of the conversation made in the same instant, from 0.",
            nullable=False,
            minimum=0,
        ),
        _UPDATED,
        _DISPOSITION,
        SOURCE_KEY,
        _ROW_HASH,
        _PAYLOAD,
    ),
    key=("message_id",),
    order=("conversation_id", "created_at", "tie_order", "message_id"),
)

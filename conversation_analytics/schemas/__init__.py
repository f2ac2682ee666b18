"""Tables: columns, types, limits and descriptions, written once each."""

from __future__ import annotations

from conversation_analytics.schemas.base import Column, TableSchema
from conversation_analytics.schemas.categories import CATEGORIES, CATEGORY_SUMMARIES
from conversation_analytics.schemas.conversations import CONVERSATIONS
from conversation_analytics.schemas.messages import MESSAGES
from conversation_analytics.schemas.quarantine import QUARANTINE
from conversation_analytics.schemas.raw import RAW_CONVERSATIONS, RAW_MESSAGES
from conversation_analytics.schemas.translations import TRANSLATIONS

TABLES = {
    table.name: table
    for table in (
        RAW_CONVERSATIONS,
        RAW_MESSAGES,
        QUARANTINE,
        CONVERSATIONS,
        MESSAGES,
        CATEGORIES,
        CATEGORY_SUMMARIES,
        TRANSLATIONS,
    )
}

__all__ = [
    "CATEGORIES",
    "CATEGORY_SUMMARIES",
    "CONVERSATIONS",
    "MESSAGES",
    "QUARANTINE",
    "RAW_CONVERSATIONS",
    "RAW_MESSAGES",
    "TABLES",
    "TRANSLATIONS",
    "Column",
    "TableSchema",
]

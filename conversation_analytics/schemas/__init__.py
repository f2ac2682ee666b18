"""Tables: columns, types, limits and descriptions, written once each."""

from __future__ import annotations

from conversation_analytics.schemas.base import Column, TableSchema
from conversation_analytics.schemas.categories import CATEGORIES, CATEGORY_SUMMARIES
from conversation_analytics.schemas.conversations import CONVERSATIONS
from conversation_analytics.schemas.message_activity import MESSAGE_ACTIVITY
from conversation_analytics.schemas.messages import MESSAGES
from conversation_analytics.schemas.quarantine import QUARANTINE
from conversation_analytics.schemas.raw import RAW_CONVERSATIONS, RAW_MESSAGES
from conversation_analytics.schemas.report_tables import (
    DAILY_REPORT,
    MONTHLY_REPORT,
    WEEKLY_REPORT,
)
from conversation_analytics.schemas.reports import MODEL_PERFORMANCE
from conversation_analytics.schemas.translations import TRANSLATIONS
from conversation_analytics.schemas.users import USER_ANALYTICS, USER_DAYS

TABLES = {
    table.name: table
    for table in (
        RAW_CONVERSATIONS,
        RAW_MESSAGES,
        QUARANTINE,
        CONVERSATIONS,
        MESSAGES,
        MESSAGE_ACTIVITY,
        CATEGORIES,
        CATEGORY_SUMMARIES,
        TRANSLATIONS,
        USER_DAYS,
        USER_ANALYTICS,
        DAILY_REPORT,
        MODEL_PERFORMANCE,
        WEEKLY_REPORT,
        MONTHLY_REPORT,
    )
}

__all__ = [
    "CATEGORIES",
    "CATEGORY_SUMMARIES",
    "CONVERSATIONS",
    "DAILY_REPORT",
    "MESSAGES",
    "MESSAGE_ACTIVITY",
    "MODEL_PERFORMANCE",
    "MONTHLY_REPORT",
    "QUARANTINE",
    "RAW_CONVERSATIONS",
    "RAW_MESSAGES",
    "TABLES",
    "TRANSLATIONS",
    "USER_ANALYTICS",
    "USER_DAYS",
    "WEEKLY_REPORT",
    "Column",
    "TableSchema",
]

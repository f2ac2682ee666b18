"""The blocking checks of each lake table.

They run on a day's rows before its commit (see `storage.days`), so bad rows never become public;
here they only get their names in Dagster.
"""

from __future__ import annotations

import dagster as dg

from conversation_analytics.schemas import (
    CATEGORIES,
    CATEGORY_SUMMARIES,
    CONVERSATIONS,
    DAILY_REPORT,
    MESSAGE_ACTIVITY,
    MESSAGES,
    MODEL_PERFORMANCE,
    MONTHLY_REPORT,
    QUARANTINE,
    RAW_CONVERSATIONS,
    RAW_MESSAGES,
    TRANSLATIONS,
    WEEKLY_REPORT,
)

VALID = "valid"

_SCHEMA = "Columns, types, nulls, allowed values, limits and the key are as described."
_ACCOUNTING = "Source rows read = represented + quarantined + soft-deleted + identical duplicates."
_PLACEMENT = "Every conversation started on the day it is kept on."
_COMPLETE = "No row was lost or doubled on the way from the raw rows."
_LABELLED = "Every conversation has a label a task, of those there are; nothing else has."
_TRANSLATED = "Every text chosen has one row a language; nothing else has; what succeeded has text."

_CHECKED = {
    RAW_CONVERSATIONS.name: (_SCHEMA, _ACCOUNTING, _PLACEMENT),
    RAW_MESSAGES.name: (_SCHEMA, _ACCOUNTING),
    QUARANTINE.name: (_SCHEMA,),
    MESSAGES.name: (_SCHEMA, _COMPLETE),
    MESSAGE_ACTIVITY.name: (_SCHEMA,),
    CONVERSATIONS.name: (_SCHEMA, _COMPLETE),
    CATEGORIES.name: (_SCHEMA, _LABELLED),
    CATEGORY_SUMMARIES.name: (_SCHEMA,),
    TRANSLATIONS.name: (_SCHEMA, _TRANSLATED),
    DAILY_REPORT.name: (_SCHEMA,),
    MODEL_PERFORMANCE.name: (_SCHEMA,),
    WEEKLY_REPORT.name: (_SCHEMA,),
    MONTHLY_REPORT.name: (_SCHEMA,),
}


def blocking_checks(*tables: str) -> list[dg.AssetCheckSpec]:
    """The specs of the checks of some tables: one a table, as each costs an event a day."""
    return [
        dg.AssetCheckSpec(VALID, asset=table, description=" ".join(_CHECKED[table]), blocking=True)
        for table in tables
    ]

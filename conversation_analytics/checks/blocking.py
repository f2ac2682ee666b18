"""The blocking checks of each lake table.

They run on a day's rows before its commit (see `storage.days`), so bad rows never become public;
here they only get their names in Dagster.
"""

from __future__ import annotations

import dagster as dg

from conversation_analytics.schemas import (
    CONVERSATIONS,
    MESSAGES,
    QUARANTINE,
    RAW_CONVERSATIONS,
    RAW_MESSAGES,
)

_SCHEMA = ("schema", "Columns, types, nulls, allowed values, limits and the key are as described.")
_ACCOUNTING = (
    "accounting",
    "Source rows read = represented + quarantined + soft-deleted + identical duplicates.",
)
_COMPLETE = ("complete", "No row was lost or doubled on the way from the raw rows.")

_CHECKS = {
    RAW_CONVERSATIONS.name: (
        _SCHEMA,
        _ACCOUNTING,
        ("placement", "Every conversation started on the day it is kept on."),
    ),
    RAW_MESSAGES.name: (_SCHEMA, _ACCOUNTING),
    QUARANTINE.name: (_SCHEMA,),
    MESSAGES.name: (_SCHEMA, _COMPLETE),
    CONVERSATIONS.name: (_SCHEMA, _COMPLETE),
}


def blocking_checks(*tables: str) -> list[dg.AssetCheckSpec]:
    """The specs of the checks of some tables."""
    return [
        dg.AssetCheckSpec(name, asset=table, description=description, blocking=True)
        for table in tables
        for name, description in _CHECKS[table]
    ]

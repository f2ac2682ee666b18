"""Names of things in the lake."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from conversation_analytics.schemas import (
    CATEGORIES,
    CATEGORY_SUMMARIES,
    CONVERSATIONS,
    MESSAGES,
    QUARANTINE,
    RAW_CONVERSATIONS,
    RAW_MESSAGES,
    TRANSLATIONS,
    TableSchema,
)

LAKE_FILE = "_lake.json"
INDEX_FOLDER = "_index/"
CLAIMS_FOLDER = "_claims/"
SYNC_FOLDER = "_sync/"
TAXONOMIES_FOLDER = "_taxonomies/"
TOPICS_FOLDER = "_topics/"
DIFY_FOLDER = "_dify/"

# Rows whose day cannot be told are kept beside the days, under the same depth of folders.
UNKNOWN_DAY: Literal["unknown"] = "unknown"
Day = date | Literal["unknown"]


@dataclass(frozen=True)
class Unit:
    """Tables of a day that are committed together, under one manifest.

    Attributes:
        name: its name, such as ``raw``.
        tables: the tables, the first of which the manifest lies beside.
        inputs: names of the units it is derived from.
    """

    name: str
    tables: tuple[TableSchema, ...]
    inputs: tuple[str, ...] = ()


RAW = Unit("raw", (RAW_CONVERSATIONS, RAW_MESSAGES, QUARANTINE))
UNPLACED = Unit("unplaced", (QUARANTINE,))
MESSAGES_UNIT = Unit("messages", (MESSAGES,), inputs=("raw",))
CONVERSATIONS_UNIT = Unit("conversations", (CONVERSATIONS,), inputs=("raw", "messages"))
CATEGORIES_UNIT = Unit(
    "categories", (CATEGORIES, CATEGORY_SUMMARIES), inputs=("messages", "conversations")
)
TRANSLATIONS_UNIT = Unit(
    "translations", (TRANSLATIONS,), inputs=("messages", "conversations", "categories")
)
UNITS = {
    unit.name: unit
    for unit in (
        RAW,
        UNPLACED,
        MESSAGES_UNIT,
        CONVERSATIONS_UNIT,
        CATEGORIES_UNIT,
        TRANSLATIONS_UNIT,
    )
}

_PLACES = {
    "raw_conversations": ("raw/conversations/{day}/", "conversations"),
    "raw_messages": ("raw/messages/{day}/", "messages"),
    "quarantine": ("quarantine/{day}/", "quarantine"),
    "conversations": ("conversations/{day}/", "conversations"),
    "messages": ("conversations/{day}/messages/", "messages"),
    "categories": ("conversations/{day}/categories/", "categories"),
    "category_summaries": ("conversations/{day}/category_summaries/", "category_summaries"),
    "translations": ("conversations/{day}/translations/", "translations"),
}

_PARTITION = {
    "year,month,day": re.compile(r"/year=(\w+)/month=(\w+)/day=(\w+)/"),
    "date": re.compile(r"/date=([\w-]+)/"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Keys of the lake for one way of partitioning.

    Attributes:
        partition_by: ``year,month,day`` or ``date``.
    """

    partition_by: Literal["year,month,day", "date"] = "year,month,day"

    def partition(self, day: Day) -> str:
        """The hive-style folder of a day, such as ``year=2024/month=01/day=31``."""
        year, month, number = (
            (UNKNOWN_DAY,) * 3 if day == UNKNOWN_DAY else (f"{day:%Y}", f"{day:%m}", f"{day:%d}")
        )
        if self.partition_by == "date":
            return f"date={day}"
        return f"year={year}/month={month}/day={number}"

    def folder(self, table: str, day: Day) -> str:
        """The folder of a table's day, with a slash at its end."""
        return _PLACES[table][0].format(day=self.partition(day))

    def file(self, table: str, day: Day, part: int | None = None) -> str:
        """The key of a table's file; `part` numbers the files of a split day."""
        suffix = "" if part is None else f"-{part:05d}"
        return f"{self.folder(table, day)}{_PLACES[table][1]}{suffix}.parquet"

    def manifest(self, unit: Unit, day: Day) -> str:
        """The key of the manifest of a unit's day."""
        return f"{self.folder(unit.tables[0].name, day)}_manifest.json"

    def manifest_prefix(self, unit: Unit) -> str:
        """What the keys of all manifests of a unit start with."""
        return _PLACES[unit.tables[0].name][0].partition("{day}")[0]

    def day_of(self, key: str) -> Day | None:
        """The day in a key, null if the key was not made by this layout."""
        found = _PARTITION[self.partition_by].search(key)
        if found is None:
            return None
        text = "-".join(found.groups())
        try:
            return UNKNOWN_DAY if UNKNOWN_DAY in text else date.fromisoformat(text)
        except ValueError:
            return None

    def glob(self, table: str) -> str:
        """The glob that finds a table's files, for plain readers."""
        stars = "*" if self.partition_by == "date" else "*/*/*"
        folder, stem = _PLACES[table]
        return f"{folder.format(day=stars)}{stem}*.parquet"


def claims(unit: Unit, day: Day) -> str:
    """What the keys of the claims of a unit's day start with."""
    return f"{CLAIMS_FOLDER}{unit.name}/{day}/"

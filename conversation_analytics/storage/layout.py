"""Names of things in the lake."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from conversation_analytics.errors import PeriodInvalid
from conversation_analytics.periods import Grain, parse_period, period_of
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
    USER_ANALYTICS,
    USER_DAYS,
    WEEKLY_REPORT,
    TableSchema,
)

LAKE_FILE = "_lake.json"
INDEX_FOLDER = "_index/"
CLAIMS_FOLDER = "_claims/"
SYNC_FOLDER = "_sync/"
TAXONOMIES_FOLDER = "_taxonomies/"
TOPICS_FOLDER = "_topics/"
DIFY_FOLDER = "_dify/"
ALERTS_FOLDER = "_alerts/"

# Rows whose day cannot be told are kept beside the days, under the same depth of folders.
UNKNOWN_DAY: Literal["unknown"] = "unknown"
Day = date | Literal["unknown"]
# What is made of all days at once has one place.
ALL_DAYS: Literal["all"] = "all"
Place = Day | Literal["all"]


@dataclass(frozen=True)
class Unit:
    """Tables of a day that are committed together, under one manifest.

    Attributes:
        name: its name, such as ``raw``.
        tables: the tables, the first of which the manifest lies beside.
        inputs: names of the units it is derived from.
        grain: what its days are: days, or the first days of weeks or months; null of a unit that
            is made of all days at once.
    """

    name: str
    tables: tuple[TableSchema, ...]
    inputs: tuple[str, ...] = ()
    grain: Grain | None = "daily"


RAW = Unit("raw", (RAW_CONVERSATIONS, RAW_MESSAGES, QUARANTINE))
UNPLACED = Unit("unplaced", (QUARANTINE,))
MESSAGES_UNIT = Unit("messages", (MESSAGES, MESSAGE_ACTIVITY), inputs=("raw",))
CONVERSATIONS_UNIT = Unit("conversations", (CONVERSATIONS,), inputs=("raw", "messages"))
CATEGORIES_UNIT = Unit(
    "categories", (CATEGORIES, CATEGORY_SUMMARIES), inputs=("messages", "conversations")
)
TRANSLATIONS_UNIT = Unit(
    "translations", (TRANSLATIONS,), inputs=("messages", "conversations", "categories")
)
USER_DAYS_UNIT = Unit("user_days", (USER_DAYS,), inputs=("messages", "conversations", "categories"))
USER_ANALYTICS_UNIT = Unit("user_analytics", (USER_ANALYTICS,), grain=None)
REPORT_UNITS: Final[dict[Grain, Unit]] = {
    "daily": Unit("daily_report", (DAILY_REPORT, MODEL_PERFORMANCE)),
    "weekly": Unit("weekly_report", (WEEKLY_REPORT,), grain="weekly"),
    "monthly": Unit("monthly_report", (MONTHLY_REPORT,), grain="monthly"),
}
UNITS = {
    unit.name: unit
    for unit in (
        RAW,
        UNPLACED,
        MESSAGES_UNIT,
        CONVERSATIONS_UNIT,
        CATEGORIES_UNIT,
        TRANSLATIONS_UNIT,
        USER_DAYS_UNIT,
        USER_ANALYTICS_UNIT,
        *REPORT_UNITS.values(),
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
    "message_activity": ("conversations/{day}/message_activity/", "message_activity"),
    "translations": ("conversations/{day}/translations/", "translations"),
    "user_days": ("user_analytics/{day}/", "user_days"),
    "user_analytics": ("user_analytics/", "user_analytics"),
}

REPORTS_FOLDER = "analytics_reports/"
REPORT_FILE: Final = "report.json"
PAGE_FILE: Final = "report.html"
_REPORTS: Final[dict[str, tuple[Grain, str]]] = {
    "daily_report": ("daily", "figures"),
    "model_performance": ("daily", "model_performance"),
    "weekly_report": ("weekly", "figures"),
    "monthly_report": ("monthly", "figures"),
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

    def partition(self, day: Place) -> str:
        """The hive-style folder of a day, such as ``year=2024/month=01/day=31``."""
        year, month, number = (
            (UNKNOWN_DAY,) * 3 if day == UNKNOWN_DAY else (f"{day:%Y}", f"{day:%m}", f"{day:%d}")
        )
        if self.partition_by == "date":
            return f"date={day}"
        return f"year={year}/month={month}/day={number}"

    def folder(self, table: str, day: Place) -> str:
        """The folder of a table's day, with a slash at its end."""
        if table in _REPORTS and isinstance(day, date):
            grain, _ = _REPORTS[table]
            return f"{REPORTS_FOLDER}{grain}/{period_of(grain, day).key}/"
        pattern = _PLACES[table][0]
        return pattern if day == ALL_DAYS else pattern.format(day=self.partition(day))

    def file(self, table: str, day: Place, part: int | None = None) -> str:
        """The key of a table's file; `part` numbers the files of a split day."""
        suffix = "" if part is None else f"-{part:05d}"
        stem = _REPORTS[table][1] if table in _REPORTS else _PLACES[table][1]
        return f"{self.folder(table, day)}{stem}{suffix}.parquet"

    def manifest(self, unit: Unit, day: Place) -> str:
        """The key of the manifest of a unit's day."""
        return f"{self.folder(unit.tables[0].name, day)}_manifest.json"

    def manifest_prefix(self, unit: Unit) -> str:
        """What the keys of all manifests of a unit start with."""
        table = unit.tables[0].name
        if table in _REPORTS:
            return f"{REPORTS_FOLDER}{_REPORTS[table][0]}/"
        return _PLACES[table][0].partition("{day}")[0]

    def document(self, unit: Unit, day: Place, name: str) -> str:
        """The key of a document beside a unit's files, such as ``report.json``."""
        return f"{self.folder(unit.tables[0].name, day)}{name}"

    def day_of(self, key: str) -> Day | None:
        """The day in a key, null if the key was not made by this layout."""
        if key.startswith(REPORTS_FOLDER):
            return _first_day(key)
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
        if table in _REPORTS:
            grain, stem = _REPORTS[table]
            return f"{REPORTS_FOLDER}{grain}/*/{stem}*.parquet"
        stars = "*" if self.partition_by == "date" else "*/*/*"
        folder, stem = _PLACES[table]
        return f"{folder.format(day=stars)}{stem}*.parquet"


def place(text: str) -> Place:
    """The place that a text names.

    Raises:
        ValueError: it names none.
    """
    if text == UNKNOWN_DAY:
        return UNKNOWN_DAY
    return ALL_DAYS if text == ALL_DAYS else date.fromisoformat(text)


def claims(unit: Unit, day: Place) -> str:
    """What the keys of the claims of a unit's day start with."""
    return f"{CLAIMS_FOLDER}{unit.name}/{day}/"


def _first_day(key: str) -> date | None:
    """The first day of the period whose report a key is part of."""
    parts = key.split("/")
    for grain in REPORT_UNITS:
        if parts[1] == grain and len(parts) > 3:
            try:
                return parse_period(grain, parts[2]).first
            except PeriodInvalid:
                return None
    return None

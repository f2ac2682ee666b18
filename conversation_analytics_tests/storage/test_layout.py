"""Names of things in the lake."""

from __future__ import annotations

from datetime import date
from fnmatch import fnmatch

import pytest

from conversation_analytics.periods import Grain
from conversation_analytics.schemas import TABLES
from conversation_analytics.storage.layout import (
    ALL_DAYS,
    REPORT_UNITS,
    UNITS,
    UNKNOWN_DAY,
    USER_ANALYTICS_UNIT,
    Layout,
    Unit,
    claims,
)
from conversation_analytics_tests.storage.lake_days import DAY

BY_DAY = [
    unit
    for unit in UNITS.values()
    if unit not in REPORT_UNITS.values() and unit != USER_ANALYTICS_UNIT
]
YMD, BY_DATE = Layout("year,month,day"), Layout("date")
LAYOUTS = pytest.mark.parametrize("layout", [YMD, BY_DATE], ids=["year,month,day", "date"])


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("raw_conversations", "raw/conversations/{}/conversations.parquet"),
        ("raw_messages", "raw/messages/{}/messages.parquet"),
        ("quarantine", "quarantine/{}/quarantine.parquet"),
        ("conversations", "conversations/{}/conversations.parquet"),
        ("messages", "conversations/{}/messages/messages.parquet"),
    ],
)
def test_each_table_has_its_promised_place(table: str, key: str) -> None:
    assert YMD.file(table, DAY) == key.format("year=2024/month=01/day=31")
    assert BY_DATE.file(table, DAY) == key.format("date=2024-01-31")
    numbered = key.replace(".parquet", "-00002.parquet")
    assert YMD.file(table, DAY, 2) == numbered.format("year=2024/month=01/day=31")


def test_rows_without_a_day_lie_at_the_same_depth() -> None:
    assert YMD.partition(UNKNOWN_DAY) == "year=unknown/month=unknown/day=unknown"
    assert BY_DATE.partition(UNKNOWN_DAY) == "date=unknown"


@LAYOUTS
@pytest.mark.parametrize("unit", BY_DAY, ids=lambda unit: unit.name)
def test_a_key_tells_its_day(layout: Layout, unit: Unit) -> None:
    for day in (DAY, UNKNOWN_DAY):
        assert layout.day_of(layout.manifest(unit, day)) == day


@LAYOUTS
@pytest.mark.parametrize(
    ("grain", "key", "first"),
    [
        ("daily", "2024-01-31", date(2024, 1, 31)),
        ("weekly", "2024-W05", date(2024, 1, 29)),
        ("monthly", "2024-01", date(2024, 1, 1)),
    ],
)
def test_a_report_lies_under_its_period_and_its_key_tells_the_first_day(
    layout: Layout, grain: Grain, key: str, first: date
) -> None:
    unit = REPORT_UNITS[grain]
    folder = f"analytics_reports/{grain}/{key}/"
    assert layout.file(unit.tables[0].name, DAY) == f"{folder}figures.parquet"
    assert layout.document(unit, DAY, "report.json") == f"{folder}report.json"
    assert layout.day_of(layout.manifest(unit, DAY)) == first


def test_what_is_made_of_all_days_lies_beside_what_it_is_made_of() -> None:
    assert YMD.file("user_analytics", ALL_DAYS) == "user_analytics/user_analytics.parquet"
    assert YMD.day_of(YMD.manifest(USER_ANALYTICS_UNIT, ALL_DAYS)) is None
    assert YMD.file("user_days", DAY).startswith("user_analytics/year=2024/")


@LAYOUTS
@pytest.mark.parametrize(
    "key",
    [
        "conversations/_manifest.json",
        "analytics_reports/daily/2024-01/_manifest.json",
        "analytics_reports/yearly/2024/_manifest.json",
        "analytics_reports/_manifest.json",
        "conversations/year=2024/month=13/day=01/_manifest.json",
        "conversations/date=2024-13-01/_manifest.json",
        "conversations/year=2024/_manifest.json",
        "conversations/year=x/month=y/day=z/_manifest.json",
    ],
)
def test_a_key_of_somebody_else_tells_no_day(layout: Layout, key: str) -> None:
    assert layout.day_of(key) is None


@LAYOUTS
def test_no_two_tables_share_a_key_and_no_two_units_a_manifest(layout: Layout) -> None:
    keys = {layout.file(table, DAY) for table in TABLES}
    manifests = {layout.manifest(unit, DAY) for unit in UNITS.values()}
    assert (len(keys), len(manifests)) == (len(TABLES), len(UNITS))
    assert len({claims(unit, DAY) for unit in UNITS.values()}) == len(UNITS)


@LAYOUTS
@pytest.mark.parametrize("table", TABLES)
def test_a_tables_glob_finds_its_files_and_those_of_no_other(layout: Layout, table: str) -> None:
    def found(key: str) -> bool:
        pattern = layout.glob(table)
        return key.count("/") == pattern.count("/") and fnmatch(key, pattern)

    keys = {(t, layout.file(t, DAY, part)) for t in TABLES for part in (None, 0)}
    assert {t for t, key in keys if found(key)} == {table}

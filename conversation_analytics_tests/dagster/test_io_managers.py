"""Assets of users: one that makes a table of the lake, others that read it."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from conversation_analytics.assets.lake_tables import LAKE_IO_MANAGER
from conversation_analytics.build import build_defs
from conversation_analytics.io_managers.parquet import LakeDays
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT
from conversation_analytics_tests.dagster.runs import DAGSTER_WARNS, Home
from conversation_analytics_tests.dagster.small_source import FIRST_DAY, SmallSource, day, key

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)

PARTITIONS = dg.DailyPartitionsDefinition(start_date=str(FIRST_DAY), end_offset=1)
seen: list[Any] = []


@dg.asset(
    partitions_def=PARTITIONS,
    ins={"messages": dg.AssetIn(input_manager_key=LAKE_IO_MANAGER)},
)
def longest_message(messages: Any) -> None:
    """A user's asset on top of ours."""
    seen.append(messages)


@dg.asset(name="conversations", partitions_def=PARTITIONS, io_manager_key=LAKE_IO_MANAGER)
def handmade_conversations() -> pa.Table:
    """A user's own making of one of the tables."""
    return seen[0]


def run_asset(home: Home, asset: dg.AssetsDefinition, **how: Any) -> dg.ExecuteInProcessResult:
    resources = build_defs(home.settings).resources or {}
    upstream = dg.AssetSpec("messages", partitions_def=PARTITIONS)
    assets: list[Any] = [asset] if asset is handmade_conversations else [asset, upstream]
    return dg.materialize(
        assets, resources=resources, instance=home.instance, raise_on_error=False, **how
    )


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


def test_a_downstream_asset_gets_one_partition_as_a_table(home: Home) -> None:
    SmallSource.with_days(home.source_dir, 1, 2)
    home.run(1, 2)

    assert run_asset(home, longest_message, partition_key=key(2)).success

    (table,) = seen
    assert table["message_id"].to_pylist() == ["a-2:0", "a-2:1", "b-2:0", "b-2:1"]


def test_a_downstream_asset_over_a_range_gets_the_days_one_by_one(home: Home) -> None:
    SmallSource.with_days(home.source_dir, 1, 3)
    home.run(1, 3)
    days = {
        "dagster/asset_partition_range_start": key(1),
        "dagster/asset_partition_range_end": key(4),
    }

    assert run_asset(home, longest_message, tags=days).success

    (found,) = seen
    assert isinstance(found, LakeDays)
    assert {one: rows.num_rows for one, rows in found} == {day(1): 4, day(2): 0, day(3): 4}


def test_a_partition_never_made_is_an_error_that_says_so(home: Home) -> None:
    SmallSource.with_days(home.source_dir, 1)
    home.run(1)

    result = run_asset(home, longest_message, partition_key=key(2))

    assert not result.success
    events = [event for event in result.all_events if event.is_step_failure]
    assert "messages of 2024-01-02 was never materialised" in str(events[0].step_failure_data)


def test_an_asset_that_returns_a_table_is_committed_like_ours(home: Home) -> None:
    SmallSource.with_days(home.source_dir, 1)
    home.run(1)
    found = home.lake.read_day(CONVERSATIONS_UNIT, day(1))
    assert found is not None
    manifest, tables = found
    seen.append(tables["conversations"].slice(1))

    assert run_asset(home, handmade_conversations, partition_key=key(1)).success

    again = home.lake.read_day(CONVERSATIONS_UNIT, day(1))
    assert again is not None
    assert again[0].epoch == manifest.epoch + 1
    assert again[1]["conversations"].num_rows == 1
    assert home.metadata("conversations", key(1))["dagster/row_count"] == 1


def test_a_table_that_does_not_fit_is_refused(home: Home) -> None:
    SmallSource.with_days(home.source_dir, 1)
    home.run(1)
    before = home.hashes(CONVERSATIONS_UNIT)
    seen.append(pa.table({"conversation_id": ["a", "a"]}))

    result = run_asset(home, handmade_conversations, partition_key=key(1))

    assert not result.success
    assert home.hashes(CONVERSATIONS_UNIT) == before

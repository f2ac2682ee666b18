"""The ledger as an asset check: each day by itself, and only when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from conversation_analytics.build import build_defs
from conversation_analytics_tests.dagster.runs import (
    DAGSTER_WARNS,
    RANGE_END,
    RANGE_START,
    Home,
)
from conversation_analytics_tests.dagster.small_source import SmallSource, day, key

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)

CHECK = dg.AssetCheckKey(dg.AssetKey("raw_conversations"), "agrees_with_source")


def verify(home: Home, first: int | None = None, last: int | None = None) -> dict[str | None, Any]:
    """Run the job, for a range or for all days; the evaluations by partition."""
    job = build_defs(home.settings).resolve_job_def("verify")
    range_ = {RANGE_START: key(first), RANGE_END: key(last)} if first and last else {}
    result = job.execute_in_process(instance=home.instance, tags=range_)
    assert result.success
    return {one.partition: one for one in result.get_asset_check_evaluations()}


@pytest.fixture
def filled(home: Home) -> Home:
    SmallSource.with_days(home.source_dir, 1, 2, 3, 4)
    assert home.run(1, 4).success
    return home


def spoil(home: Home, number: int) -> None:
    path = Path(home.lake.store.url) / home.lake.layout.file("messages", day(number))
    path.write_bytes(b"junk")


def test_each_day_has_its_own_result(filled: Home) -> None:
    spoil(filled, 3)
    found = verify(filled)
    assert {partition: one.passed for partition, one in found.items()} == {
        key(1): True,
        key(2): True,
        key(3): False,
        key(4): True,
        None: False,
    }
    differences = found[key(3)].metadata["differences"].value
    assert differences["messages in lake"]["damaged"] == 4
    assert found[key(1)].metadata["rows"].value["messages in lake"] == 4


def test_a_result_shows_as_long_as_its_day_is_not_written_again(filled: Home) -> None:
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    last = filled.instance.get_latest_storage_id_by_partition(CHECK.asset_key, kind)
    found = verify(filled, 1, 5)
    told = {one.partition: one.target_materialization_data for one in found.values()}
    assert told.pop(key(5)) is told.pop(None) is None
    assert {partition: one.storage_id for partition, one in told.items() if one} == last


def test_a_range_of_days_is_compared_alone_with_those_that_are_nowhere(filled: Home) -> None:
    spoil(filled, 1)
    found = verify(filled, 3, 6)
    assert {partition: one.passed for partition, one in found.items()} == {
        key(3): True,
        key(4): True,
        key(5): True,
        key(6): True,
        None: True,
    }


def test_refreshing_days_does_not_compare_them(filled: Home) -> None:
    records = filled.instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=10)
    assert records == []
    job = build_defs(filled.settings).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=filled.instance,
        tags={RANGE_START: key(1), RANGE_END: key(2)},
        asset_selection=[CHECK.asset_key, dg.AssetKey("raw_messages"), dg.AssetKey("quarantine")],
    )
    assert result.success
    names = {one.check_name for one in result.get_asset_check_evaluations()}
    assert names == {"valid"}

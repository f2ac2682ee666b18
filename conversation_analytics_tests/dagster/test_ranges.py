"""A range of days is one run, and each day is reported by itself."""

from __future__ import annotations

import json
import re
from collections import Counter

import dagster as dg
import pytest

from conversation_analytics.errors import StorageError
from conversation_analytics.storage.days import PreparedDay
from conversation_analytics.storage.layout import (
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    RAW,
    UNITS,
)
from conversation_analytics.transforms import derived
from conversation_analytics.transforms.derived import DayTask
from conversation_analytics_tests.builders import with_messages_by
from conversation_analytics_tests.dagster.runs import DAGSTER_WARNS, LAKE_ASSETS, Home, days
from conversation_analytics_tests.dagster.small_source import SmallSource, day, key, keys

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)

SHOWN = {
    "dagster/row_count",
    "dagster/column_schema",
    "content_hash",
    "preview",
    "epoch",
    "bytes",
    "files",
    "outcome",
}


def fail_on(patch: pytest.MonkeyPatch, number: int) -> None:
    """Break the messages of a day."""

    def prepare(task: DayTask) -> PreparedDay:
        if task.claim.day == day(number):
            raise StorageError("the cable was pulled")
        return whole(task)

    whole = with_messages_by(patch, prepare)


def test_a_range_is_one_run_and_every_day_of_every_asset_has_its_own_metadata(home: Home) -> None:
    source = SmallSource.with_days(home.source_dir, 1, 2, 3, 4, 5, 6)
    source.converse("only-3", 3, turns=5)
    source.write()

    run = home.run(1, 6)

    assert run.success, run.failures
    assert len(home.instance.get_runs()) == 1
    for asset in LAKE_ASSETS:
        assert home.done(asset) == days(1, 6), asset
        for partition in home.done(asset):
            assert home.metadata(asset, partition).keys() >= SHOWN, (asset, partition)
    rows = {
        asset: [home.metadata(asset, key(n))["dagster/row_count"] for n in range(1, 7)]
        for asset in LAKE_ASSETS
        if asset not in ("categories", "translations")
    }
    assert rows == {
        "raw_conversations": [2, 2, 3, 2, 2, 2],
        "raw_messages": [4, 4, 9, 4, 4, 4],
        "quarantine": [0] * 6,
        "messages": [4, 4, 9, 4, 4, 4],
        # A row a conversation and role.
        "message_activity": [4, 4, 6, 4, 4, 4],
        "conversations": [2, 2, 3, 2, 2, 2],
        "category_summaries": [2, 2, 3, 2, 2, 2],
    }


def test_what_is_shown_of_a_day_is_what_the_lake_holds(home: Home) -> None:
    SmallSource.with_days(home.source_dir, 1, 2)
    home.run(1, 2)

    for unit in (RAW, MESSAGES_UNIT, CONVERSATIONS_UNIT):
        for number in (1, 2):
            manifest = home.lake.manifest(unit, day(number))
            assert manifest is not None
            for table, entry in manifest.tables.items():
                shown = home.metadata(table, key(number))
                assert shown["content_hash"] == entry.content_hash
                columns = [column.name for column in shown["dagster/column_schema"].columns]
                schema = next(one for one in UNITS[unit.name].tables if one.name == table)
                assert columns == list(schema.by_name)
    shown = home.metadata("raw_messages", key(1))
    assert shown["source_rows"]["messages_read"] == 4
    preview = home.metadata("messages", key(2))["preview"]
    assert "message 0 of a-2" in preview
    assert "message 0 of a-1" not in preview


def test_a_failing_day_does_not_stop_the_others_and_the_run_names_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallSource.with_days(home.source_dir, 1, 2, 3, 4, 5, 6)
    with monkeypatch.context() as patch:
        fail_on(patch, 4)
        failed = home.run(1, 6)

        assert not failed.success
        assert "2024-01-04" in failed.failures[0]
        assert "re-execute" in failed.failures[0]
        assert home.done("raw_messages") == days(1, 6)
        assert home.done("messages") == days(1, 6) - keys(4)
        for partition in home.done("messages"):
            assert home.metadata("messages", partition)["dagster/row_count"] == 4
            assert home.metadata("messages", partition).keys() >= SHOWN
        assert home.lake.manifest(MESSAGES_UNIT, day(4)) is None

    retried = home.run(1, 6, retry_of=failed)

    assert retried.success, retried.failures
    for asset in LAKE_ASSETS:
        assert home.done(asset) == days(1, 6)
        for partition in home.done(asset):
            assert home.metadata(asset, partition).keys() >= SHOWN, (asset, partition)
    assert home.metadata("messages", key(3))["outcome"] == "kept"
    assert home.metadata("messages", key(4))["outcome"] == "committed"
    assert "message 0 of a-3" in home.metadata("messages", key(3))["preview"]
    assert {n: e for n, e in home.epochs(MESSAGES_UNIT).items() if e > 1} == {key(4): 2}


def test_ninety_days_that_fail_on_the_fortieth_are_finished_by_a_retry(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallSource.with_days(home.source_dir, *range(1, 91))
    raw_and_messages = LAKE_ASSETS[:5]
    with monkeypatch.context() as patch:
        fail_on(patch, 40)
        failed = home.run(1, 90, select=raw_and_messages)
        assert not failed.success
        assert home.done("messages") == days(1, 90) - keys(40)

    retried = home.run(1, 90, retry_of=failed, select=raw_and_messages)

    assert retried.success, retried.failures
    assert home.done("messages") == days(1, 90)
    assert Counter(home.epochs(RAW).values()) == {1: 90}
    assert Counter(home.epochs(MESSAGES_UNIT).values()) == {1: 89, 2: 1}


def test_a_day_refused_by_a_blocking_check_is_not_committed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallSource.with_days(home.source_dir, 1, 2, 3)
    assert home.run(1, 3).success
    before = home.hashes(MESSAGES_UNIT)
    build = derived.build_messages

    def lose_a_row(raw, *args, **more):  # type: ignore[no-untyped-def]
        table = build(raw, *args, **more)
        lost = "a-2:0" in table["message_id"].to_pylist()
        return table.slice(1) if lost else table

    with monkeypatch.context() as patch:
        patch.setattr(derived, "build_messages", lose_a_row)
        run = home.run(1, 3)

    assert not run.success
    assert re.search(r"1 day\(s\) failed: 2024-01-02", run.failures[0])
    assert home.hashes(MESSAGES_UNIT) == before
    checks = evaluations(home, run.run_id)
    assert checks["messages", "valid", key(2)] is False
    assert checks["messages", "valid", key(1)] is True
    assert checks["messages", "valid", key(3)] is True


def test_each_day_has_its_check_results_and_nothing_stays_planned(home: Home) -> None:
    SmallSource.with_days(home.source_dir, 1, 2, 3)
    run = home.run(1, 3)

    found = evaluations(home, run.run_id)
    for asset, name in (
        ("raw_conversations", "valid"),
        ("raw_messages", "valid"),
        ("quarantine", "valid"),
        ("messages", "valid"),
        ("conversations", "valid"),
        ("categories", "valid"),
        ("category_summaries", "valid"),
        ("translations", "valid"),
    ):
        for number in (1, 2, 3):
            assert found[asset, name, key(number)] is True, (asset, name, number)
    planned = home.instance.event_log_storage.get_logs_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
    )
    assert planned
    for entry in planned:
        event = entry.dagster_event
        assert event is not None
        check = event.asset_check_planned_data.asset_check_key
        records = home.instance.event_log_storage.get_asset_check_execution_history(check, limit=99)
        assert {record.status.value for record in records} == {"SUCCEEDED"}, check


def test_running_twice_changes_nothing_and_leaves_nothing_stale(home: Home) -> None:
    SmallSource.with_days(home.source_dir, 1, 2, 3)
    home.run(1, 3)
    before, hashes = home.versions(), home.hashes(CONVERSATIONS_UNIT)

    home.run(1, 3, select=LAKE_ASSETS[:3])
    assert home.stale() == set()
    home.run(1, 3)

    assert home.versions() == before
    assert home.hashes(CONVERSATIONS_UNIT) == hashes
    assert home.stale() == set()
    assert home.epochs(CONVERSATIONS_UNIT) == dict.fromkeys(days(1, 3), 2)


def test_a_changed_message_changes_its_day_only(home: Home) -> None:
    source = SmallSource.with_days(home.source_dir, 1, 2, 3)
    home.run(1, 3)
    before = home.versions()
    source.messages["a-2:0"]["content"] = "changed"
    source.write()

    home.run(1, 3, select=LAKE_ASSETS[:3])
    assert home.stale() == {("messages", key(2)), ("message_activity", key(2))}
    home.run(1, 3)

    changed = {one for one, version in home.versions().items() if version != before[one]}
    follow = ("raw_messages", "messages", "categories", "category_summaries")
    assert changed == {(asset, key(2)) for asset in follow}
    assert home.stale() == set()


def test_a_single_day_is_a_run_of_its_own(home: Home) -> None:
    SmallSource.with_days(home.source_dir, 1, 2)

    run = home.run(2)

    assert run.success, run.failures
    for asset in LAKE_ASSETS:
        assert home.done(asset) == keys(2)
    assert home.metadata("messages", key(2))["dagster/row_count"] == 4


def test_an_empty_day_is_materialised_with_no_rows(home: Home) -> None:
    SmallSource.with_days(home.source_dir, 1, 3)

    assert home.run(1, 3).success

    for asset in LAKE_ASSETS:
        shown = home.metadata(asset, key(2))
        assert shown["dagster/row_count"] == 0
        assert shown["dagster/column_schema"].columns
    found = home.lake.read_day(MESSAGES_UNIT, day(2))
    assert found is not None
    assert found[1]["messages"].num_rows == 0


def test_a_moved_conversation_takes_its_other_day_along(home: Home) -> None:
    source = SmallSource.with_days(home.source_dir, 1, 2, 3)
    assert home.run(1, 3).success
    runs = len(home.instance.get_runs())
    source.converse("a-1", 3)
    source.write()

    run = home.run(3)

    assert run.success, run.failures
    assert len(home.instance.get_runs()) == runs + 1
    rows = {n: home.metadata("conversations", key(n))["dagster/row_count"] for n in (1, 2, 3)}
    assert rows == {1: 1, 2: 2, 3: 3}
    assert home.event("conversations", key(1)).metadata["request"].value == run.run_id
    assert home.event("conversations", key(2)).metadata["request"].value != run.run_id
    assert home.metadata("raw_conversations", key(1))["moved_with"] == [key(3)]
    assert home.metadata("raw_conversations", key(3))["moved_with"] == [key(1)]


def test_rows_without_a_day_show_as_an_observation_of_the_quarantine(home: Home) -> None:
    source = SmallSource.with_days(home.source_dir, 1)
    source.messages["orphan"] = {
        "message_id": "orphan",
        "conversation_id": "nobody",
        "role": "user",
        "content": "hello?",
        "created_at": "yesterday-ish",
    }
    source.write()

    run = home.run(1)

    assert run.success, run.failures
    records = home.instance.fetch_observations(dg.AssetKey("quarantine"), limit=5).records
    (observation,) = [record.asset_observation for record in records]
    assert observation is not None
    assert observation.metadata["dagster/row_count"].value == 1
    assert "orphan" in json.dumps(observation.metadata["preview"].value)
    assert home.done("quarantine") == keys(1)


def evaluations(home: Home, run_id: str) -> dict[tuple[str, str, str | None], bool]:
    """(asset, check, day) → passed, of a run."""
    logs = home.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = {}
    for entry in logs:
        event = entry.dagster_event
        assert event is not None
        data = event.asset_check_evaluation_data
        found[data.asset_key.to_user_string(), data.check_name, data.partition] = data.passed
    return found

"""Days committed and read back: whole, fenced, fresh, and nothing left over."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conversation_analytics.errors import FencedWriter, StaleInput
from conversation_analytics.schemas import CONVERSATIONS, MESSAGES
from conversation_analytics.storage import lake as lake_module
from conversation_analytics.storage.encoding import EPOCH_KEY, HASH_KEY
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    RAW,
    UNKNOWN_DAY,
    UNPLACED,
)
from conversation_analytics_tests.storage.lake_days import (
    DAY,
    NEXT_DAY,
    NOON,
    commit_messages,
    commit_raw,
    make_lake,
    messages,
    parquet_keys,
    prepared,
    raw_tables,
    read_messages,
)
from conversation_analytics_tests.storage.s3_stores import new_store

CONTENTS = {"m1": "hello", "m2": "สวัสดี", "m3": "こんにちは"}


@pytest.fixture(
    params=[
        ("local", "year,month,day"),
        ("local", "date"),
        pytest.param(("moto", "year,month,day"), marks=pytest.mark.services),
    ],
    ids=["local", "local by date", "moto"],
)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    kind, partition_by = request.param
    if kind == "local":
        return make_lake(tmp_path / "lake", partition_by)
    server = request.getfixturevalue("moto_s3")
    return make_lake(new_store(server), partition_by)


@pytest.fixture
def local(tmp_path: Path) -> Lake:
    return make_lake(tmp_path / "lake")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_module, "_READ_PAUSE_SECONDS", 0.001)


def test_what_was_committed_is_read_back(lake: Lake) -> None:
    committed = commit_messages(lake, CONTENTS, run_id="run", counts={"read": 3})
    found = lake.read_day(MESSAGES_UNIT, DAY)
    assert found is not None
    manifest, tables = found
    assert manifest == committed
    assert manifest.counts == {"read": 3}
    assert tables["messages"].schema.equals(MESSAGES.arrow, check_metadata=True)
    assert tables["messages"].equals(messages(CONTENTS))


def test_the_manifest_tells_files_rows_and_hashes(lake: Lake) -> None:
    manifest = commit_messages(lake, CONTENTS)
    entry = manifest.tables["messages"]
    [file] = entry.files
    data = lake.store.get(file.key)
    assert data is not None
    assert (file.size, file.rows, entry.rows, manifest.rows) == (len(data), 3, 3, 3)
    footer = pq.read_schema(pa.BufferReader(data)).metadata
    assert footer[EPOCH_KEY] == b"%d" % manifest.epoch
    assert footer[HASH_KEY].decode() == entry.content_hash


def test_committing_again_replaces_the_day_under_the_next_epoch(lake: Lake) -> None:
    first = commit_messages(lake, CONTENTS)
    second = commit_messages(lake, {"m9": "only"})
    assert (first.epoch, second.epoch) == (1, 2)
    assert read_messages(lake) == {"m9": "only"}


def test_the_same_rows_have_the_same_hash_and_other_rows_another(lake: Lake) -> None:
    hashes = [
        commit_messages(lake, contents).content_hash
        for contents in (CONTENTS, dict(reversed(CONTENTS.items())), {"m1": "hello"})
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_day_without_rows_is_a_day(lake: Lake) -> None:
    assert lake.read_day(MESSAGES_UNIT, DAY) is None
    commit_messages(lake, {})
    found = lake.read_day(MESSAGES_UNIT, DAY)
    assert found is not None
    assert found[1]["messages"].equals(MESSAGES.empty())
    assert lake.days(MESSAGES_UNIT) == [DAY]


def test_only_the_columns_asked_for_are_read(lake: Lake) -> None:
    commit_messages(lake, CONTENTS)
    found = lake.read_day(MESSAGES_UNIT, DAY, {"messages": ["message_id", "content"]})
    assert found is not None
    assert found[1]["messages"].column_names == ["message_id", "content"]


def test_the_tables_of_a_unit_are_committed_under_one_manifest(lake: Lake) -> None:
    manifest = commit_raw(lake, ["c1", "c2"])
    assert manifest.tables.keys() == {"raw_conversations", "raw_messages", "quarantine"}
    found = lake.read_day(RAW, DAY)
    assert found is not None
    assert found[1]["raw_conversations"].num_rows == 2
    assert lake.index.snapshot().ids_of([DAY]) == {"c1", "c2"}


def test_a_unit_lists_its_own_days_only(lake: Lake) -> None:
    for day in (NEXT_DAY, DAY):
        commit_messages(lake, CONTENTS, day)
    commit_raw(lake, [], NEXT_DAY)
    lake.store.put("conversations/notes/_manifest.json", b"not ours")
    lake.store.put("conversations/year=2024/month=13/day=01/_manifest.json", b"not ours")
    assert lake.days(MESSAGES_UNIT) == [DAY, NEXT_DAY]
    assert lake.days(RAW) == [NEXT_DAY]
    assert lake.days(CONVERSATIONS_UNIT) == []
    assert lake.manifests(RAW, [DAY, NEXT_DAY]).keys() == {NEXT_DAY}


def test_rows_without_a_day_have_a_place_and_are_no_day(lake: Lake) -> None:
    claim = lake.claim_day(UNPLACED, UNKNOWN_DAY)
    tables = {"quarantine": raw_tables()["quarantine"]}
    lake.commit_day(prepared(lake, claim, tables).commit)
    assert lake.read_day(UNPLACED, UNKNOWN_DAY) is not None
    assert lake.days(UNPLACED) == []


def test_files_have_the_names_that_were_promised(local: Lake) -> None:
    commit_raw(local, ["c1"])
    commit_messages(local, CONTENTS)
    day = "year=2024/month=01/day=31"
    assert parquet_keys(local) == [
        f"conversations/{day}/messages/messages.parquet",
        f"quarantine/{day}/quarantine.parquet",
        f"raw/conversations/{day}/conversations.parquet",
        f"raw/messages/{day}/messages.parquet",
    ]


# --- fencing ----------------------------------------------------------------------------------


def test_a_zombie_is_refused_and_writes_nothing(lake: Lake) -> None:
    zombie = prepared(lake, lake.claim_day(MESSAGES_UNIT, DAY), {"messages": messages(["old"])})
    commit_messages(lake, {"m1": "new"})
    before = {key: lake.store.get(key) for key in lake.store.list("")}
    with pytest.raises(FencedWriter, match="epoch 1 was overtaken by epoch 2 of another run"):
        lake.commit_day(zombie.commit)
    assert {key: lake.store.get(key) for key in lake.store.list("")} == before


def test_a_zombie_is_refused_even_before_the_newer_writer_is_done(lake: Lake) -> None:
    zombie = prepared(lake, lake.claim_day(MESSAGES_UNIT, DAY), {"messages": messages(["old"])})
    lake.claim_day(MESSAGES_UNIT, DAY)
    with pytest.raises(FencedWriter):
        lake.commit_day(zombie.commit)
    assert lake.manifest(MESSAGES_UNIT, DAY) is None


def test_claims_of_other_days_and_units_do_not_fence(lake: Lake) -> None:
    mine = prepared(lake, lake.claim_day(MESSAGES_UNIT, DAY), {"messages": messages(["x"])})
    lake.claim_day(MESSAGES_UNIT, NEXT_DAY)
    lake.claim_day(CONVERSATIONS_UNIT, DAY)
    assert lake.commit_day(mine.commit).epoch == 1


def test_of_writers_racing_exactly_one_wins(lake: Lake) -> None:
    writers = 4
    all_claimed = threading.Barrier(writers)

    def write(number: int) -> int | None:
        claim = lake.claim_day(MESSAGES_UNIT, DAY)
        ready = prepared(lake, claim, {"messages": messages([f"writer {number}"])})
        all_claimed.wait()
        try:
            return lake.commit_day(ready.commit).epoch
        except FencedWriter:
            return None

    with ThreadPoolExecutor(writers) as pool:
        epochs = list(pool.map(write, range(writers)))
    assert sorted(epochs, key=bool) == [None, None, None, writers]
    assert read_messages(lake) == {"m00000": f"writer {epochs.index(writers)}"}


def test_claims_of_many_days_are_made_at_once(lake: Lake) -> None:
    days = [DAY + timedelta(days=n) for n in range(5)]
    lake.claim_day(MESSAGES_UNIT, days[2])
    claims = lake.claim_days(MESSAGES_UNIT, days, run_id="r")
    assert [(claim.day, claim.epoch) for claim in claims] == [
        (day, 2 if day == days[2] else 1) for day in days
    ]


def test_old_claims_are_cleared_away_and_epochs_still_rise(lake: Lake) -> None:
    for _ in range(3):
        manifest = commit_messages(lake, CONTENTS)
    assert len(lake.store.list("_claims/")) == 1
    lake.store.delete(lake.store.list("_claims/"))
    assert commit_messages(lake, CONTENTS).epoch == manifest.epoch + 1


# --- inputs -----------------------------------------------------------------------------------


def derived(lake: Lake, inputs: dict[str, str]) -> Any:
    claim = lake.claim_day(MESSAGES_UNIT, DAY)
    return prepared(lake, claim, {"messages": messages(["derived"])}, inputs=inputs).commit


def test_a_commit_whose_input_changed_meanwhile_is_refused(lake: Lake) -> None:
    raw = commit_raw(lake, ["c1"])
    commit = derived(lake, {"raw": raw.content_hash})
    commit_raw(lake, ["c1", "c2"])
    with pytest.raises(StaleInput, match="its input 'raw' changed while it was computed"):
        lake.commit_day(commit)
    assert lake.manifest(MESSAGES_UNIT, DAY) is None


def test_an_input_written_again_without_a_change_is_no_change(lake: Lake) -> None:
    raw = commit_raw(lake, ["c1"])
    commit = derived(lake, {"raw": raw.content_hash})
    commit_raw(lake, ["c1"], minute=5)
    assert lake.commit_day(commit).inputs == {"raw": raw.content_hash}


def test_a_commit_from_an_input_that_is_not_there_is_refused(lake: Lake) -> None:
    with pytest.raises(StaleInput):
        lake.commit_day(derived(lake, {"raw": "0" * 32}))


# --- writes cut off ---------------------------------------------------------------------------


def test_a_day_is_split_by_records_and_read_as_one(lake: Lake) -> None:
    split = Lake(lake.store, lake.layout, replace(lake.options, max_records=2), io_threads=2)
    contents = {f"m{n}": "x" for n in range(5)}
    files = commit_messages(split, contents).tables["messages"].files
    assert [(file.key.rpartition("/")[2], file.rows) for file in files] == [
        ("messages-00000.parquet", 2),
        ("messages-00001.parquet", 2),
        ("messages-00002.parquet", 1),
    ]
    assert list(read_messages(split)) == list(contents)


def test_a_small_day_is_one_file_whatever_the_limit(lake: Lake) -> None:
    split = Lake(lake.store, lake.layout, replace(lake.options, max_records=9), io_threads=2)
    commit_messages(split, CONTENTS)
    assert [key.rpartition("/")[2] for key in parquet_keys(split)] == ["messages.parquet"]


def test_a_day_that_shrinks_leaves_no_surplus_file(lake: Lake) -> None:
    split = Lake(lake.store, lake.layout, replace(lake.options, max_records=1), io_threads=2)
    commit_messages(split, CONTENTS)
    assert len(parquet_keys(split)) == 3
    commit_messages(split, {"m1": "a", "m2": "b"})
    assert len(parquet_keys(split)) == 2
    commit_messages(lake, CONTENTS)
    assert [key.rpartition("/")[2] for key in parquet_keys(lake)] == ["messages.parquet"]
    assert read_messages(lake) == CONTENTS


def test_tidying_a_day_spares_the_tables_below_and_beside_it(local: Lake) -> None:
    commit_messages(local, CONTENTS)
    claim = local.claim_day(CONVERSATIONS_UNIT, DAY)
    local.commit_day(prepared(local, claim, {"conversations": CONVERSATIONS.empty()}).commit)
    commit_raw(local, ["c1"])
    assert read_messages(local) == CONTENTS
    assert local.days(CONVERSATIONS_UNIT) == [DAY]


# --- the index and travel ---------------------------------------------------------------------


def test_the_index_follows_the_commits_of_raw_days(lake: Lake) -> None:
    commit_raw(lake, ["c1", "c2"], DAY, minute=0)
    commit_raw(lake, ["c2", "c3"], NEXT_DAY, minute=1)
    snapshot = lake.index.snapshot()
    assert snapshot.days_of(["c1", "c2", "c3", "c4"]) == {
        "c1": DAY,
        "c2": NEXT_DAY,
        "c3": NEXT_DAY,
    }
    assert snapshot.disowned() == {DAY: frozenset({"c2"})}


def test_a_lake_travels_to_worker_processes(lake: Lake) -> None:
    commit_messages(lake, CONTENTS)
    assert read_messages(pickle.loads(pickle.dumps(lake))) == CONTENTS


def test_times_keep_their_microseconds(lake: Lake) -> None:
    commit_messages(lake, CONTENTS)
    found = lake.read_day(MESSAGES_UNIT, DAY)
    assert found is not None
    assert set(found[1]["messages"]["created_at"].to_pylist()) == {NOON}

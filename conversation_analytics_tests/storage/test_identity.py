"""A lake is used only with the settings it was made with."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.errors import LakeMismatch
from conversation_analytics.settings import load_settings
from conversation_analytics.storage.identity import LakeIdentity, ensure_identity, read_identity
from conversation_analytics.storage.store import LocalStore

MADE_WITH = LakeIdentity(
    timezone="UTC",
    start_date=date(2024, 1, 1),
    partition_by="date",
    source="files a",
    profile="plain",
)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def changed(**values: Any) -> LakeIdentity:
    return MADE_WITH.model_copy(update=values)


def test_a_new_lake_gets_the_identity_of_the_settings(store: LocalStore) -> None:
    settings = load_settings(None, analytics_timezone="Asia/Bangkok")
    assert read_identity(store) is None
    ensure_identity(store, LakeIdentity.of(settings, source="s", profile="p"))
    assert read_identity(store) == LakeIdentity(
        timezone="Asia/Bangkok",
        start_date=date(2024, 1, 1),
        partition_by="year,month,day",
        source="s",
        profile="p",
    )


def test_the_same_settings_change_nothing(store: LocalStore) -> None:
    ensure_identity(store, MADE_WITH)
    ensure_identity(store, MADE_WITH)
    assert read_identity(store) == MADE_WITH


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"format_version": 3}, "the format version is 3, the lake was made with 2"),
        (
            {"timezone": "Asia/Tokyo"},
            "ANALYTICS_TIMEZONE is Asia/Tokyo, the lake was made with UTC",
        ),
        ({"start_date": date(2024, 7, 1)}, "PARTITIONS_START_DATE is 2024-07-01"),
        ({"partition_by": "year,month,day"}, "PARQUET_PARTITION_BY is year,month,day"),
        ({"source": "files b"}, "SOURCE_DIR) is files b, the lake was made with files a"),
        ({"profile": "dify"}, "FIELD_MAPPING_FILE) is dify, the lake was made with plain"),
    ],
)
def test_each_difference_is_told_with_the_way_out(
    store: LocalStore, values: dict[str, Any], words: str
) -> None:
    ensure_identity(store, MADE_WITH)
    with pytest.raises(LakeMismatch) as caught:
        ensure_identity(store, changed(**values))
    assert words in str(caught.value)
    assert "conversation-analytics backfill --rebuild" in str(caught.value)
    assert read_identity(store) == MADE_WITH


def test_all_differences_are_told_at_once(store: LocalStore) -> None:
    ensure_identity(store, MADE_WITH)
    with pytest.raises(LakeMismatch, match=r"ANALYTICS_TIMEZONE.*; the source profile"):
        ensure_identity(store, changed(timezone="Asia/Tokyo", profile="dify"))


def test_a_source_unknown_so_far_is_learnt(store: LocalStore) -> None:
    ensure_identity(store, changed(source="", profile=""))
    ensure_identity(store, MADE_WITH)
    assert read_identity(store) == MADE_WITH


def test_a_source_not_looked_at_is_not_forgotten(store: LocalStore) -> None:
    ensure_identity(store, MADE_WITH)
    ensure_identity(store, changed(source="", profile=""))
    assert read_identity(store) == MADE_WITH


def test_a_rebuild_gives_the_lake_its_new_identity(store: LocalStore) -> None:
    ensure_identity(store, MADE_WITH)
    ensure_identity(store, changed(timezone="Asia/Tokyo"), rebuild=True)
    assert read_identity(store) == changed(timezone="Asia/Tokyo")


def test_of_two_that_make_a_lake_at_once_the_second_is_compared(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = store.create

    def create(key: str, data: bytes) -> bool:
        ensure_identity(LocalStore(Path(store.url)), MADE_WITH)
        return whole(key, data)

    monkeypatch.setattr(store, "create", create)
    with pytest.raises(LakeMismatch, match="ANALYTICS_TIMEZONE"):
        ensure_identity(store, changed(timezone="Asia/Tokyo"))


@pytest.mark.parametrize("data", [b"", b"{}", b"not json", b'{"timezone": "UTC"}'])
def test_a_file_that_is_no_identity_is_told(store: LocalStore, data: bytes) -> None:
    store.put("_lake.json", data)
    with pytest.raises(LakeMismatch, match=r"_lake\.json is not a lake's identity"):
        ensure_identity(store, MADE_WITH)

"""Conversations by their id come from MongoDB where there is one, and from the lake where not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from conversation_analytics.settings import Settings
from conversation_analytics_tests.api.lake import DAYS, Api, api_over
from conversation_analytics_tests.end_to_end.pipeline import Pipeline
from conversation_analytics_tests.services.process import free_port

pytestmark = pytest.mark.services
ID = "c-02-1"


@pytest.fixture
def with_mongo(
    lake_settings: Settings, mongo_uri: str, mongo_database: str, tmp_path: Path
) -> Iterator[tuple[Api, Any]]:
    """The API over a lake that MongoDB shows, and that database."""
    connection = load(lake_settings, mongodb_uri=mongo_uri, mongodb_database=mongo_database)
    Pipeline(connection).publish(DAYS)
    with MongoClient(mongo_uri) as client, api_over(connection, tmp_path) as api:
        yield api, client[mongo_database]


def load(settings: Settings, **changes: Any) -> Settings:
    """The settings with others in their place, validated again."""
    return Settings(_env_file=None, **{**settings.model_dump(), **changes})


def test_both_stores_give_the_same_conversation(with_mongo: tuple[Api, Any], api: Api) -> None:
    mongo, _ = with_mongo
    for id_ in (ID, "c-03-2", "c-05-5"):
        assert mongo.get(f"/conversations/{id_}").json() == api.get(f"/conversations/{id_}").json()


def test_a_conversation_is_looked_up_in_mongodb(with_mongo: tuple[Api, Any]) -> None:
    api, database = with_mongo
    database["conversation_analytics"].update_one({"_id": ID}, {"$set": {"title": "of MongoDB"}})
    assert api.get(f"/conversations/{ID}").json()["conversation"]["title"] == "of MongoDB"


def test_what_mongodb_lacks_comes_from_the_lake(with_mongo: tuple[Api, Any]) -> None:
    api, database = with_mongo
    database["conversation_analytics"].delete_one({"_id": ID})
    assert api.get(f"/conversations/{ID}").json()["conversation"]["conversation_id"] == ID


def test_turns_are_read_from_mongodb_too(with_mongo: tuple[Api, Any]) -> None:
    api, _ = with_mongo
    page = api.get(f"/conversations/{ID}", params={"turn": 1, "limit": 2}).json()
    assert [row["turn_index"] for row in page["messages"]] == [1, 2]
    assert page["next_turn"] == 3


@pytest.mark.parametrize("id_", ['{"$gt": ""}', "$where", "c-02-1|m-c-02-1-0|topic|0", "c-02-1|"])
def test_an_id_is_no_query(with_mongo: tuple[Api, Any], id_: str) -> None:
    assert with_mongo[0].get(f"/conversations/{id_}").status_code == 404


def test_a_mongodb_that_is_away_costs_no_answer(
    lake_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversation_analytics.api.conversation._CONNECT_SECONDS", 0.1)
    away = load(lake_settings, mongodb_uri=f"mongodb://127.0.0.1:{free_port()}")
    with api_over(away, tmp_path) as api:
        assert api.get(f"/conversations/{ID}").status_code == 200
        ready = api.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json()["components"]["mongo"] == {"ok": False, "needed": False}

"""Fixtures of the storage tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conversation_analytics.storage.mongo import connect
from conversation_analytics.storage.mongo_client import MongoDatabase


@pytest.fixture
def database(mongo_uri: str, mongo_database: str) -> Iterator[MongoDatabase]:
    opened = connect(mongo_uri, database=mongo_database)
    yield opened
    opened.client.drop_database(mongo_database)
    opened.client.close()

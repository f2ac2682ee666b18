"""A lake in a temporary folder that follows a source in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.storage import lake
from conversation_analytics_tests.sync.follower import Follower
from conversation_analytics_tests.sync.memory_source import Keys, MemorySource

NOW = datetime(2024, 4, 8, 12, tzinfo=UTC)

NewFollower = Callable[..., Follower]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day that stays half-done, as it does here, is not waited for."""
    monkeypatch.setattr(lake, "_READ_PAUSE_SECONDS", 0)


@pytest.fixture
def follow(tmp_path: Path) -> NewFollower:
    """Makes an empty source and an empty lake beside it."""

    def make(keys: Keys = "integer", *, merge: bool = False, **settings: Any) -> Follower:
        source = MemorySource(keys=keys, clock=NOW)
        values = {"partitions_start_date": date(2024, 4, 1), "io_threads": 2, **settings}
        return Follower(tmp_path / "lake", source, values, merge=merge)

    return make

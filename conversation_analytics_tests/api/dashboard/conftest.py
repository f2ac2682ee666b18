"""One lake for all tests of the dashboard."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from conversation_analytics.settings import Settings
from conversation_analytics_tests.api.dashboard.lake import build_lake, dashboard


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the lake that is shown."""
    return build_lake(tmp_path_factory.mktemp("dashboard")).settings


@pytest.fixture(scope="module")
def pages(shown: Settings) -> Iterator[httpx.Client]:
    """Its dashboard, for everyone."""
    with dashboard(shown) as client:
        yield client

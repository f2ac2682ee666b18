"""One lake for all tests of the API; those that damage one copy it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversation_analytics.api import search
from conversation_analytics.settings import Settings
from conversation_analytics_tests.api.lake import Api, api_over, build_lake


@pytest.fixture(scope="session", autouse=True)
def _patient() -> Iterator[None]:
    """Let pages look as long as they like: how far they get says how busy the machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_LOOK_SECONDS", 60)
        patch.setattr(search, "_TEXT_SECONDS", 60)
        yield


@pytest.fixture(scope="session")
def lake_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return build_lake(tmp_path_factory.mktemp("api")).settings


@pytest.fixture(scope="module")
def api(lake_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api_over(
        lake_settings, tmp_path_factory.mktemp("keys"), api_rate_limit="100000/minute"
    ) as made:
        yield made


@pytest.fixture
def own_lake(lake_settings: Settings, tmp_path: Path) -> Settings:
    """A copy of the lake, to be damaged."""
    folder = tmp_path / "lake"
    shutil.copytree(lake_settings.parquet_base_dir, folder)
    return lake_settings.model_copy(update={"parquet_base_dir": folder})

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conversation_analytics_tests.dagster.runs import Home, open_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with open_home(tmp_path, monkeypatch) as opened:
        yield opened

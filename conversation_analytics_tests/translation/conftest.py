"""A lake with translations."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversation_analytics_tests.translation.translated_lake import Translated


@pytest.fixture
def translated(tmp_path: Path) -> Translated:
    return Translated(tmp_path)

"""A lake with labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversation_analytics_tests.categorization.labelled_lake import Labelled


@pytest.fixture
def labelled(tmp_path: Path) -> Labelled:
    return Labelled(tmp_path)

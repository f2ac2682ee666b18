"""`backfill --stale` translates what the settings have come to ask for, and what is left open."""

from __future__ import annotations

import pytest

from conversation_analytics_tests.cli.conftest import CommandLine

# Dagster uses its own deprecated attribute when it starts resources that need others.
pytestmark = pytest.mark.filterwarnings(
    "ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"
)

# Nobody listens there.
NOBODY = {"DIFY_BASE_URL": "http://127.0.0.1:9/v1", "DIFY_API_KEY": "app-x", "MAX_RETRIES": 0}


def stale(ca: CommandLine) -> list[dict[str, int]]:
    """The days of each asset, run by run."""
    outcomes = ca.json("backfill", "--stale")
    assert all(one["success"] for one in outcomes)
    return [{one["asset"]: one["days"] for one in outcome["assets"]} for outcome in outcomes]


@pytest.fixture
def filled(ca: CommandLine) -> CommandLine:
    ca.set(NO_PROXY="*")
    ca.export(days=2)
    assert ca.json("backfill")["success"]
    return ca


def test_days_are_translated_alone_once_dify_is_there_and_then_no_more(
    filled: CommandLine,
) -> None:
    assert stale(filled) == []

    filled.set(**NOBODY)  # which English texts do not ask for

    assert stale(filled) == [{"translations": 2}]
    assert stale(filled) == []


def test_days_with_texts_that_are_open_are_tried_again(filled: CommandLine) -> None:
    filled.export(days=2, edit=" สวัสดีครับ บริการแย่มาก ฉันโกรธมาก")
    filled.set(**NOBODY)

    assert filled.json("backfill", "--from", "2024-01-02", "--to", "2024-01-02")["success"]

    assert stale(filled) == [{"translations": 2}]
    assert stale(filled) == [{"translations": 1}]


def test_status_tells_how_many_texts_of_a_day_have_no_translation(filled: CommandLine) -> None:
    filled.export(days=2, edit=" สวัสดีครับ บริการแย่มาก ฉันโกรธมาก")
    filled.set(**NOBODY)

    assert filled.json("backfill", "--from", "2024-01-02", "--to", "2024-01-02")["success"]

    found = filled.json("status")
    first, second = found["days"]
    assert first["untranslated"] is None
    pending = second["untranslated"]["pending"]
    assert pending > 0
    assert second["untranslated"] == {"failed": 0, "pending": pending, "given_up": 0}
    assert found["totals"]["untranslated"] == pending
    assert f"{pending} pending" in " ".join(filled("status").stdout.split())

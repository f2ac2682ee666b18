"""Categories in Dagster with an LLM: asked over HTTP, within a budget, and what that comes to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from conversation_analytics.cli.backfilling import stale_days
from conversation_analytics_tests.categorization.llm.workflows import item_by_item, saying
from conversation_analytics_tests.dagster.runs import DAGSTER_WARNS, Home, open_home
from conversation_analytics_tests.dagster.small_source import SmallSource, day, key
from conversation_analytics_tests.services.dify_contract import KEY, PRICE, App, DifyContract
from conversation_analytics_tests.services.dify_server import start_dify

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)

TABLES = ("categories", "category_summaries")
TAXONOMY = """
intents: [{name: complaint, keywords: [scandal]}]
topics: [{name: orders, keywords: [order]}]
"""
MODEL = saying({"sentiment": "neutral", "intent": "complaint", "topic": "orders"})


@pytest.fixture
def dify() -> DifyContract:
    def workflow(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"labels": item_by_item(MODEL, inputs)}

    return DifyContract(App(workflow, needed=("tasks", "items")))


@pytest.fixture
def home(dify: DifyContract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Two days of a source, with a workflow that labels them."""
    taxonomy = tmp_path / "taxonomy.yaml"
    taxonomy.write_text(TAXONOMY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with (
        start_dify(dify) as url,
        open_home(
            tmp_path,
            monkeypatch,
            TAXONOMY_FILE=str(taxonomy),
            DIFY_BASE_URL=url,
            DIFY_CATEGORIZE_API_KEY=KEY,
        ) as opened,
    ):
        SmallSource.with_days(opened.source_dir, 1, 2)
        yield opened


def spent(home: Home) -> dict[str, Any]:
    """What the last run says that it paid."""
    records = home.instance.fetch_observations(dg.AssetKey("categories"), limit=1).records
    observation = records[0].asset_observation
    assert observation
    return {name: value.value for name, value in observation.metadata.items()}


def test_a_day_tells_what_an_llm_was_asked_and_a_run_what_that_cost(
    home: Home, dify: DifyContract
) -> None:
    run = home.run(1, 2)

    assert run.success, run.failures
    intent = home.metadata("categories", key(1))["llm"]["intent"]
    assert intent["asked"] == intent["answered"] == 2
    assert intent["share_asked"] == 1
    assert home.metadata("categories", key(1))["labels"]["llm_tokens"] > 0
    told = spent(home)
    assert (told["calls"], told["failed"]) == (dify.starts, 0)
    assert told["cost_USD"] == pytest.approx(dify.starts * float(PRICE))

    assert home.run(1, 2, select=TABLES).success
    assert spent(home)["calls"] == 0


def test_what_the_budget_does_not_reach_waits_and_is_asked_later(
    home: Home, dify: DifyContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFY_MAX_CALLS_PER_RUN", "0")
    assert home.run(1, 2).success
    assert dify.starts == 0
    assert home.metadata("categories", key(1))["llm"]["intent"]["pending"] == 2
    assert stale_days(home.settings, home.lake).keys() == {day(1), day(2)}

    monkeypatch.delenv("DIFY_MAX_CALLS_PER_RUN")
    assert home.run(1, 2, select=TABLES).success

    assert home.metadata("categories", key(1))["llm"]["intent"]["answered"] == 2
    assert stale_days(home.settings, home.lake) == {}


def test_with_a_wrong_key_local_labels_stay_and_wait(
    home: Home,
    dify: DifyContract,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("DIFY_CATEGORIZE_API_KEY", "app-wrong")

    assert home.run(1).success

    assert "set DIFY_CATEGORIZE_API_KEY" in caplog.text
    assert home.metadata("categories", key(1))["llm"]["intent"]["pending"] == 2
    assert stale_days(home.settings, home.lake).keys() == {day(1)}
    assert dify.starts == 0

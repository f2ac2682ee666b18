"""`backfill --dry-run` tells what asking Dify would cost, and costs nothing itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from conversation_analytics_tests.cli.conftest import CommandLine
from conversation_analytics_tests.services.dify_contract import KEY, App, DifyContract, Inputs
from conversation_analytics_tests.services.dify_server import start_dify
from conversation_analytics_tests.services.dify_workflows import categorizing_app

# Dagster uses its own deprecated attribute when it starts resources that need others.
pytestmark = pytest.mark.filterwarnings(
    "ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"
)


def translate(inputs: Inputs) -> Inputs:
    texts = json.loads(inputs["texts"])
    return {"translations": [{**text, "text": f"<{text['text']}>"} for text in texts]}


@pytest.fixture
def dify(ca: CommandLine) -> Iterator[DifyContract]:
    """Two days in Korean in the lake, and a Dify that knows nothing of them yet."""
    ca.export(days=2, edit=" 배송이 왜 이렇게 늦나요 정말 궁금합니다")
    assert ca.json("backfill")["success"]
    contract = DifyContract(App(workflow=translate, needed=("texts",)))
    contract.apps["app-labels"] = categorizing_app()
    with start_dify(contract) as url:
        ca.set(
            DIFY_BASE_URL=url,
            DIFY_TRANSLATE_API_KEY=KEY,
            DIFY_CATEGORIZE_API_KEY="app-labels",
            DIFY_BATCH_SIZE=2,
        )
        yield contract


def expected(ca: CommandLine, *options: str) -> dict[str, dict[str, Any]]:
    return {one["table"]: one for one in ca.json("backfill", "--dry-run", *options)}


def test_it_tells_what_the_backfill_then_pays(ca: CommandLine, dify: DifyContract) -> None:
    before = expected(ca)

    assert dify.starts == 0
    calls = sum(one["estimate"]["calls"] for one in before.values())
    assert calls > 0
    for one in before.values():
        assert (one["days"], one["skipped"], one["off"]) == (2, {}, "")
        assert one["estimate"]["to_pay"] == one["estimate"]["questions"] > 0, before
        assert "to learn from" in one["estimate"]["reason"]

    assert ca.json("backfill", "--stale")[0]["success"]

    # Days are asked about by themselves, but a text of both is paid for once.
    assert 0 < dify.starts <= calls
    for one in expected(ca).values():
        left = one["estimate"]
        assert (left["to_pay"], left["calls"], left["tokens"], left["cost"]) == (0, 0, 0, {})


def test_tokens_and_cost_are_those_of_the_calls_before(ca: CommandLine, dify: DifyContract) -> None:
    assert ca.json("backfill", "--stale")[0]["success"]
    ca.set(TRANSLATE_TO="en,vi")

    found = expected(ca, "--stale")["translations"]["estimate"]

    assert found["to_pay"] > 0
    assert found["tokens"] > 0
    assert float(found["cost"]["USD"]) > 0


def test_without_dify_it_says_why_there_is_nothing_to_pay(ca: CommandLine) -> None:
    ca.export(days=1)
    assert ca.json("backfill")["success"]

    shown = ca("backfill", "--dry-run")

    assert "DIFY_CATEGORIZE_API_KEY is not set" in shown.stderr
    assert "DIFY_BASE_URL is not set" in shown.stderr


def test_days_that_are_not_in_the_lake_cannot_be_told_of(ca: CommandLine) -> None:
    ca.export(days=1)
    shown = ca("backfill", "--dry-run")
    assert shown.exit_code == 2
    assert "a dry run reads no source" in shown.stderr


@pytest.mark.parametrize("option", [["--rebuild"], ["--select", "messages"]])
def test_it_goes_with_nothing_that_changes_the_lake(ca: CommandLine, option: list[str]) -> None:
    shown = ca("backfill", "--dry-run", *option)
    assert shown.exit_code == 2
    assert "--dry-run goes with neither" in shown.stderr

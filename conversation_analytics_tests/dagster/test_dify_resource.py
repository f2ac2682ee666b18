"""Workflows of Dify as a resource: what it does with its settings, and what a run shares."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest

from conversation_analytics.assets.lake_tables import with_spending
from conversation_analytics.build import build_defs
from conversation_analytics.dify.asking import NoAsker, PaidAsker
from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.resources.dify import DifyResource
from conversation_analytics.settings import Settings, load_settings
from conversation_analytics.storage.layout import TRANSLATIONS_UNIT
from conversation_analytics.storage.mongo_client import connect
from conversation_analytics_tests.dify.askers import (
    Echo,
    MemoryStore,
    answered,
    echoing,
    questions,
    statuses,
)
from conversation_analytics_tests.services.dify_contract import KEY, DifyContract
from conversation_analytics_tests.services.dify_server import start_dify


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back what the definitions put into the environment."""
    for name in (
        "DIFY_API_KEY",
        "DIFY_TRANSLATE_API_KEY",
        "DIFY_CATEGORIZE_API_KEY",
        "MONGODB_URI",
    ):
        monkeypatch.setenv(name, "none")
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def served() -> Iterator[tuple[DifyContract, str]]:
    dify = echoing()
    with start_dify(dify) as url:
        yield dify, url


def defined(settings: Settings) -> DifyResource:
    """The resource of the definitions for some settings."""
    found = (build_defs(settings).resources or {})["dify"]
    assert isinstance(found, DifyResource)
    return found


@contextmanager
def resource_of(**settings: Any) -> Iterator[DifyResource]:
    """The resource that the settings describe, as a run has it."""
    found = defined(load_settings(None, **settings))
    with found.process_config_and_initialize_cm() as resource:
        yield resource


def test_a_run_asks_with_the_key_of_the_purpose_within_one_budget(
    served: tuple[DifyContract, str],
) -> None:
    dify, url = served

    @dg.op(required_resource_keys={"dify"})
    def ask(context: dg.OpExecutionContext) -> list[int]:
        resource: DifyResource = context.resources.dify
        found = []
        for purpose in ("translate", "categorize"):
            asker = resource.asker(purpose, MemoryStore(), Echo())
            found.append(statuses(asker.ask(questions(4)))["succeeded"])
        return [*found, resource.budget.spending.calls]

    @dg.job
    def asking() -> None:
        ask()

    settings = load_settings(
        None,
        dify_base_url=url,
        dify_api_key=KEY,
        dify_categorize_api_key=KEY,
        dify_max_calls_per_run=5,
        dify_batch_size=1,
    )
    resources = {"dify": defined(settings)}
    for run in (1, 2):
        done = asking.execute_in_process(resources=resources)
        assert done.output_for_node("ask") == [4, 1, 5]
        assert dify.starts == 5 * run, "each run has a budget of its own"
    assert os.environ["DIFY_API_KEY"] == KEY


def test_a_purpose_without_a_key_leaves_its_questions_pending() -> None:
    settings = {"dify_base_url": "http://dify.invalid/v1", "dify_translate_api_key": KEY}
    with resource_of(**settings) as resource:
        assert isinstance(resource.asker("translate", MemoryStore(), Echo()), PaidAsker)
        nobody = resource.asker("categorize", MemoryStore(), Echo())
    assert isinstance(nobody, NoAsker)
    [reply] = nobody.ask(questions(1)).values()
    assert "set DIFY_CATEGORIZE_API_KEY" in (reply.error or "")


def test_settings_of_dify_reach_whom_they_are_for(served: tuple[DifyContract, str]) -> None:
    dify, url = served
    settings = {
        "dify_base_url": url,
        "dify_api_key": KEY,
        "dify_user": "somebody",
        "dify_max_cost": "2.50",
        "dify_max_concurrency": 3,
        "dify_calls_per_minute": 6_000,
        "dify_batch_size": 7,
        "dify_max_attempts": 5,
        "dify_idle_timeout": 20,
        "dify_run_timeout": 30,
    }
    asked = questions(14)
    with resource_of(**settings) as resource:
        asker = resource.asker("translate", MemoryStore(), Echo())
        assert isinstance(asker, PaidAsker)
        assert answered(asker.ask(asked), asked)
        assert resource.budget._max_cost == Decimal("2.50")
    assert dify.starts == 2
    assert {run.user for run in dify.runs.values()} == {"somebody"}
    client = asker.calls._client
    assert (asker.max_concurrency, asker.max_attempts) == (3, 5)
    assert (client.idle_timeout, client.run_timeout) == (20, 30)
    assert client._connection._rate._gap == pytest.approx(0.01)


@pytest.mark.services
def test_calls_and_claims_are_in_the_collections_that_settings_name(
    served: tuple[DifyContract, str], mongo_uri: str, mongo_database: str
) -> None:
    settings = {
        "dify_base_url": served[1],
        "dify_api_key": KEY,
        "mongodb_uri": mongo_uri,
        "mongodb_database": mongo_database,
        "mongodb_dify_calls_collection": "my_calls",
        "mongodb_dify_claims_collection": "my_claims",
    }
    asked = questions(3)
    with resource_of(**settings) as resource:
        asker = resource.asker("translate", MemoryStore(conditional=False), Echo())
        assert answered(asker.ask(asked), asked)
    with connect(mongo_uri, database=mongo_database).client as client:
        database = client[mongo_database]
        assert database["my_calls"].count_documents({"state": "ended"}) == 1
        assert database["my_claims"].count_documents({}) == 3
        client.drop_database(mongo_database)


@dataclass
class Logging:
    """Stands for the context of an asset; keeps what is logged."""

    logged: list[Any] = field(default_factory=list)

    def log_event(self, event: Any) -> None:
        self.logged.append(event)


@pytest.mark.parametrize("breaks", [False, True])
def test_what_a_run_has_paid_is_told_also_when_its_days_break_off(
    served: tuple[DifyContract, str], breaks: bool
) -> None:
    _, url = served

    def days(resource: DifyResource) -> Iterator[Any]:
        asker = resource.asker("translate", MemoryStore(), Echo())
        assert answered(asker.ask(questions(1)), questions(1))
        yield "a day"
        if breaks:
            raise StoreUnavailable("the disk is full")

    context = Logging()
    with resource_of(dify_base_url=url, dify_translate_api_key=KEY) as resource:
        told = with_spending(days(resource), context, TRANSLATIONS_UNIT, resource)  # type: ignore[arg-type]
        with pytest.raises(StoreUnavailable) if breaks else nullcontext():
            list(told)
    (event,) = context.logged
    assert event.metadata["calls"].value == 1

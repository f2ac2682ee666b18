"""Workflows of Dify as a Dagster resource."""

from decimal import Decimal
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, PrivateAttr

from conversation_analytics.dify.asking import NoAsker, PaidAsker
from conversation_analytics.dify.budget import Budget
from conversation_analytics.dify.client import DifyClient
from conversation_analytics.dify.questions import Asker, Contract
from conversation_analytics.settings import DifyPurpose
from conversation_analytics.storage.store import ObjectStore

if TYPE_CHECKING:
    from conversation_analytics.dify.mongo import MongoLedger


class DifyResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Workflows of one Dify, asked within one budget a run."""

    base_url: str = Field(description="Address of the Service API, with /v1.")
    translate_api_key: str = Field("", description="Key of the app that translates.")
    categorize_api_key: str = Field("", description="Key of the app that labels.")
    user: str = Field("conversation-analytics", description="Whom Dify counts calls for.")
    max_calls_per_run: int | None = Field(None, description="Most calls in a run.")
    max_cost: str | None = Field(None, description="Most that the calls of a run may cost.")
    max_concurrency: int = Field(8, description="Calls at once.")
    calls_per_minute: float | None = Field(None, description="Calls started in a minute.")
    batch_size: int = Field(20, description="Questions in a call.")
    max_attempts: int = Field(3, description="Most calls for a question.")
    idle_timeout: float = Field(60.0, description="Seconds to wait for the next sign of life.")
    run_timeout: float = Field(1_200.0, description="Seconds a run may take.")
    max_retries: int = Field(5, description="How often what was turned down is sent again.")
    retry_delay: float = Field(1.0, description="Seconds before the first retry.")
    io_threads: int = Field(8, description="Requests to the lake in flight at once.")
    mongodb_uri: str = Field("", description="Address of MongoDB; none if empty.")
    mongodb_database: str = Field("conversation_analytics", description="Name of the database.")
    mongodb_calls_collection: str = Field("dify_calls", description="Gets a copy of all calls.")
    mongodb_claims_collection: str = Field(
        "dify_claims", description="Decides who asks, where the lake's store cannot."
    )

    _clients: dict[str, DifyClient] = PrivateAttr(default_factory=dict)
    _budget: Budget | None = PrivateAttr(None)
    _mongo: "MongoLedger | None" = PrivateAttr(None)

    @property
    def budget(self) -> Budget:
        """The limits of this run, and what it has spent."""
        if self._budget is None:
            max_cost = None if self.max_cost is None else Decimal(self.max_cost)
            self._budget = Budget(self.max_calls_per_run, max_cost)
        return self._budget

    def asker(
        self,
        purpose: DifyPurpose,
        store: ObjectStore,
        contract: Contract,
    ) -> Asker:
        """Who answers questions for a purpose; without a key for it all of them stay pending.

        Args:
            purpose: what for.
            store: the lake's, which keeps the ledger.
            contract: makes inputs of questions, and answers of outputs.

        Raises:
            DifyAccessDenied: the key holds characters no HTTP header can carry.
            SettingsError: the address is none, or holds credentials.
        """
        name = f"DIFY_{purpose.upper()}_API_KEY"
        key = self.translate_api_key if purpose == "translate" else self.categorize_api_key
        if not key:
            return NoAsker(f"not asked: set {name} to the key of a workflow app of Dify.")
        return PaidAsker(
            store,
            self._client(name, key),
            contract,
            user=self.user,
            batch_size=self.batch_size,
            max_concurrency=self.max_concurrency,
            max_attempts=self.max_attempts,
            budget=self.budget,
            io_threads=self.io_threads,
            mongo=self._mongo_ledger(),
        )

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Close the connections, and end the budget with its run."""
        for client in self._clients.values():
            client.close()
        self._clients = {}
        if self._mongo is not None:
            self._mongo.close()
            self._mongo = None
        self._budget = None

    def _mongo_ledger(self) -> "MongoLedger | None":
        if self._mongo is None and self.mongodb_uri:
            from conversation_analytics.dify.mongo import MongoLedger

            self._mongo = MongoLedger(
                self.mongodb_uri,
                self.mongodb_database,
                calls=self.mongodb_calls_collection,
                claims=self.mongodb_claims_collection,
            )
        return self._mongo

    def _client(self, key_name: str, key: str) -> DifyClient:
        if key_name not in self._clients:
            self._clients[key_name] = DifyClient(
                base_url=self.base_url,
                api_key=key,
                key_name=key_name,
                max_retries=self.max_retries,
                retry_delay=self.retry_delay,
                idle_timeout=self.idle_timeout,
                run_timeout=self.run_timeout,
                max_concurrency=self.max_concurrency,
                calls_per_minute=self.calls_per_minute,
            )
        return self._clients[key_name]

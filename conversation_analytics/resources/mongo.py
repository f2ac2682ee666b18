"""MongoDB as a Dagster resource."""

import dagster as dg
from pydantic import Field, PrivateAttr

from conversation_analytics.storage.mongo import DayWriter
from conversation_analytics.storage.mongo_client import MongoDatabase, connect


class MongoResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A MongoDB database, stand-alone or a replica set."""

    uri: str = Field(description="mongodb:// or mongodb+srv:// address, with credentials if any.")
    database: str = Field("conversation_analytics", description="Name of the database.")
    batch_size: int = Field(1_000, description="Documents in a request.")
    io_threads: int = Field(8, description="Requests in flight at once.")

    _database: MongoDatabase | None = PrivateAttr(None)

    def connect(self) -> MongoDatabase:
        """The database, with majority and journal as write concern; one connection a run.

        Raises:
            StoreUnavailable: it cannot be reached, or refuses the credentials.
        """
        if self._database is None:
            self._database = connect(self.uri, database=self.database)
        return self._database

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Close the connection."""
        if self._database is not None:
            self._database.client.close()
            self._database = None

    def writer(self, collection: str) -> DayWriter:
        """A writer of days into a collection."""
        return DayWriter(
            self.connect(), collection, batch_size=self.batch_size, io_threads=self.io_threads
        )

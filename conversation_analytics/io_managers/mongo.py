"""MongoDB as an IO manager: days of a table in, converged documents out.

An asset returns a `DayStream` of `LakeDay`s and names its collection in its metadata, as
``collection``. What is published is read back from the lake, not from MongoDB.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict

import dagster as dg

from conversation_analytics.io_managers.day_stream import AssetDay, DayStream, StreamedDay
from conversation_analytics.io_managers.metadata import column_schema
from conversation_analytics.resources.mongo import MongoResource
from conversation_analytics.storage.mongo import DayWriter
from conversation_analytics.storage.publish import LakeDay, publish_days

COLLECTION = "collection"


class MongoIOManager(dg.ConfigurableIOManager):
    """Makes days of a collection converge to days of the lake."""

    mongo: dg.ResourceDependency[MongoResource]

    def handle_output(self, context: dg.OutputContext, obj: DayStream) -> None:
        """Publish what an asset returned; see the module."""
        collection = str((context.definition_metadata or {})[COLLECTION])
        writer = self.mongo.writer(collection)
        asset = context.asset_key.to_user_string()
        obj.run(lambda items: _published(writer, asset, items))

    def load_input(self, context: dg.InputContext) -> None:
        """Refuse: the lake holds the same rows, typed.

        Raises:
            dagster.DagsterInvariantViolationError: always.
        """
        raise dg.DagsterInvariantViolationError(
            f"{context.asset_key.to_user_string()} is only published to MongoDB: depend on the "
            "lake's table of the same rows instead"
        )


def _published(writer: DayWriter, asset: str, items: Iterable[LakeDay]) -> Iterator[StreamedDay]:
    for day in publish_days(writer, items):
        if day.shown is None or day.done is None:
            yield StreamedDay(day.day, error=day.error, transient=day.transient)
            continue
        metadata = {
            "dagster/row_count": day.shown.rows,
            "dagster/column_schema": column_schema(day.schema),
            "content_hash": day.shown.content_hash,
            "epoch": day.shown.epoch,
            "seconds": round(day.seconds, 3),
            **asdict(day.done),
        }
        done = AssetDay(asset, metadata, day.shown.content_hash, inputs=day.shown.tables)
        yield StreamedDay(day.day, (done,))

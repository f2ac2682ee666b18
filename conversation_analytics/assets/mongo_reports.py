"""The assets of MongoDB that show reports and users."""

from dataclasses import asdict
from typing import Any

import dagster as dg

from conversation_analytics.assets.lake_tables import OWNER
from conversation_analytics.io_managers.metadata import column_schema
from conversation_analytics.io_managers.mongo import COLLECTION
from conversation_analytics.io_managers.retries import retried_if_unavailable, step_retries
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.resources.mongo import MongoResource
from conversation_analytics.schemas import USER_ANALYTICS
from conversation_analytics.settings import Settings
from conversation_analytics.storage.layout import ALL_DAYS, REPORT_UNITS

MONGO_REPORTS = "mongo_analytics_reports"
MONGO_USERS = "mongo_user_analytics"
_REPORTS = [unit.tables[0].name for unit in REPORT_UNITS.values()]


def mongo_reports_asset(settings: Settings) -> dg.AssetsDefinition:
    """The collection of reports: those of all grains, whichever were made last."""
    name = settings.mongodb_analytics_reports_collection

    @dg.asset(
        name=MONGO_REPORTS,
        deps=_REPORTS,
        metadata={COLLECTION: name},
        description=f"Every report as a document of the collection {name}.",
        group_name="operational",
        kinds={"mongodb"},
        owners=[OWNER],
        code_version="1",
    )
    def reports(
        context: dg.AssetExecutionContext, lake: LakeResource, mongo: MongoResource
    ) -> dg.MaterializeResult[Any]:
        from conversation_analytics.storage.mongo_reports import publish_reports

        with retried_if_unavailable(context, step_retries(settings)):
            done = publish_reports(
                lake.open(), mongo.connect(), name, io_threads=settings.io_threads
            )
        return dg.MaterializeResult(metadata={"dagster/row_count": done["reports"], **done})

    return reports


def mongo_users_asset(settings: Settings) -> dg.AssetsDefinition:
    """The collection of users."""
    name, schema = settings.mongodb_user_analytics_collection, USER_ANALYTICS

    @dg.asset(
        name=MONGO_USERS,
        deps=[schema.name],
        metadata={COLLECTION: name, "dagster/column_schema": column_schema(schema)},
        description=f"{schema.description} As documents of the collection {name}.",
        group_name="operational",
        kinds={"mongodb"},
        owners=[OWNER],
        code_version="1",
    )
    def users(
        context: dg.AssetExecutionContext, lake: LakeResource, mongo: MongoResource
    ) -> dg.MaterializeResult[Any]:
        from conversation_analytics.reports.user_states import read_users

        with retried_if_unavailable(context, step_retries(settings)):
            found = read_users(lake.open())
            if found is None:
                raise dg.Failure("user_analytics was never materialised; do that first")
            manifest, table = found
            done = mongo.writer(name).converge(
                schema,
                table,
                day=ALL_DAYS,
                epoch=manifest.epoch,
                content_hash=manifest.content_hash,
            )
        return dg.MaterializeResult(
            metadata={"dagster/row_count": table.num_rows, **asdict(done)},
            data_version=dg.DataVersion(manifest.content_hash),
        )

    return users

"""The assets of the lake: raw rows and quarantine, messages, conversations.

Each returns a `DayStream`; see `io_managers.day_stream` for who does the work and when.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional

import dagster as dg
from pydantic import Field

from conversation_analytics.checks.blocking import blocking_checks
from conversation_analytics.compute.runner import runner_for, waiting_runner_for
from conversation_analytics.io_managers.day_stream import DayStream
from conversation_analytics.io_managers.metadata import column_schema, spending_metadata
from conversation_analytics.io_managers.retries import retried_if_unavailable, step_retries
from conversation_analytics.partitions import parse_day
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.resources.sources import SourceResource
from conversation_analytics.schemas import (
    MESSAGES,
    QUARANTINE,
    RAW_CONVERSATIONS,
    RAW_MESSAGES,
    TableSchema,
)
from conversation_analytics.settings import Settings
from conversation_analytics.storage.days import DayItem, Request
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT, MESSAGES_UNIT, Unit
from conversation_analytics.transforms.derived import (
    CONVERSATIONS_DERIVATION,
    MESSAGES_DERIVATION,
    Derivation,
    DerivedDays,
)
from conversation_analytics.transforms.raw import RawDays

if TYPE_CHECKING:
    from conversation_analytics.resources.dify import DifyResource

LAKE_IO_MANAGER = "lake_io_manager"
OWNER = "team:analytics"
SOURCE_POOL = "nocodb_api"
SINGLE_RUN = dg.BackfillPolicy.single_run()


class ReadingConfig(dg.Config):
    """How the source is read by a run."""

    whole: bool = Field(False, description="Read all of it, even where asking for days is cheaper.")
    merge: bool = Field(
        False, description="Put rows that changed into what the lake has, where that is safe."
    )
    force: bool = Field(
        False, description="Let any number of rows vanish, more than MAX_DELETE_FRACTION too."
    )


def reading_config(**reading: bool) -> dict[str, Any]:
    """The configuration of a run that reads the source so; see `ReadingConfig`."""
    return {"ops": {"raw": {"config": reading}}}


def request_of(context: dg.AssetExecutionContext) -> Request:
    """What asks for the days of a step: the run, or the unsuccessful run that it repeats.

    So a retry skips the days already done, and repeating a run that succeeded refreshes them all.
    """
    asking: dg.DagsterRun = context.run
    while asking.parent_run_id:
        parent = context.instance.get_run_by_id(asking.parent_run_id)
        if parent is None or parent.is_success:
            break
        asking = parent
    return Request(asking.run_id, context.run.run_id)


def lake_assets(
    settings: Settings, partitions: dg.PartitionsDefinition[str]
) -> list[dg.AssetsDefinition]:
    """The lake's assets for the settings."""
    return [
        _raw_asset(settings, partitions),
        derived_asset(
            settings,
            partitions,
            MESSAGES_UNIT,
            lambda *_: MESSAGES_DERIVATION,
            group="conversations",
            deps=(RAW_CONVERSATIONS.name, RAW_MESSAGES.name),
        ),
        derived_asset(
            settings,
            partitions,
            CONVERSATIONS_UNIT,
            lambda *_: CONVERSATIONS_DERIVATION,
            group="conversations",
            deps=(RAW_CONVERSATIONS.name, MESSAGES.name),
        ),
    ]


def _spec(schema: TableSchema, group: str, **more: Any) -> dg.AssetSpec:
    return dg.AssetSpec(
        schema.name,
        group_name=group,
        description=schema.description,
        kinds={"parquet", "arrow"},
        owners=[OWNER],
        metadata={"dagster/column_schema": column_schema(schema)},
        **more,
    ).with_io_manager_key(LAKE_IO_MANAGER)


def _raw_asset(settings: Settings, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    tables = (RAW_CONVERSATIONS, RAW_MESSAGES, QUARANTINE)
    retries = step_retries(settings)

    @dg.multi_asset(
        name="raw",
        specs=[_spec(schema, "raw") for schema in tables],
        check_specs=blocking_checks(*(schema.name for schema in tables)),
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        pool=SOURCE_POOL,
    )
    def raw(
        context: dg.AssetExecutionContext,
        config: ReadingConfig,
        source: SourceResource,
        lake: LakeResource,
    ) -> Iterator[Any]:
        """What the source says of the conversations of each day, read once for all days."""
        days = [parse_day(key) for key in context.partition_keys]
        request = replace(
            request_of(context), whole=config.whole, merge=config.merge, force=config.force
        )
        with (
            retried_if_unavailable(context, retries),
            source.session() as opened,
            closing(runner_for(settings)) as runner,
        ):
            items = RawDays(settings, lake.open(), opened, days, request, runner)
            yield from DayStream(context, items, retries).outputs()

    return raw


def derived_asset(
    settings: Settings,
    partitions: dg.PartitionsDefinition[str],
    unit: Unit,
    derivation: Callable[[Lake, Optional["DifyResource"]], Derivation],
    *,
    group: str,
    deps: tuple[str, ...],
    observed: Callable[[], dg.AssetObservation] | None = None,
    asks_dify: bool = False,
) -> dg.AssetsDefinition:
    """The tables of a unit that is made of other days of the lake.

    Args:
        settings: the settings.
        partitions: the days.
        unit: the unit.
        derivation: how a day of it is made; is given the lake, and Dify if that is asked.
        group: of its assets.
        deps: the assets it is made of.
        observed: tells what an asset is now that days are made of besides.
        asks_dify: whether a workflow of Dify is asked: then days are made in threads of this
            process, which share its limits and a budget, and mostly wait.
    """
    specs = [_spec(one, group, deps=list(deps), code_version="1") for one in unit.tables]

    @dg.multi_asset(
        name=unit.name,
        specs=specs,
        check_specs=blocking_checks(*(schema.name for schema in unit.tables)),
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        required_resource_keys={"lake", "dify"} if asks_dify else {"lake"},
    )
    def derived(context: dg.AssetExecutionContext) -> Iterator[Any]:
        days = [parse_day(key) for key in context.partition_keys]
        dify = context.resources.dify if asks_dify else None
        if observed:
            context.log_event(observed())
        with closing(waiting_runner_for(settings) if asks_dify else runner_for(settings)) as runner:
            lake = context.resources.lake.open()
            how, request = derivation(lake, dify), request_of(context)
            items = DerivedDays(settings, lake, how, days, request, runner)
            told = with_spending(items, context, unit, dify)
            yield from DayStream(context, told, step_retries(settings)).outputs()

    return derived


def with_spending(
    items: Iterable[DayItem],
    context: dg.AssetExecutionContext,
    unit: Unit,
    dify: Optional["DifyResource"],
) -> Iterator[DayItem]:
    """Days, and however they end, what the run has paid Dify so far."""
    try:
        yield from items
    finally:
        if dify:
            observation = dg.AssetObservation(
                unit.tables[0].name,
                description="What the calls of Dify in this run came to so far.",
                metadata=spending_metadata(dify.budget.spending),
            )
            context.log_event(observation)

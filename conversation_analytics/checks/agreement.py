"""The ledger as an asset check: for each day, whether source, lake and MongoDB agree.

Dagster evaluates a check once a run; here each day is told by itself, so that the check's
partitions in Dagster's UI are the ledger. A run that refreshes assets would evaluate the check
too, by reading the whole source once more; there it keeps quiet, and Dagster shows the days as
not checked since.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Checked,
)

from conversation_analytics.assets.lake_tables import SOURCE_POOL
from conversation_analytics.compute.runner import runner_for
from conversation_analytics.partitions import day_key, parse_day
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.resources.sources import SourceResource
from conversation_analytics.schemas import RAW_CONVERSATIONS
from conversation_analytics.settings import Settings

if TYPE_CHECKING:
    from conversation_analytics.sync.ledger import LedgerDay

AGREES = "agrees_with_source"
AGREES_KEY = dg.AssetCheckKey(dg.AssetKey(RAW_CONVERSATIONS.name), AGREES)

_SHOWN_IDS = 20


def agreement_check(
    settings: Settings, partitions: dg.PartitionsDefinition[str]
) -> dg.AssetChecksDefinition:
    """The check for the settings: evaluates the days of its run, or all if it is for none."""
    with warnings.catch_warnings():
        # Partitions of checks are new in Dagster; the worst that can change is how days look.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        spec = dg.AssetCheckSpec(
            AGREES,
            asset=RAW_CONVERSATIONS.name,
            description="Every row of the day agrees in the source, the lake's files and MongoDB, "
            "in all tables.",
            partitions_def=partitions,
        )

    @dg.multi_asset_check(name=AGREES, specs=[spec], can_subset=True, pool=SOURCE_POOL)
    def compare_source_lake_and_mongodb(
        context: dg.AssetCheckExecutionContext, source: SourceResource, lake: LakeResource
    ) -> Iterator[dg.AssetCheckEvaluation]:
        from conversation_analytics.sync.ledger import open_ledger

        run = context.op_execution_context
        if run.job_def.asset_layer.selected_asset_keys:
            context.log.info("not compared: this run refreshes days; for that, run the job verify")
            return
        days = _days_of(run)
        missing = set(days)
        checked = _materializations(run.instance)
        compared = differing = 0
        with (
            source.session() as opened,
            closing(runner_for(settings)) as runner,
            open_ledger(settings, lake.open(), opened, runner) as ledger,
        ):
            for found in ledger.days(*(days[:1] + days[-1:])):
                compared += 1
                differing += not found.equal
                if isinstance(found.day, date):
                    missing.discard(found.day)
                    yield _of_day(found.day, found, checked)
        for day in sorted(missing):  # nothing is known of them anywhere
            yield _of_day(day, None, checked)
        yield dg.AssetCheckEvaluation(
            asset_key=AGREES_KEY.asset_key,
            check_name=AGREES,
            passed=not differing,
            metadata={"compared": compared, "differing": differing},
        )

    return compare_source_lake_and_mongodb


def _days_of(run: dg.OpExecutionContext) -> list[date]:
    """The days a run is for, in order; none if it is for all."""
    if not (run.has_partition_key or run.has_partition_key_range):
        return []
    return [parse_day(key) for key in run.partition_keys]


def _materializations(instance: dg.DagsterInstance) -> dict[str, Checked]:
    """The last materialisation of every day; a result shows as long as there is no later one."""
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    ids = instance.get_latest_storage_id_by_partition(AGREES_KEY.asset_key, kind)
    wanted = dg.AssetRecordsFilter(AGREES_KEY.asset_key, storage_ids=list(ids.values()))
    found = instance.fetch_materializations(wanted, limit=len(ids)).records if ids else ()
    return {
        str(one.partition_key): Checked(
            storage_id=one.storage_id, run_id=one.run_id, timestamp=one.timestamp
        )
        for one in found
    }


def _of_day(
    day: date, found: "LedgerDay | None", checked: Mapping[str, Checked]
) -> dg.AssetCheckEvaluation:
    """What to tell of a day; null stands for one that is nowhere."""
    return dg.AssetCheckEvaluation(
        asset_key=AGREES_KEY.asset_key,
        check_name=AGREES,
        passed=found is None or found.equal,
        metadata={} if found is None else _metadata(found),
        target_materialization_data=checked.get(day_key(day)),
        partition=day_key(day),
    )


def _metadata(found: "LedgerDay") -> dict[str, Any]:
    rows = {f"{one.table} in {one.store}": one.found.rows for one in found.tables}
    differences = {
        f"{table.table} in {table.store}": {
            "expected": table.wanted.rows,
            "problem": table.problem,
            **{reason: count for reason, count in table.reasons().items() if count},
            "such as": sorted(table.new | table.changed | table.vanished | table.damaged)[
                :_SHOWN_IDS
            ],
        }
        for table in found.tables
        if not table.equal
    }
    metadata: dict[str, Any] = {"rows": dg.MetadataValue.json(rows)}
    if differences:
        metadata["differences"] = dg.MetadataValue.json(differences)
    if found.meanwhile:
        metadata["note"] = "it was written while the source was read: verify again"
    return metadata

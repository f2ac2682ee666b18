"""Parquet lake as an IO manager: a table in, a committed partition out.

An asset named after a table of `schemas` may return

* a `DayStream`, for any range of days: the normal case, see there;
* a ``pyarrow.Table``, for a single partition of a unit with one table.

A downstream asset gets a ``pyarrow.Table`` for one partition, and a `LakeDays` for several.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import pyarrow as pa

from conversation_analytics.checks.completeness import COMPLETE
from conversation_analytics.io_managers.day_stream import AssetDay, DayStream, StreamedDay
from conversation_analytics.io_managers.metadata import day_metadata
from conversation_analytics.partitions import parse_day
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.schemas import TABLES
from conversation_analytics.schemas.validation import CheckResult
from conversation_analytics.storage.days import DayItem, DayReport, commit_days, prepare
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    REPORT_UNITS,
    TRANSLATIONS_UNIT,
    UNITS,
    Unit,
)
from conversation_analytics.storage.manifest import Manifest

TAXONOMY = "taxonomy"
"""The asset that stands for what decides labels: taxonomy and models."""


def unit_of(table: str) -> Unit:
    """The unit that a table of days is committed with."""
    return next(unit for unit in UNITS.values() if TABLES[table] in unit.tables)


@dataclass(frozen=True)
class LakeDays:
    """Several days of a table, read one by one.

    Attributes:
        lake: where they are.
        table: name of the table.
        days: which days.
    """

    lake: Lake
    table: str
    days: tuple[date, ...]

    def __iter__(self) -> Iterator[tuple[date, pa.Table]]:
        """(day, rows) of every day that was committed, in order."""
        for day in self.days:
            found = self.lake.read_day(unit_of(self.table), day)
            if found is not None:
                yield day, found[1][self.table]


class ParquetIOManager(dg.ConfigurableIOManager):
    """Commits days of tables to a lake of partitioned Parquet, and reads them back."""

    lake: dg.ResourceDependency[LakeResource]

    def handle_output(self, context: dg.OutputContext, obj: DayStream | pa.Table) -> None:
        """Commit what an asset returned; see the module."""
        lake = self.lake.open()
        if isinstance(obj, pa.Table):
            self._commit_table(context, lake, obj)
        elif not obj.finished:
            obj.run(lambda items: _committed(lake, items, context.run_id))

    def load_input(self, context: dg.InputContext) -> pa.Table | LakeDays:
        """The rows of an upstream asset's partition or partitions."""
        table = context.asset_key.path[-1]
        days = tuple(parse_day(key) for key in context.asset_partition_keys)
        found = LakeDays(self.lake.open(), table, days)
        if len(days) > 1:
            return found
        rows = dict(found)
        if days[0] not in rows:
            raise dg.Failure(f"{table} of {days[0]} was never materialised")
        return rows[days[0]]

    def _commit_table(self, context: dg.OutputContext, lake: Lake, table: pa.Table) -> None:
        schema = TABLES[context.asset_key.path[-1]]
        unit, day = unit_of(schema.name), parse_day(context.asset_partition_key)
        item = prepare(
            lake.claim_day(unit, day, run_id=context.run_id),
            {schema.name: table},
            lake.options,
            request=context.run_id,
            run_id=context.run_id,
        )
        for report in commit_days(lake, [item], run_id=context.run_id):
            if report.error:
                raise dg.Failure(report.error)
            context.add_output_metadata(day_metadata(lake, schema, report))


def _committed(lake: Lake, items: Iterable[DayItem], run_id: str) -> Iterator[StreamedDay]:
    for report in commit_days(lake, items, run_id=run_id):
        if report.outcome == "failed":
            yield StreamedDay(
                report.day, error=report.error, checks=report.checks, transient=report.transient
            )
        else:
            yield StreamedDay(report.day, tuple(_asset_days(lake, report)))


def _asset_days(lake: Lake, report: DayReport) -> Iterator[AssetDay]:
    if report.manifest is None:
        return
    for schema in UNITS[report.unit].tables:
        entry: Any = report.manifest.tables[schema.name]
        yield AssetDay(
            schema.name,
            day_metadata(lake, schema, report),
            entry.content_hash,
            tuple(check for check in report.checks if check.table == schema.name),
            _inputs(report.manifest),
            _findings(report.manifest, schema.name),
        )


def _findings(manifest: Manifest, table: str) -> dict[str, CheckResult]:
    """Whether a report had all of its days; the note of one that had not says why."""
    unit = UNITS[manifest.unit]
    if unit not in REPORT_UNITS.values() or table != unit.tables[0].name:
        return {}
    problems = (manifest.note,) if manifest.note else ()
    return {COMPLETE: CheckResult(table, COMPLETE, passed=not problems, problems=problems)}


def _inputs(manifest: Manifest) -> dict[str, str]:
    """The versions of what a day was made of, by asset; not of what other days it was made of."""
    found = {
        table.name: version
        for unit, version in manifest.inputs.items()
        if unit in UNITS
        for table in UNITS[unit].tables
    }
    labelled = manifest.unit in (CATEGORIES_UNIT.name, TRANSLATIONS_UNIT.name)
    return found | ({TAXONOMY: manifest.decided_by} if labelled and manifest.versions else {})

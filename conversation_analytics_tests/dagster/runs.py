"""Runs of the daily job on a real instance, and what Dagster says of the days afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from conversation_analytics.build import build_defs
from conversation_analytics.settings import Settings, load_settings
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.layout import Unit
from conversation_analytics_tests.dagster.small_source import day, key
from conversation_analytics_tests.dagster.web import REPOSITORY

# Dagster calls what it has deprecated itself, when one resource holds another.
DAGSTER_WARNS = "ignore:InitResourceContext.dagster_run:DeprecationWarning"

LAKE_ASSETS = (
    "raw_conversations",
    "raw_messages",
    "quarantine",
    "messages",
    "message_activity",
    "conversations",
    "categories",
    "category_summaries",
    "translations",
)
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def daily_job(lake: str) -> dg.JobDefinition:
    """The job under the settings of the environment; re-executions make it anew by this name.

    Args:
        lake: The lake's folder, by which Dagster tells the jobs of different tests apart.
    """
    settings = load_settings(None)
    assert str(settings.parquet_base_dir) == lake
    return build_defs(settings).resolve_job_def("daily")


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        run_id: Its id.
        success: Whether every step went well.
        failures: Messages of the steps that failed.
    """

    run_id: str
    success: bool
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Home:
    """A Dagster instance with a local lake and a folder of exported files.

    Attributes:
        instance: The instance, in SQLite.
        source_dir: Where the exported files go.
        settings: What runs use.
    """

    instance: dg.DagsterInstance
    source_dir: Path
    settings: Settings

    def run(
        self,
        first: int,
        last: int | None = None,
        *,
        select: Sequence[str] | None = None,
        retry_of: Run | None = None,
    ) -> Run:
        """Materialise days by their numbers, in one run."""
        tags = (
            {RANGE_START: key(first), RANGE_END: key(last)}
            if last is not None
            else {"dagster/partition": key(first)}
        )
        options = dg.ReexecutionOptions(retry_of.run_id) if retry_of else None
        with dg.execute_job(
            dg.build_reconstructable_job(
                __name__, "daily_job", (str(self.settings.parquet_base_dir),)
            ),
            instance=self.instance,
            tags=tags,
            raise_on_error=False,
            reexecution_options=options,
            asset_selection=[dg.AssetKey(name) for name in select] if select else None,
        ) as result:
            failures = tuple(
                explained(event.step_failure_data.error)
                for event in result.all_events
                if event.is_step_failure
            )
            return Run(result.run_id, result.success, failures)

    @property
    def lake(self) -> Lake:
        return open_lake(self.settings)

    def done(self, asset: str) -> set[str]:
        """The partitions that Dagster shows as materialised."""
        return set(self.instance.get_materialized_partitions(dg.AssetKey(asset)))

    def event(self, asset: str, partition: str) -> dg.AssetMaterialization:
        """The newest materialisation of a partition."""
        found = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition]), limit=1
        ).records
        event = found[0].asset_materialization
        assert event is not None
        return event

    def metadata(self, asset: str, partition: str) -> dict[str, Any]:
        """The values a partition is shown with."""
        return {name: one.value for name, one in self.event(asset, partition).metadata.items()}

    def versions(self, assets: Sequence[str] = LAKE_ASSETS) -> dict[tuple[str, str], str]:
        """(asset, partition) → the data version that Dagster knows."""
        return {
            (asset, one): (self.event(asset, one).tags or {})["dagster/data_version"]
            for asset in assets
            for one in self.done(asset)
        }

    def stale(self) -> set[tuple[str, str]]:
        """The materialised (asset, partition)s that Dagster calls stale."""
        graph = build_defs(self.settings).resolve_asset_graph()
        context = LoadingContextForTest(self.instance)
        resolver = CachingStaleStatusResolver(self.instance, graph, context)
        return {
            (asset, one)
            for asset in LAKE_ASSETS
            for one in self.done(asset)
            if resolver.get_status(dg.AssetKey(asset), one) != StaleStatus.FRESH
        }

    def hashes(self, unit: Unit) -> dict[str, str]:
        """Day → content hash of every committed day of a unit."""
        lake = self.lake
        return {
            str(one): manifest.content_hash
            for one, manifest in lake.manifests(unit, lake.days(unit)).items()
        }

    def epochs(self, unit: Unit) -> dict[str, int]:
        """Day → how often it was claimed."""
        lake = self.lake
        found = lake.manifests(unit, lake.days(unit))
        return {str(one): manifest.epoch for one, manifest in found.items()}


@contextmanager
def open_home(root: Path, patch: pytest.MonkeyPatch, **environment: str) -> Iterator[Home]:
    """An instance whose runs read `root`/source and write `root`/lake.

    Args:
        root: An empty folder.
        patch: Takes the settings, which are environment variables, back after the test.
        environment: More settings.
    """
    variables = {
        "SOURCE": "files",
        "SOURCE_DIR": str(root / "source"),
        "PARQUET_BASE_DIR": str(root / "lake"),
        "ENABLE_MULTITHREADING": "false",
        **environment,
    }
    for name, value in variables.items():
        patch.setenv(name, value)
    (root / "home").mkdir()
    shipped = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text(encoding="utf-8"))
    overrides = {"event_log_storage": shipped["event_log_storage"]}
    with dg.instance_for_test(overrides, temp_dir=str(root / "home")) as instance:
        yield Home(instance, root / "source", load_settings(None))


def days(first: int, last: int) -> set[str]:
    """The partition keys from one day's number to another's, both included."""
    return {str(day(number)) for number in range(first, last + 1)}


def explained(error: Any) -> str:
    """An error and what caused it, without the stacks."""
    words = []
    while error is not None:
        words.append(error.message)
        error = error.cause
    return "".join(words)

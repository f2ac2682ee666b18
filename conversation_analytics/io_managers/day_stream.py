"""What an asset over a range of days returns: its days, not yet computed.

An asset returns a `DayStream`; the IO manager iterates it, and each day is computed, committed
and reported before the next one is looked at. So a range is one run, memory is bounded by one
day, and a crash keeps the days already done.

    asset ──DayStream──> IO manager: for each day: compute ─> commit ─> report(day)

Each day is logged when it is committed, so that it outlives whatever happens to the step. Dagster
would close the step with an event of its own for every day, in which all days share one data
version; the outputs carry the mark by which it leaves that to the asset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.definitions.source_asset import (
    SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION as REPORTED_BY_THE_ASSET,
)

from conversation_analytics.checks.blocking import VALID
from conversation_analytics.io_managers.retries import retried_if_unavailable, to_be_retried
from conversation_analytics.partitions import day_key
from conversation_analytics.schemas.validation import CheckResult
from conversation_analytics.storage.layout import UNKNOWN_DAY, Place

CODE_VERSION_TAG = "dagster/code_version"
DATA_VERSION_TAG = "dagster/data_version"
OWN_DATA_VERSION_TAG = "dagster/data_version_is_user_provided"
INPUT_VERSION_TAG = "dagster/input_data_version"
INPUT_POINTER_TAG = "dagster/input_event_pointer"


@dataclass(frozen=True)
class AssetDay:
    """One day of one asset as it is to be reported.

    Attributes:
        asset: name of the asset.
        metadata: what to show; empty if the day failed.
        data_version: equal for equal content.
        checks: what the blocking checks found.
        inputs: data version of each upstream asset as it was read.
        findings: what checks found that do not block, by their name.
    """

    asset: str
    metadata: Mapping[str, Any]
    data_version: str
    checks: tuple[CheckResult, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    findings: Mapping[str, CheckResult] = field(default_factory=dict)


@dataclass(frozen=True)
class StreamedDay:
    """What became of one day of a stream.

    Attributes:
        day: the day.
        assets: the assets it belongs to; empty if it failed.
        error: why it failed, empty if it did not.
        checks: findings of a day that failed.
        transient: whether a day that failed may go well if it is only tried again.
    """

    day: Place
    assets: tuple[AssetDay, ...] = ()
    error: str = ""
    checks: tuple[CheckResult, ...] = ()
    transient: bool = False


@dataclass
class DayStream:
    """The days of one step, computed as they are iterated.

    Attributes:
        context: the context of the asset that returns it.
        items: days for the IO manager to commit, whatever that means to it.
        retries: how often the step is run again where source or store cannot be reached.
        failed: day → error, filled while iterating.
        finished: whether all days were iterated; the other outputs of a multi-asset find it so.
        unavailable: whether some of the days failed because a store could not be reached.
    """

    context: dg.AssetExecutionContext
    items: Iterable[Any]
    retries: dg.RetryPolicy
    failed: dict[str, str] = field(default_factory=dict)
    finished: bool = False
    unavailable: bool = False
    passed: dict[tuple[str, str], bool] = field(default_factory=dict)
    _pointers: dict[str, dict[str, int]] = field(default_factory=dict)

    def run(self, commit: Callable[[Iterable[Any]], Iterable[StreamedDay]]) -> None:
        """Commit and report every day, then fail if one did.

        Args:
            commit: turns items into committed days, lazily and one by one.

        Raises:
            dagster.Failure: names the days that failed; the others are committed and reported.
            dagster.RetryRequested: source or store could not be reached; the rest is done later.
        """
        with retried_if_unavailable(self.context, self.retries):
            self._find_inputs()
            for done in commit(self.items):
                self._report(done)
        self.finished = True
        if self.failed:
            failure = self._failure()
            if self.unavailable:
                raise to_be_retried(self.context, self.retries, failure) from failure
            raise failure

    def _failure(self) -> dg.Failure:
        days = ", ".join(sorted(self.failed))
        return dg.Failure(
            f"{len(self.failed)} day(s) failed: {days}. The other days are committed; "
            "re-execute the run to do the rest.",
            metadata={day: dg.MetadataValue.text(why) for day, why in self.failed.items()},
        )

    def outputs(self) -> Iterator[Any]:
        """Everything the asset yields: itself once an output, then what closes the step."""
        context = self.context
        for name in context.op_execution_context.selected_output_names:
            if name in context.assets_def.keys_by_output_name:
                yield dg.Output(self, name, metadata={REPORTED_BY_THE_ASSET: True})
        yield from self._check_results()

    def _check_results(self) -> Iterator[dg.AssetCheckResult]:
        """The closing result of each check of the step, over all its days."""
        for key in sorted(self.context.selected_asset_check_keys):
            passed = self.passed.get((key.asset_key.to_user_string(), key.name), True)
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=passed,
                severity=_severity(key.name),
            )

    def _report(self, done: StreamedDay) -> None:
        key = done.day if isinstance(done.day, str) else day_key(done.day)
        if done.error:
            self.failed[key] = done.error
            self.unavailable = self.unavailable or done.transient
            self.context.log.error("%s: %s", key, done.error)
            for table in dict.fromkeys(check.table for check in done.checks):
                self._log_checks(table, [c for c in done.checks if c.table == table], key)
            return
        for asset in done.assets:
            if key == UNKNOWN_DAY:
                self.context.log_event(dg.AssetObservation(asset.asset, metadata=asset.metadata))
                continue
            if asset.checks:
                self._log_checks(asset.asset, asset.checks, key)
            for name, finding in asset.findings.items():
                self._log_checks(asset.asset, [finding], key, name)
            self._log_materialization(asset, key)

    def _find_inputs(self) -> None:
        """Note the newest event of each upstream partition, before anything is read."""
        instance, days = self.context.instance, set(self.context.partition_keys)
        for spec in self.context.assets_def.specs:
            for dep in spec.deps:
                self._pointers[dep.asset_key.to_user_string()] = dict(
                    instance.get_latest_storage_id_by_partition(
                        dep.asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION, days
                    )
                )

    def _log_materialization(self, asset: AssetDay, key: str) -> None:
        context, asset_key = self.context, dg.AssetKey(asset.asset)
        tags = {DATA_VERSION_TAG: asset.data_version, OWN_DATA_VERSION_TAG: "true"}
        code_version = context.assets_def.code_versions_by_key.get(asset_key)
        if code_version:
            tags[CODE_VERSION_TAG] = code_version
        for dep in context.assets_def.get_asset_spec(asset_key).deps:
            name = dep.asset_key.to_user_string()
            pointer = self._pointers[name].get(key)
            tags[f"{INPUT_VERSION_TAG}/{name}"] = asset.inputs.get(name, "")
            tags[f"{INPUT_POINTER_TAG}/{name}"] = "NULL" if pointer is None else str(pointer)
        context.log_event(
            dg.AssetMaterialization(asset_key, partition=key, metadata=asset.metadata, tags=tags)
        )

    def _log_checks(
        self, table: str, checks: Sequence[CheckResult], key: str, name: str = VALID
    ) -> None:
        """Log what the checks of a table's day found, as one evaluation."""
        passed = all(check.passed for check in checks)
        self.passed[table, name] = self.passed.get((table, name), True) and passed
        metadata: dict[str, Any] = {
            name: number for check in checks for name, number in check.figures.items()
        }
        problems = [f"{c.name}: {problem}" for c in checks for problem in c.problems]
        if problems:
            metadata["problems"] = dg.MetadataValue.text("\n".join(problems))
        self.context.op_execution_context.log_event(
            dg.AssetCheckEvaluation(  # type: ignore[arg-type]  # accepted, though not declared
                asset_key=dg.AssetKey(table),
                check_name=name,
                passed=passed,
                metadata=metadata,
                severity=_severity(name),
                partition=key,
                blocking=name == VALID,
            )
        )


def _severity(check: str) -> dg.AssetCheckSeverity:
    """What does not block is a warning."""
    return dg.AssetCheckSeverity.ERROR if check == VALID else dg.AssetCheckSeverity.WARN

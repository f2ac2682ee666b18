"""The whole flow without Dagster: source → lake → MongoDB, and what each store holds after it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from conversation_analytics.compute.runner import InProcessRunner
from conversation_analytics.partitions import days_between
from conversation_analytics.settings import Settings, load_settings
from conversation_analytics.sources.open import open_source
from conversation_analytics.storage.collections import COLLECTIONS, Collection
from conversation_analytics.storage.days import DayReport, Request, commit_days
from conversation_analytics.storage.freshness import DERIVED
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.layout import Unit
from conversation_analytics.storage.mongo import Converged, DayWriter, connect, recorded
from conversation_analytics.storage.mongo_client import MongoDatabase
from conversation_analytics.storage.mongo_documents import identities
from conversation_analytics.storage.publish import lake_days, publish_days
from conversation_analytics.sync.look import Look, look_at_changes, sweep
from conversation_analytics.sync.pending import pending_days, pending_ranges
from conversation_analytics.transforms.derived import DerivedDays
from conversation_analytics.transforms.raw import RawDays
from conversation_analytics_tests.builders import derivations
from conversation_analytics_tests.services.s3_servers import S3Server

START = date(2024, 1, 1)
Hashes = dict[str, dict[date, str]]


def days(count: int) -> list[date]:
    """The first days that have partitions."""
    return days_between(START, START.fromordinal(START.toordinal() + count - 1))


@dataclass(frozen=True)
class Pipeline:
    """A source, a lake and perhaps MongoDB, as settings name them."""

    settings: Settings

    @property
    def lake(self) -> Lake:
        return open_lake(self.settings)

    def sync(self, *, sweeping: bool = False, merge: bool = True) -> Look:
        """Look at the source, or compare all of it, and refresh the days that are behind."""
        lake, opened = self.lake, open_source(self.settings)
        try:
            look = Look(sweep="asked for")
            if not sweeping:
                look = look_at_changes(self.settings, lake, opened)
            if look.sweep:
                look = sweep(self.settings, lake, opened, InProcessRunner())
        finally:
            opened.source.close()
        today = self.settings.calendar.day_of(datetime.now(UTC))
        for one in pending_ranges(pending_days(lake, None), anchor=today):
            how = {"whole": one.whole, "merge": merge and not one.whole}
            self.refresh(days_between(one.first, one.last), **how)
        assert pending_days(lake, None) == []
        return look

    def refresh(
        self, wanted: Sequence[date], *, whole: bool = False, merge: bool = False
    ) -> list[DayReport]:
        """Read the source and write the lake's days; every report says committed."""
        request = Request(uuid.uuid4().hex, "test", whole=whole, merge=merge)
        opened, lake, runner = open_source(self.settings), self.lake, InProcessRunner()
        reports = []
        try:
            raw = RawDays(self.settings, lake, opened, wanted, request, runner)
            reports += list(commit_days(lake, raw))
        finally:
            opened.source.close()
        for how in derivations(self.settings, lake).values():
            items = DerivedDays(self.settings, lake, how, wanted, request, runner)
            reports += list(commit_days(lake, items))
        assert {report.outcome for report in reports} <= {"committed"}, [
            (report.unit, report.day, report.error) for report in reports if report.error
        ]
        return reports

    def publish(self, wanted: Sequence[date]) -> Converged:
        """Make MongoDB agree with the lake; what that took, over all days."""
        total: dict[str, int] = {}
        with self._database() as database:
            for collection, name in self._collections:
                writer = DayWriter(database, name, batch_size=500, io_threads=2)
                items = lake_days(self.lake, collection, wanted, recorded(database, name))
                for published in publish_days(writer, items):
                    assert published.done is not None, published.error
                    for kind in Converged.__dataclass_fields__:
                        total[kind] = total.get(kind, 0) + getattr(published.done, kind)
        return Converged(**total)

    def hashes(self) -> Hashes:
        """Table → day → content hash, as the lake's manifests have it."""
        lake = self.lake
        return {
            unit.name: {
                day: manifest.tables[unit.tables[0].name].content_hash
                for day, manifest in lake.manifests(unit, lake.days(unit)).items()
            }
            for unit in DERIVED
        }

    def rows(self) -> dict[str, dict[str, str]]:
        """Table → id → content hash of the row, in the lake."""
        return {unit.name: dict(self._row_hashes(unit)) for unit in DERIVED}

    def documents(self) -> dict[str, dict[str, str]]:
        """Table → id → content hash of the document, in MongoDB."""
        with self._database() as database:
            return {
                collection.unit.name: {
                    found["_id"]: found["content_hash"]
                    for found in database[name].find({}, {"content_hash": 1})
                }
                for collection, name in self._collections
            }

    @contextmanager
    def _database(self) -> Iterator[MongoDatabase]:
        uri = self.settings.mongodb_uri
        assert uri is not None
        database = connect(uri.get_secret_value(), database=self.settings.mongodb_database)
        try:
            yield database
        finally:
            database.client.close()

    @property
    def _collections(self) -> tuple[tuple[Collection, str], ...]:
        return tuple((one, one.name(self.settings)) for one in COLLECTIONS.values())

    def _row_hashes(self, unit: Unit) -> Iterable[tuple[str, str]]:
        schema, lake = unit.tables[0], self.lake
        for day in lake.days(unit):
            found = lake.read_day(unit, day)
            assert found is not None
            table = found[1][schema.name]
            yield from zip(
                identities(table, schema), table["content_hash"].to_pylist(), strict=True
            )


def pipeline(**values: Any) -> Pipeline:
    """A pipeline under these settings and the defaults."""
    return Pipeline(load_settings(None, **{"retry_delay": 0.05, "max_retries": 1, **values}))


def files_source(folder: Path) -> dict[str, Any]:
    """Settings that read exported files."""
    return {"source": "files", "source_dir": folder}


def local_lake(folder: Path) -> dict[str, Any]:
    """Settings of a lake in a folder."""
    return {"parquet_base_dir": folder}


def s3_lake(server: S3Server, prefix: str = "team/lake") -> dict[str, Any]:
    """Settings of a lake in a new bucket."""
    return {
        "s3_enabled": True,
        "s3_bucket": server.new_bucket(),
        "s3_prefix": prefix,
        "aws_endpoint_url": server.endpoint_url,
        "aws_access_key_id": server.access_key,
        "aws_secret_access_key": server.secret_key,
        "aws_region": server.region,
    }


def differing(left: Hashes, right: Hashes) -> set[tuple[str, date]]:
    """The (table, day)s whose hashes are not the same."""
    return {
        (table, day)
        for table in left.keys() | right.keys()
        for day in left.get(table, {}).keys() | right.get(table, {}).keys()
        if left.get(table, {}).get(day) != right.get(table, {}).get(day)
    }

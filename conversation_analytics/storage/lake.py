"""The lake: days of tables, claimed, committed and read back whole.

    claim_day ─> (read inputs, compute, check, encode) ─> commit_day ─> read_day

A writer claims the next epoch of a day before it reads anything, so that of two writers the one
that started later wins and the other one is refused when it wants to commit.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from conversation_analytics.errors import FencedWriter, StaleInput, StorageError, TornDay
from conversation_analytics.settings import Settings
from conversation_analytics.storage.encoding import (
    EncodedFile,
    ParquetOptions,
    content_hash,
    digest,
)
from conversation_analytics.storage.failpoints import CLAIM, TIDY, failpoint
from conversation_analytics.storage.index import Index
from conversation_analytics.storage.layout import UNITS, Layout, Place, Unit, claims
from conversation_analytics.storage.manifest import (
    DocumentEntry,
    FileEntry,
    Manifest,
    TableEntry,
)
from conversation_analytics.storage.pending import PendingDays
from conversation_analytics.storage.s3 import S3Access, S3Store
from conversation_analytics.storage.store import LocalStore, ObjectStore

_READ_ATTEMPTS = 5
_READ_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write a unit's day, until somebody claims a higher epoch.

    Attributes:
        unit: name of the unit.
        day: the day.
        epoch: the number claimed.
    """

    unit: str
    day: Place
    epoch: int


@dataclass(frozen=True)
class EncodedTable:
    """One table of a day, ready to be put.

    Attributes:
        files: its Parquet files.
        content_hash: hash of its rows.
    """

    files: Sequence[EncodedFile]
    content_hash: str

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True)
class Commit:
    """Everything a commit of a unit's day writes.

    Attributes:
        claim: the claim made before the inputs were read.
        tables: each table of the unit, by name.
        inputs: content hash of each input unit's manifest as it was read; of another day than its
            own under ``unit@day``.
        facts: further fields of the manifest.
        indexed: conversation ids that live in the day, if the unit decides that.
        documents: bytes of documents to be put beside the files, by name.
    """

    claim: Claim
    tables: dict[str, EncodedTable]
    inputs: dict[str, str] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    indexed: pa.Array | None = None
    documents: dict[str, bytes] = field(default_factory=dict)


class Lake:
    """Days of tables in an object store.

    Args:
        store: where the bytes live.
        layout: how keys are made.
        options: how Parquet is written.
        io_threads: requests in flight at once.
    """

    def __init__(
        self, store: ObjectStore, layout: Layout, options: ParquetOptions, *, io_threads: int = 8
    ) -> None:
        self.store = store
        self.layout = layout
        self.options = options
        self.index = Index(store)
        self.pending = PendingDays(store)
        self.io_threads = io_threads

    def claim_day(self, unit: Unit, day: Place, *, run_id: str = "") -> Claim:
        """Claim the next epoch of a unit's day.

        Raises:
            StoreUnavailable: the store cannot be written.
        """
        note = orjson.dumps({"run_id": run_id, "claimed_at": datetime.now(UTC)})
        epoch = self._highest_claim(unit, day) + 1
        failpoint(CLAIM)
        while not self.store.create(f"{claims(unit, day)}{epoch:010d}.json", note):
            epoch += 1
        return Claim(unit.name, day, epoch)

    def claim_days(self, unit: Unit, days: Sequence[Place], *, run_id: str = "") -> list[Claim]:
        """Claim many days at once."""
        with ThreadPoolExecutor(self.io_threads) as pool:
            return list(pool.map(lambda day: self.claim_day(unit, day, run_id=run_id), days))

    def commit_day(self, commit: Commit) -> Manifest:
        """Make a day's rows the day's rows, in place of those there were.

        Raises:
            FencedWriter: somebody claimed the day after this writer did.
            StaleInput: an input changed since it was read.
            StoreUnavailable: the store cannot be written.
        """
        unit, day = UNITS[commit.claim.unit], commit.claim.day
        self._refuse_if_stale(commit)
        self._refuse_if_fenced(unit, commit.claim)
        objects: list[tuple[str, bytes]] = []
        entries = {}
        for schema in unit.tables:
            table = commit.tables[schema.name]
            files = self._files(schema.name, day, table)
            objects += files.items()
            entries[schema.name] = _entry(table, files)
        documents = {
            self.layout.document(unit, day, name): data for name, data in commit.documents.items()
        }
        objects += documents.items()
        manifest = Manifest.model_validate(
            {
                "unit": unit.name,
                "day": str(day),
                "epoch": commit.claim.epoch,
                "content_hash": content_hash(
                    f"{name}={table.content_hash}" for name, table in commit.tables.items()
                ),
                "tables": entries,
                "documents": {
                    name: DocumentEntry(key=key, size=len(data), hash=digest(data))
                    for name, (key, data) in zip(commit.documents, documents.items(), strict=True)
                },
                "inputs": commit.inputs,
                "committed_at": datetime.now(UTC),
                **commit.facts,
            }
        )
        note = manifest.model_dump_json(indent=1).encode()
        self.store.put_all([*objects, (self.layout.manifest(unit, day), note)])
        if commit.indexed is not None and isinstance(day, date) and manifest.change_mark:
            self.index.record(day, commit.indexed, mark=manifest.change_mark, epoch=manifest.epoch)
        self.tidy(unit, day, manifest)
        return manifest

    def tidy(self, unit: Unit, day: Place, manifest: Manifest) -> None:
        """Remove what a commit replaced: surplus files, older claims, what dead writers left.

        A commit does so itself; a retry does it for one that died just before. Where a newer
        writer has claimed the day it is left to that one, whose files may be there already.
        """
        failpoint(TIDY)
        held = self.store.list(claims(unit, day))
        own = f"{claims(unit, day)}{manifest.epoch:010d}.json"
        if held and held[-1] > own:
            return
        for name, entry in manifest.tables.items():
            stem = self.layout.file(name, day).removesuffix(".parquet")
            current = {file.key for file in entry.files}
            self.store.delete(key for key in self.store.list(stem) if key not in current)
            self.store.discard_abandoned(self.layout.folder(name, day))
        self.store.delete(key for key in held if key < own)
        self.store.discard_abandoned(claims(unit, day))

    def manifest(self, unit: Unit, day: Place) -> Manifest | None:
        """The manifest of a unit's day, null if the day was never committed.

        Raises:
            StorageError: it is not a manifest.
        """
        key = self.layout.manifest(unit, day)
        data = self.store.get(key)
        try:
            return None if data is None else Manifest.model_validate_json(data)
        except ValidationError as error:
            raise StorageError(
                f"{self.store.url}/{key} is damaged: delete it and materialise {unit.name} of "
                f"{day} again"
            ) from error

    def manifests(self, unit: Unit, days: Iterable[date]) -> dict[date, Manifest]:
        """The manifests there are among `days`."""
        wanted = list(days)
        with ThreadPoolExecutor(self.io_threads) as pool:
            found = pool.map(lambda day: self.manifest(unit, day), wanted)
            return {day: one for day, one in zip(wanted, found, strict=True) if one is not None}

    def days(self, unit: Unit) -> list[date]:
        """The committed days of a unit, in order."""
        keys = self.store.list(self.layout.manifest_prefix(unit))
        found = []
        for key in keys:
            day = self.layout.day_of(key)
            # Folders nest: below conversations/ lie the manifests of other units too.
            if isinstance(day, date) and key == self.layout.manifest(unit, day):
                found.append(day)
        return sorted(found)

    def read_day(
        self, unit: Unit, day: Place, columns: dict[str, list[str]] | None = None
    ) -> tuple[Manifest, dict[str, pa.Table]] | None:
        """A day's tables with the manifest they agree with; null if it was never committed.

        Args:
            unit: what to read.
            day: which day.
            columns: only these tables and columns, by table; null for everything.

        Raises:
            TornDay: manifest and files do not agree, so a write was cut off half-way.
        """
        for attempt in range(_READ_ATTEMPTS):
            if attempt:  # a commit may be under way: between its files and its manifest
                time.sleep(_READ_PAUSE_SECONDS)
            manifest = self.manifest(unit, day)
            if manifest is None:
                return None
            wanted = columns or dict.fromkeys(manifest.tables)
            tables = {name: self._read_table(manifest, name, only) for name, only in wanted.items()}
            whole = {name: table for name, table in tables.items() if table is not None}
            if len(whole) == len(tables):
                return manifest, whole
        raise TornDay(
            f"{unit.name} of {day} in {self.store.url}: the files do not belong to the manifest, "
            "so a write was cut off half-way; materialise the day again"
        )

    def _read_table(
        self, manifest: Manifest, name: str, columns: list[str] | None
    ) -> pa.Table | None:
        parts = []
        for entry in manifest.tables[name].files:
            data = self.store.get(entry.key)
            if data is None or digest(data) != entry.hash:
                return None
            parts.append(pq.read_table(pa.BufferReader(data), columns=columns))
        return pa.concat_tables(parts).replace_schema_metadata(None)

    def _files(self, name: str, day: Place, table: EncodedTable) -> dict[str, bytes]:
        """The bytes of a table's files by key, in row order."""
        split = len(table.files) > 1
        return {
            self.layout.file(name, day, number if split else None): file.data
            for number, file in enumerate(table.files)
        }

    def _highest_claim(self, unit: Unit, day: Place) -> int:
        keys = self.store.list(claims(unit, day))
        highest = int(keys[-1].rpartition("/")[2].removesuffix(".json")) if keys else 0
        if not highest:  # claims may have been cleared away: the manifest remembers the epoch
            manifest = self.manifest(unit, day)
            highest = manifest.epoch if manifest else 0
        return highest

    def read_document(self, unit: Unit, day: Place, name: str) -> tuple[Manifest, bytes] | None:
        """A document with the manifest that it agrees with; null if it was never committed.

        Raises:
            TornDay: manifest and document do not agree, so a write was cut off half-way.
        """
        for attempt in range(_READ_ATTEMPTS):
            if attempt:
                time.sleep(_READ_PAUSE_SECONDS)
            manifest = self.manifest(unit, day)
            entry = manifest.documents.get(name) if manifest else None
            if manifest is None or entry is None:
                return None
            data = self.store.get(entry.key)
            if data is not None and digest(data) == entry.hash:
                return manifest, data
        raise TornDay(
            f"{name} of {unit.name} of {day} in {self.store.url} does not belong to its manifest, "
            "so a write was cut off half-way; materialise it again"
        )

    def _refuse_if_stale(self, commit: Commit) -> None:
        def problem(item: tuple[str, str]) -> str:
            name, read = item
            unit, _, other = name.partition("@")
            day = date.fromisoformat(other) if other else commit.claim.day
            now = self.manifest(UNITS[unit], day)
            return "" if now and now.content_hash == read else name

        if len(commit.inputs) > self.io_threads:
            with ThreadPoolExecutor(self.io_threads) as pool:
                changed = list(filter(None, pool.map(problem, commit.inputs.items())))
        else:
            changed = list(filter(None, map(problem, commit.inputs.items())))
        if changed:
            raise StaleInput(
                f"{commit.claim.unit} of {commit.claim.day}: its input '{changed[0]}' changed "
                "while it was computed; run the day again"
            )

    def _refuse_if_fenced(self, unit: Unit, claim: Claim) -> None:
        highest = self._highest_claim(unit, claim.day)
        if highest > claim.epoch:
            raise FencedWriter(
                f"{unit.name} of {claim.day}: epoch {claim.epoch} was overtaken by epoch {highest} "
                "of another run, which will write the day; nothing was written here"
            )


def _entry(table: EncodedTable, files: dict[str, bytes]) -> TableEntry:
    return TableEntry(
        files=tuple(
            FileEntry(key=key, size=len(data), hash=digest(data), rows=file.rows)
            for (key, data), file in zip(files.items(), table.files, strict=True)
        ),
        rows=table.rows,
        content_hash=table.content_hash,
    )


def open_store(settings: Settings, *, within: float | None = None) -> ObjectStore:
    """The object store the settings name: S3 when enabled, else the local folder.

    Args:
        settings: the settings.
        within: for who answers requests, seconds after which an S3 that does not answer is given
            up; null to retry as often as the settings say.
    """
    if settings.s3_enabled:
        access = S3Access.of(settings)
        if within is not None:
            access = access.within(within, at_once=settings.api_max_requests)
        return S3Store(access, settings.s3_bucket or "", settings.s3_prefix)
    return LocalStore(settings.parquet_base_dir)


def open_lake(settings: Settings, *, within: float | None = None) -> Lake:
    """The lake the settings name. No I/O happens until it is used.

    Args:
        settings: the settings.
        within: see `open_store`.
    """
    return Lake(
        open_store(settings, within=within),
        Layout(settings.parquet_partition_by),
        ParquetOptions.of(settings),
        io_threads=settings.io_threads,
    )

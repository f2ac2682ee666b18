"""What a committed day says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MANIFEST_VERSION = 1


def version_of(versions: Mapping[str, str]) -> str:
    """One version that changes whenever one of several does."""
    words = [f"{name}={version}" for name, version in sorted(versions.items())]
    return blake2b("\n".join(words).encode(), digest_size=8).hexdigest()


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FileEntry(_Model):
    """One Parquet file of a day.

    Attributes:
        key: its key in the lake.
        size: bytes.
        hash: BLAKE2b-128 of its bytes, hexadecimal.
        rows: rows in it.
    """

    key: str
    size: int
    hash: str
    rows: int


class TableEntry(_Model):
    """One table of a day.

    Attributes:
        files: its files, in row order.
        rows: rows in all of them.
        content_hash: hash of its rows, whatever their order.
    """

    files: tuple[FileEntry, ...]
    rows: int
    content_hash: str


class DocumentEntry(_Model):
    """A document beside the files of a unit.

    Attributes:
        key: its key in the lake.
        size: bytes.
        hash: BLAKE2b-128 of its bytes, hexadecimal.
    """

    key: str
    size: int
    hash: str


class Manifest(_Model):
    """What a unit's day consists of and was made from.

    Attributes:
        version: of this format.
        unit: name of the unit.
        day: partition key.
        epoch: number of the write; the next writer of the day has a higher one.
        content_hash: hash over the tables' content hashes.
        tables: entry of each table, by name.
        documents: entry of each document, by name, such as ``report.json``.
        inputs: content hash of each input unit's manifest that it was made from; of another day
            than its own under ``unit@day``.
        code_version: of the code that made it.
        versions: of what else decided its rows, such as models and taxonomies, by task.
        change_mark: the source's clock minus the lag when reading began; changes after it are
            not in here for certain.
        activity_days: local days on which messages of this partition were made.
        counts: numbers found on the way, such as rows read and quarantined.
        by_language: numbers that were found of each language.
        revision: number of the version of what it says, from 1; 0 where versions are not counted.
        note: what people should know of it, such as why it has no rows.
        collapsed: by source table, hashes by source key of identical duplicates: of those the
            tables hold one row only. Not of very many.
        interpreter: how the source's rows were read, so that they can be read the same again.
        displaced: days whose rows this write has changed the ownership of: they must be
            refreshed with it.
        merged: ids of the tokens whose rows were put in without reading the source again.
        reasons: why it was written: what differed from the source, with the number of rows; empty
            if somebody asked for the day.
        request: what asked for the write; a retry of the same request need not repeat it.
        run_id: the run that wrote it.
        committed_at: wall-clock time of the commit.
    """

    version: int = MANIFEST_VERSION
    unit: str
    day: str
    epoch: int
    content_hash: str
    tables: dict[str, TableEntry]
    documents: dict[str, DocumentEntry] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict)
    code_version: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    change_mark: datetime | None = None
    activity_days: tuple[date, ...] = ()
    counts: dict[str, int] = Field(default_factory=dict)
    by_language: dict[str, dict[str, int]] = Field(default_factory=dict)
    revision: int = 0
    note: str = ""
    collapsed: dict[str, dict[str, str]] = Field(default_factory=dict)
    interpreter: dict[str, Any] = Field(default_factory=dict)
    displaced: tuple[date, ...] = ()
    merged: tuple[str, ...] = ()
    reasons: dict[str, int] = Field(default_factory=dict)
    request: str = ""
    run_id: str = ""
    committed_at: datetime

    @property
    def decided_by(self) -> str:
        """Version of what decided its rows besides its inputs and what people say of the day."""
        own = {task: version.partition("+")[0] for task, version in self.versions.items()}
        return version_of(own) if own else ""

    @property
    def rows(self) -> int:
        """Rows in all tables."""
        return sum(entry.rows for entry in self.tables.values())

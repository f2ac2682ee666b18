"""The lake as a Dagster resource: one interface, one class a kind of store.

The one in S3 is in `resources.s3_lake`, because its import costs a code location two seconds.
"""

from abc import ABC, abstractmethod
from pathlib import Path

import dagster as dg
from pydantic import Field

from conversation_analytics.storage.encoding import ParquetOptions
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import Layout
from conversation_analytics.storage.store import LocalStore, ObjectStore


class LakeResource(dg.ConfigurableResource, ABC):  # type: ignore[type-arg]
    """A lake; assets ask for this and do not care where it is."""

    partition_by: str = Field("year,month,day", description="How folders are named.")
    compression: str = Field("zstd", description="Parquet codec.")
    row_group_size: int = Field(131_072, description="Rows in a row group.")
    page_size: int = Field(1_048_576, description="Bytes in a data page.")
    max_records: int | None = Field(None, description="Most rows in a file.")
    target_megabytes: int | None = Field(None, description="Size of file to aim at, MB.")
    io_threads: int = Field(8, description="Requests in flight at once.")

    def open(self) -> Lake:
        """The lake. No I/O happens until it is used."""
        options = ParquetOptions(
            self.compression,
            self.row_group_size,
            self.page_size,
            self.max_records,
            self.target_megabytes,
        )
        layout = Layout("date" if self.partition_by == "date" else "year,month,day")
        return Lake(self.open_store(), layout, options, io_threads=self.io_threads)

    @abstractmethod
    def open_store(self) -> ObjectStore:
        """Where the lake's bytes live."""


class LocalLakeResource(LakeResource):
    """A lake in a folder."""

    base_dir: str = Field("data/lake", description="The folder.")

    def open_store(self) -> ObjectStore:
        """See `LakeResource`."""
        return LocalStore(Path(self.base_dir))

"""The lake as a Dagster resource."""

from pathlib import Path

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import Field

from conversation_analytics.storage.encoding import ParquetOptions
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import Layout
from conversation_analytics.storage.s3 import S3Access, S3Store
from conversation_analytics.storage.store import LocalStore


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A lake in a local folder, or in S3 when a bucket is named."""

    base_dir: str = Field("data/lake", description="Folder of a local lake.")
    bucket: str | None = Field(None, description="Bucket of a lake in S3; null for a local one.")
    prefix: str = Field("", description="Prefix of the lake in the bucket.")
    s3: dg.ResourceDependency[S3Resource]
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
        return Lake(self._store(), layout, options, io_threads=self.io_threads)

    def _store(self) -> S3Store | LocalStore:
        if self.bucket is None:
            return LocalStore(Path(self.base_dir))
        s3 = self.s3
        access = S3Access(
            region=s3.region_name,
            endpoint_url=s3.endpoint_url,
            key_id=s3.aws_access_key_id,
            secret_key=s3.aws_secret_access_key,
            max_attempts=s3.max_attempts,
            connections=self.io_threads,
        )
        return S3Store(access, self.bucket, self.prefix)

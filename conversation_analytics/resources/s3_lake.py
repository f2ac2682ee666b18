"""A lake in S3 as a Dagster resource, on top of dagster-aws."""

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import Field

from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.storage.s3 import S3Access, S3Store
from conversation_analytics.storage.store import ObjectStore


class S3LakeResource(LakeResource):
    """A lake in a bucket."""

    bucket: str = Field(description="Name of the bucket.")
    prefix: str = Field("", description="Prefix of the lake in the bucket.")
    s3: dg.ResourceDependency[S3Resource]

    def open_store(self) -> ObjectStore:
        """See `LakeResource`."""
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

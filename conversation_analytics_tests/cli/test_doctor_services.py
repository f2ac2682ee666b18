"""What `doctor` tells of stores in S3."""

from __future__ import annotations

import pytest

from conversation_analytics_tests.cli.conftest import CommandLine
from conversation_analytics_tests.services.s3_servers import S3Server

pytestmark = pytest.mark.services


def lake_check(ca: CommandLine, server: S3Server, **settings: str) -> dict[str, str]:
    """What the doctor finds of a lake in a new bucket."""
    ca.set(
        S3_ENABLED="true",
        S3_BUCKET=server.new_bucket(),
        AWS_ENDPOINT_URL=server.endpoint_url,
        AWS_ACCESS_KEY_ID=server.access_key,
        AWS_SECRET_ACCESS_KEY=server.secret_key,
        AWS_REGION=server.region,
        **settings,
    )
    found = {check["check"]: check for check in ca.json("doctor")["checks"]}
    lake: dict[str, str] = found["lake"]
    return lake


def test_a_store_without_conditional_writes_is_told_with_what_it_cannot_promise(
    ca: CommandLine, moto_s3: S3Server, rclone_s3: S3Server, mongo_uri: str
) -> None:
    ca.export(days=1)
    assert lake_check(ca, moto_s3)["state"] == "ok"
    without = lake_check(ca, rclone_s3)
    assert (without["state"], "pay for it" in without["words"]) == ("warn", False)
    dify = {"DIFY_BASE_URL": "http://dify.test/v1", "DIFY_API_KEY": "app-1"}
    assert "may each pay for it" in lake_check(ca, rclone_s3, **dify)["words"]
    words = lake_check(ca, rclone_s3, **dify, MONGODB_URI=mongo_uri)["words"]
    assert ("MongoDB decides" in words, "pay for it" in words) == (True, False)
    (ca.folder / "alerts.yaml").write_text("alerts: []")
    words = lake_check(ca, rclone_s3, ALERTS_FILE="alerts.yaml")["words"]
    assert "may each tell an alert" in words

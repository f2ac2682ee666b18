"""What can go wrong outside is an error that says what to do, and nothing is half-written."""

from __future__ import annotations

import errno
import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.errors import (
    LakeMismatch,
    SourceAccessDenied,
    SourceSchemaError,
    SourceUnavailable,
    StoreUnavailable,
)
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT, MESSAGES_UNIT, RAW
from conversation_analytics.storage.mongo import connect
from conversation_analytics_tests.end_to_end.nocodb_sources import (
    NocoDBTables,
    export,
    own_tables,
)
from conversation_analytics_tests.end_to_end.pipeline import (
    Pipeline,
    days,
    files_source,
    local_lake,
    pipeline,
    s3_lake,
)
from conversation_analytics_tests.services.mongo_server import start_mongod
from conversation_analytics_tests.services.nocodb_server import NocoDB
from conversation_analytics_tests.services.process import free_port
from conversation_analytics_tests.services.s3_servers import S3Server

DAYS = days(3)
UNITS = (RAW, MESSAGES_UNIT, CONVERSATIONS_UNIT)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("export"), "plain", messages=60, days=3)


@pytest.fixture(scope="module")
def tables(nocodb: NocoDB, exported: Path) -> NocoDBTables:
    return own_tables(nocodb, exported)


def assert_nothing_was_written(made: Pipeline) -> None:
    for unit in UNITS:
        assert made.lake.days(unit) == []
    assert [key for key in made.lake.store.list("") if key.endswith(".parquet")] == []


@pytest.mark.services
def test_a_wrong_token(tables: NocoDBTables, tmp_path: Path) -> None:
    made = pipeline(
        **tables.settings | {"nocodb_api_token": "very-wrong-token"}, **local_lake(tmp_path)
    )

    with pytest.raises(SourceAccessDenied, match="NOCODB_API_TOKEN") as error:
        made.refresh(DAYS)

    assert "very-wrong-token" not in str(error.value)
    assert_nothing_was_written(made)


@pytest.mark.services
def test_a_table_that_is_not_there(tables: NocoDBTables, tmp_path: Path) -> None:
    made = pipeline(
        **tables.settings | {"nocodb_messages_table": "Nachrichten"}, **local_lake(tmp_path)
    )

    with pytest.raises(SourceSchemaError, match="Nachrichten") as error:
        made.refresh(DAYS)

    assert "Kunden messages" in str(error.value)  # what there is
    assert "NOCODB_MESSAGES_TABLE" in str(error.value)
    assert_nothing_was_written(made)


@pytest.mark.services
def test_a_mapped_column_that_is_not_there(tables: NocoDBTables, tmp_path: Path) -> None:
    assert tables.mapping_file is not None
    wrong = tmp_path / "mapping.yaml"
    text = tables.mapping_file.read_text(encoding="utf-8")
    wrong.write_text(text.replace("Betreff", "Subject line"), encoding="utf-8")
    made = pipeline(
        **tables.settings | {"field_mapping_file": wrong}, **local_lake(tmp_path / "lake")
    )

    with pytest.raises(SourceSchemaError, match="Subject line") as error:
        made.refresh(DAYS)

    assert "title" in str(error.value)
    assert "Betreff" in str(error.value)  # what there is
    assert_nothing_was_written(made)


def test_nocodb_is_down(tmp_path: Path) -> None:
    made = pipeline(
        source="nocodb",
        nocodb_base_url=f"http://127.0.0.1:{free_port()}",
        nocodb_api_token="hidden-token",
        nocodb_project_id="base",
        **local_lake(tmp_path),
    )

    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1") as error:
        made.refresh(DAYS)

    assert "hidden-token" not in str(error.value)
    assert_nothing_was_written(made)


@pytest.mark.services
def test_mongodb_is_down(exported: Path, tmp_path: Path) -> None:
    with start_mongod() as server:
        made = pipeline(
            **files_source(exported),
            **local_lake(tmp_path),
            mongodb_uri=f"{server.uri}&serverSelectionTimeoutMS=300",
        )
        made.refresh(DAYS)
        made.publish(DAYS[:1])
        server.process.kill()

        with pytest.raises(StoreUnavailable, match="MongoDB"):
            made.publish(DAYS)

    assert made.lake.days(CONVERSATIONS_UNIT) == DAYS  # the lake does not care


def test_mongodb_was_never_there() -> None:
    uri = f"mongodb://user:hidden-password@127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=200"

    with pytest.raises(StoreUnavailable, match="MONGODB_URI") as error:
        connect(uri, database="any")

    assert "hidden-password" not in str(error.value)


@pytest.mark.services
@pytest.mark.parametrize("server", ["moto_s3", "rclone_s3"])
def test_the_bucket_is_missing(server: str, exported: Path, request: pytest.FixtureRequest) -> None:
    s3: S3Server = request.getfixturevalue(server)
    made = pipeline(**files_source(exported), **s3_lake(s3) | {"s3_bucket": "no-such-bucket"})

    with pytest.raises(StoreUnavailable, match="create it or set S3_BUCKET"):
        made.refresh(DAYS)


@pytest.mark.services
def test_the_secret_key_is_wrong(rclone_s3: S3Server, exported: Path) -> None:
    place = s3_lake(rclone_s3) | {"aws_secret_access_key": "not-the-secret"}
    made = pipeline(**files_source(exported), **place)

    with pytest.raises(StoreUnavailable, match=r"AWS_SECRET_ACCESS_KEY|secret key") as error:
        made.refresh(DAYS)

    assert "not-the-secret" not in str(error.value)


@pytest.mark.services
@pytest.mark.parametrize("keys", ["*", "*.parquet"])
def test_a_bucket_that_became_read_only_leaves_the_days_as_they_were(
    keys: str, moto_s3: S3Server, exported: Path
) -> None:
    place = s3_lake(moto_s3)
    made = pipeline(**files_source(exported), **place)
    made.refresh(DAYS)
    before, rows = made.hashes(), made.rows()
    bucket = place["s3_bucket"]
    denial = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:PutObject", "s3:DeleteObject"],
        "Resource": [f"arn:aws:s3:::{bucket}/{keys}"],
    }
    policy = {"Version": "2012-10-17", "Statement": [denial]}
    with closing(moto_s3.client()) as client:
        client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

        with pytest.raises((StoreUnavailable, AssertionError), match="the bucket's policy"):
            made.refresh(DAYS)

        assert made.hashes() == before
        assert made.rows() == rows
        client.delete_bucket_policy(Bucket=bucket)
    made.refresh(DAYS)
    assert made.hashes() == before


def test_the_lakes_place_is_a_file(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file")
    made = pipeline(**files_source(exported), **local_lake(tmp_path / "lake"))

    with pytest.raises(StoreUnavailable, match="PARQUET_BASE_DIR"):
        made.refresh(DAYS)


@pytest.mark.parametrize(
    ("code", "advice"),
    [(errno.ENOSPC, "free some space"), (errno.EROFS, "read-only"), (errno.EACCES, "permission")],
)
def test_a_disk_that_refuses_leaves_the_days_as_they_were(
    code: int, advice: str, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pipeline(**files_source(exported), **local_lake(tmp_path))
    made.refresh(DAYS)
    before, rows = made.hashes(), made.rows()
    flushes = iter(range(1_000))
    sync = os.fsync

    def refuse_later(descriptor: int) -> None:
        if next(flushes) >= 6:  # claims, then in the middle of a day
            raise OSError(code, os.strerror(code))
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse_later)
        with pytest.raises((StoreUnavailable, AssertionError), match=advice):
            made.refresh(DAYS)

    assert made.hashes() == before
    assert made.rows() == rows
    assert [path for path in tmp_path.rglob(".*") if path.is_file()] == []
    made.refresh(DAYS)
    assert made.hashes() == before


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"analytics_timezone": "Asia/Bangkok"}, "ANALYTICS_TIMEZONE"),
        ({"partitions_start_date": "2023-05-01"}, "PARTITIONS_START_DATE"),
        ({"parquet_partition_by": "date"}, "PARQUET_PARTITION_BY"),
    ],
)
def test_a_lake_made_with_other_settings_is_refused(
    changed: dict[str, Any], named: str, exported: Path, tmp_path: Path
) -> None:
    places = files_source(exported) | local_lake(tmp_path)
    made = pipeline(**places)
    made.refresh(DAYS)
    before = made.hashes()

    with pytest.raises(LakeMismatch, match=named) as error:
        pipeline(**places, **changed).refresh(DAYS)

    assert "backfill --rebuild" in str(error.value)
    assert made.hashes() == before

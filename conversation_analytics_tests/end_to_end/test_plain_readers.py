"""DuckDB, Polars and pandas read each table by its glob, without our code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import duckdb_extension_httpfs
import pandas as pd
import polars as pl
import pytest
import s3fs

from conversation_analytics_tests.end_to_end.nocodb_sources import export
from conversation_analytics_tests.end_to_end.pipeline import (
    days,
    files_source,
    local_lake,
    pipeline,
    s3_lake,
)
from conversation_analytics_tests.services.s3_servers import S3Server

# table → glob, as the README gives them to users
GLOBS = {
    "raw_conversations": "raw/conversations/*/*/*/conversations*.parquet",
    "raw_messages": "raw/messages/*/*/*/messages*.parquet",
    "conversations": "conversations/*/*/*/conversations*.parquet",
    "messages": "conversations/*/*/*/messages/messages*.parquet",
    "quarantine": "quarantine/*/*/*/quarantine*.parquet",
}
DAYS = days(3)
MESSAGES = 120


def expected(counts: dict[str, int]) -> dict[str, int]:
    """What every reader must count, given what one of them did."""
    assert counts["messages"] == counts["raw_messages"] == MESSAGES
    assert counts["conversations"] == counts["raw_conversations"] > 0
    assert counts["quarantine"] == 0
    return counts


@pytest.fixture
def local(tmp_path: Path) -> Path:
    folder = export(tmp_path / "export", "plain", messages=MESSAGES, days=3)
    made = pipeline(**files_source(folder), **local_lake(tmp_path / "lake"))
    made.refresh(DAYS)
    return tmp_path / "lake"


def test_plain_readers_agree_on_a_local_lake(local: Path) -> None:
    with duckdb.connect() as db:
        by_duckdb = {
            table: db.execute(f"SELECT count(*) FROM '{local}/{pattern}'").fetchall()[0][0]
            for table, pattern in GLOBS.items()
        }
        per_day = db.execute(
            f"SELECT day, count(*) FROM read_parquet('{local}/{GLOBS['messages']}', "
            "hive_partitioning = true) GROUP BY day ORDER BY day"
        ).fetchall()
    by_polars = {
        table: pl.scan_parquet(f"{local}/{pattern}").select(pl.len()).collect().item()
        for table, pattern in GLOBS.items()
    }
    by_pandas = {
        table: sum(len(pd.read_parquet(path)) for path in local.glob(pattern))
        for table, pattern in GLOBS.items()
    }

    assert by_duckdb == by_polars == by_pandas == expected(by_duckdb)
    assert [day for day, _ in per_day] == ["01", "02", "03"]
    assert sum(count for _, count in per_day) == MESSAGES


@pytest.mark.services
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("server", ["moto_s3", "rclone_s3"])
def test_plain_readers_agree_on_a_lake_in_s3(
    server: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    s3: S3Server = request.getfixturevalue(server)
    folder = export(tmp_path / "export", "plain", messages=MESSAGES, days=3)
    place = s3_lake(s3)
    made = pipeline(**files_source(folder), **place)
    made.refresh(DAYS)
    root = f"s3://{place['s3_bucket']}/{place['s3_prefix']}"
    assert made.lake.store.url == root

    with duckdb_on(s3) as db:
        by_duckdb = {
            table: db.execute(f"SELECT count(*) FROM '{root}/{pattern}'").fetchall()[0][0]
            for table, pattern in GLOBS.items()
        }
    files = s3fs.S3FileSystem(
        key=s3.access_key,
        secret=s3.secret_key,
        endpoint_url=s3.endpoint_url,
        skip_instance_cache=True,
    )
    by_pandas = {
        table: sum(
            len(pd.read_parquet(f"s3://{path}", filesystem=files))
            for path in files.glob(f"{root}/{pattern}")
        )
        for table, pattern in GLOBS.items()
    }
    by_polars = {
        table: polars_count(s3, f"{root}/{pattern}", files) for table, pattern in GLOBS.items()
    }

    assert by_duckdb == by_polars == by_pandas == expected(by_duckdb)


def polars_count(s3: S3Server, pattern: str, files: s3fs.S3FileSystem) -> int:
    """Rows that Polars finds; by itself, or through s3fs where it cannot."""
    if s3.process.name == "rclone":  # answers a range of the whole object with 200, not 206
        paths = files.glob(pattern)
        return sum(pl.read_parquet(files.cat_file(path)).height for path in paths)
    options = {
        "aws_endpoint_url": s3.endpoint_url,
        "aws_access_key_id": s3.access_key,
        "aws_secret_access_key": s3.secret_key,
        "aws_region": s3.region,
        "aws_allow_http": "true",
    }
    lazy = pl.scan_parquet(pattern, storage_options=options)
    count: int = lazy.select(pl.len()).collect().item()
    return count


@contextmanager
def duckdb_on(s3: S3Server) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with httpfs from its wheel, which downloads nothing."""
    (extension,) = Path(duckdb_extension_httpfs.__file__).parent.glob(
        f"extensions/v{duckdb.__version__}/httpfs.duckdb_extension"
    )
    with duckdb.connect() as db:
        db.execute(f"LOAD '{extension}'")
        db.execute(
            "CREATE SECRET (TYPE s3, URL_STYLE 'path', USE_SSL false, "
            f"ENDPOINT '{urlsplit(s3.endpoint_url).netloc}', REGION '{s3.region}', "
            f"KEY_ID '{s3.access_key}', SECRET '{s3.secret_key}')"
        )
        yield db

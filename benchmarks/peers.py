"""What the product is measured against when it reads NocoDB: a bare loop, and dlt."""

from __future__ import annotations

import http.client
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import dlt
from dlt.sources.rest_api import rest_api_source

PAGE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Tables:
    """Two NocoDB tables whose keys count from 1 without gaps.

    Attributes:
        base_url: address of the server.
        token: an API token.
        rows: number of rows by table id.
    """

    base_url: str
    token: str
    rows: dict[str, int]


def bare_loop(tables: Tables) -> int:
    """Fetch every page over one kept-alive connection and discard it; bytes received.

    The pages are those a keyset reader asks for, but nothing is decoded: the keys are known.
    """
    address = urlsplit(tables.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    received = 0
    for table, rows in tables.rows.items():
        for after in range(0, rows, PAGE_ROWS):
            where = f"(Id,lte,{rows})" + (f"~and(Id,gt,{after})" if after else "")
            query = f"limit={PAGE_ROWS}&sort=Id&where={quote(where)}"
            connection.request(
                "GET", f"/api/v2/tables/{table}/records?{query}", headers={"xc-token": tables.token}
            )
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != http.client.OK:
                raise RuntimeError(f"NocoDB answered {answer.status}: {body[:200]!r}")
            received += len(body)
    connection.close()
    return received


def dlt_warm_up() -> None:
    """Load one row, as dlt imports most of itself only then."""
    with tempfile.TemporaryDirectory(prefix="benchmark-dlt-") as folder:
        _load(dlt.resource([{"id": 1}], name="first"), Path(folder))


def dlt_pipeline(tables: Tables) -> int:
    """Load both tables into local Parquet files with dlt's REST source; rows loaded."""
    with tempfile.TemporaryDirectory(prefix="benchmark-dlt-") as folder:
        source = rest_api_source(
            {
                "client": {
                    "base_url": tables.base_url,
                    "headers": {"xc-token": tables.token},
                    "paginator": {
                        "type": "offset",
                        "limit": PAGE_ROWS,
                        "total_path": "pageInfo.totalRows",
                    },
                },
                "resources": [
                    {
                        "name": name,
                        "endpoint": {
                            "path": f"api/v2/tables/{table}/records",
                            "params": {"sort": "Id"},
                            "data_selector": "list",
                        },
                    }
                    for name, table in zip(("conversations", "messages"), tables.rows, strict=True)
                ],
            }
        )
        pipeline = _load(source, Path(folder))
        trace = pipeline.last_trace
        if trace is None or trace.last_normalize_info is None:
            raise RuntimeError("dlt kept no trace of what it loaded")
        counts = trace.last_normalize_info.row_counts
        return sum(counts.get(name, 0) for name in ("conversations", "messages"))


def _load(source: Any, folder: Path) -> dlt.Pipeline:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    pipeline = dlt.pipeline(
        pipeline_name="benchmark",
        pipelines_dir=str(folder / "state"),
        destination=dlt.destinations.filesystem(bucket_url=str(folder / "lake")),
        dataset_name="chats",
    )
    pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()
    return pipeline

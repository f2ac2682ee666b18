"""NocoDB into raw Parquet: against a bare loop over the same pages, and against dlt."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import orjson

from benchmarks.harness import Bar, Figure, Report, measured, progress, ratios, rounds, walls
from benchmarks.peers import Tables, bare_loop, dlt_pipeline, dlt_warm_up
from benchmarks.product import export, raw_days
from conversation_analytics_tests.services.nocodb_server import start_nocodb

_CONVERSATIONS = {
    "conversation_id": "SingleLineText",
    "user_id": "SingleLineText",
    "title": "LongText",
    "channel": "SingleLineText",
    "status": "SingleLineText",
    "language": "SingleLineText",
    "created_at": "DateTime",
    "updated_at": "DateTime",
    "is_deleted": "Checkbox",
    "segment": "SingleLineText",
    "country": "SingleLineText",
    "plan": "SingleLineText",
}
_MESSAGES = {
    "message_id": "SingleLineText",
    "conversation_id": "SingleLineText",
    "role": "SingleLineText",
    "content": "LongText",
    "created_at": "DateTime",
    "updated_at": "DateTime",
    "model": "SingleLineText",
    "prompt_tokens": "Number",
    "completion_tokens": "Number",
    "latency_ms": "Decimal",
    "cost": "Decimal",
    "currency": "SingleLineText",
    "error": "LongText",
    "feedback_score": "Decimal",
    "client": "SingleLineText",
}
_COLUMNS = {"conversations": _CONVERSATIONS, "messages": _MESSAGES}


def run(*, quick: bool) -> Report:
    """Measure reading NocoDB's own tables."""
    messages, days = (2_000, 3) if quick else (60_000, 6)
    with loaded(messages, days) as (tables, settings):
        found = rounds(
            {
                "bare loop": partial(measured, bare_loop, tables),
                "product": partial(measured, raw_days, settings, days),
                "dlt": partial(measured, dlt_pipeline, tables, first=dlt_warm_up),
            },
            at_least=1 if quick else 9,
            at_most=2 if quick else 9,
            seconds=5 if quick else 120,
        )
    bare, product, dlt = found["bare loop"], found["product"], found["dlt"]
    rows = sum(tables.rows.values())
    if dlt[0].result != rows:
        raise RuntimeError(f"dlt loaded {dlt[0].result} rows of {rows}")
    cpu = {name: [usage.cpu for usage in usages] for name, usages in found.items()}
    return Report(
        f"{rows:,} rows of {days} days in NocoDB's own tables (SQLite), read whole.",
        [
            Figure("throughput / bare loop", ratios(walls(bare), walls(product)), bar=Bar(0.9)),
            Figure("dlt wall / product wall", ratios(walls(dlt), walls(product)), bar=Bar(1.1)),
            Figure(
                "product client CPU / dlt client CPU",
                ratios(cpu["product"], cpu["dlt"]),
                bar=Bar(1 / 3, at_most=True),
            ),
            Figure("throughput", [rows / wall for wall in walls(product)], "rows/s"),
            Figure("throughput of the bare loop", [rows / wall for wall in walls(bare)], "rows/s"),
            Figure("client CPU of the product", cpu["product"], "s"),
            Figure("client CPU of dlt", cpu["dlt"], "s"),
        ],
    )


@contextmanager
def loaded(messages: int, days: int) -> Iterator[tuple[Tables, dict[str, object]]]:
    """A NocoDB whose two tables hold an export; the settings to read it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, start_nocodb() as server:
        progress(f"  loading {messages:,} messages into NocoDB …")
        exported = export(Path(folder), messages=messages, days=days)
        base = server.create_base("benchmark")
        rows = {}
        for name, columns in _COLUMNS.items():
            table = server.create_table(base, name, columns)
            lines = (exported / f"{name}.jsonl").read_bytes().splitlines()
            ids = server.insert(table, [orjson.loads(line) for line in lines])
            if ids != list(range(1, len(lines) + 1)):
                raise RuntimeError(f"the keys of {name} have gaps; the bare loop counts on none")
            rows[table] = len(lines)
        settings: dict[str, object] = {
            "nocodb_base_url": server.base_url,
            "nocodb_api_token": server.token,
            "nocodb_project_id": base,
        }
        yield Tables(server.base_url, server.token, rows), settings

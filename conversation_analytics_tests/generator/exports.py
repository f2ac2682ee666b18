"""Builders and readers of exports for the tests beside it."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from conversation_analytics.generator import GeneratorOptions, GeneratorSummary, generate

Row = dict[str, Any]


def export(out: Path, **changes: Any) -> GeneratorSummary:
    chosen = {"messages": 2_000, "days": 10, "seed": 3, **changes}
    return generate(GeneratorOptions(out=out, **chosen))


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def rows(folder: Path, table: str) -> list[Row]:
    return [json.loads(line) for line in lines(folder / f"{table}.jsonl")]


def expected(folder: Path) -> list[Row]:
    return rows(folder, "expected_quarantine")


def by_conversation(messages: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for message in messages:
        found[message["conversation_id"]].append(message)
    return dict(found)

"""`report.json`: the figures of a period as one document, with what they are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.schemas.metrics import METRICS

Document = dict[str, Any]

MOST_CHANGES: Final = 200
"""Changes that a restatement lists; of more it tells the number."""

_KEY: Final = ("dimension", "value", "metric", "currency")


def whole(figures: pa.Table) -> Document:
    """The metrics of the whole period by name; those of money by currency."""
    return _metrics(figures.filter(pc.equal(figures["dimension"], "")).to_pylist())


def breakdowns(figures: pa.Table, dimensions: Sequence[str]) -> Document:
    """The metrics of each value of each dimension, the values with most conversations first."""
    rows: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in figures.to_pylist():
        if row["dimension"]:
            rows.setdefault((row["dimension"], row["value"]), []).append(row)
    found: Document = {dimension: [] for dimension in dimensions}
    for (dimension, value), own in rows.items():
        users = _users(own)
        found[dimension].append({"value": value, "users": users, "metrics": _metrics(own)})
    for entries in found.values():
        entries.sort(key=_by_size)
    return found


def models(performance: pa.Table) -> list[Document]:
    """A row a model, those with most messages first."""
    rows = [
        {**row, "cost": {one["currency"]: one["cost"] for one in row["cost"]}}
        for row in performance.to_pylist()
    ]
    for row in rows:
        row["messages"] = _plain("assistant_messages", row.pop("assistant_messages"))
    return sorted(rows, key=lambda row: (-(row["messages"] or 0), row["model"]))


def restatement(
    before: pa.Table, after: pa.Table, *, previous_version: int, at: datetime
) -> Document:
    """What a new version of a report says otherwise, the whole of the period first.

    Args:
        before: the figures of the version before.
        after: those of now.
        previous_version: number of the version before.
        at: when the new one is made.
    """
    old, new = _by_key(before), _by_key(after)
    changes = [
        {**dict(zip(_KEY, key, strict=True)), "before": old.get(key), "after": new.get(key)}
        for key in dict.fromkeys([*new, *old])
        if old.get(key) != new.get(key)
    ]
    changes.sort(key=lambda change: change["dimension"] != "")
    return {
        "previous_version": previous_version,
        "at": at.isoformat(),
        "changes": changes[:MOST_CHANGES],
        "changes_left_out": max(0, len(changes) - MOST_CHANGES),
    }


def _users(rows: Sequence[Mapping[str, Any]]) -> int:
    """Those of a value's conversations; where none started in the period, of its messages."""
    of = {row["metric"]: row["users"] for row in rows}
    found: int = of["conversations"] or of["messages"]
    return found


def _by_key(figures: pa.Table) -> dict[tuple[Any, ...], float | None]:
    return {tuple(row[name] for name in _KEY): row["figure"] for row in figures.to_pylist()}


def _metrics(rows: Iterable[Mapping[str, Any]]) -> Document:
    found: Document = {name: {} for name, metric in METRICS.items() if metric.per_currency}
    for row in rows:
        name = row["metric"]
        if METRICS[name].per_currency:
            found[name][row["currency"]] = row["figure"]
        else:
            found[name] = _plain(name, row["figure"])
    return {name: found[name] for name in METRICS if name in found}


def _plain(name: str, figure: float | None) -> float | int | None:
    """Whole numbers of what is counted."""
    whole_number = METRICS[name].unit in ("count", "tokens") and figure == round(figure or 0)
    return int(figure) if figure is not None and whole_number else figure


def _by_size(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    metrics = entry["metrics"]
    return (
        -(metrics.get("conversations") or 0),
        -(metrics.get("messages") or 0),
        entry["value"],
    )

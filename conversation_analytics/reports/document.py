"""`report.json`: the figures of a period as one document, with what they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    return _cells(figures.filter(pc.equal(figures["dimension"], "")))["", ""].in_order()


def breakdowns(figures: pa.Table, dimensions: Sequence[str]) -> Document:
    """The metrics of each value of each dimension, the values with most conversations first."""
    found: Document = {dimension: [] for dimension in dimensions}
    for (dimension, value), cell in _cells(figures).items():
        if dimension:
            entry = {"value": value, "users": cell.people, "metrics": cell.in_order()}
            found[dimension].append(entry)
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


def _by_key(figures: pa.Table) -> dict[tuple[Any, ...], float | None]:
    keys = zip(*(figures[name].to_pylist() for name in _KEY), strict=True)
    return dict(zip(keys, figures["figure"].to_pylist(), strict=True))


@dataclass
class _Cell:
    """The metrics of a value, and the users that each is of."""

    metrics: Document = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)

    @property
    def people(self) -> int:
        """Those of its conversations; where none started in the period, of its messages."""
        return self.users["conversations"] or self.users["messages"]

    def in_order(self) -> Document:
        """The metrics as they are defined, those of money by currency even if there is none."""
        return {
            name: self.metrics.get(name, {}) if metric.per_currency else self.metrics[name]
            for name, metric in METRICS.items()
            if metric.per_currency or name in self.metrics
        }


def _cells(figures: pa.Table) -> dict[tuple[str, str], _Cell]:
    """By dimension and value."""
    found: dict[tuple[str, str], _Cell] = {}
    columns = (figures[name].to_pylist() for name in (*_KEY, "figure", "users"))
    for dimension, value, metric, currency, figure, users in zip(*columns, strict=True):
        cell = found.get((dimension, value))
        if cell is None:
            cell = found[dimension, value] = _Cell()
        cell.users[metric] = users
        if METRICS[metric].per_currency:
            cell.metrics.setdefault(metric, {})[currency] = figure
        else:
            cell.metrics[metric] = _plain(metric, figure)
    return found


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

"""Topics and intents: how many conversations each has, within which it lies, which grew most."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from conversation_analytics.api.dashboard.shelf import Choice, Document
from conversation_analytics.categorization.taxonomy import (
    DEFAULT_FILE,
    Section,
    TaxonomyTask,
    load_taxonomy,
)
from conversation_analytics.errors import LabelledDataInvalid, TaxonomyInvalid
from conversation_analytics.reports.page import numbers
from conversation_analytics.reports.page.breakdowns import LAST, Row, breakdown
from conversation_analytics.reports.page.figures import change_of, value_of
from conversation_analytics.schemas.metric import Metric
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics.settings import Settings

logger = logging.getLogger(__name__)

TASKS: Final[tuple[TaxonomyTask, ...]] = ("topic", "intent")
_COMPARED: Final = (
    "conversations",
    "avg_messages_per_conversation",
    "escalation_rate",
    "sentiment_negative_share",
    "error_rate",
    "latency_p95_ms",
)


@dataclass(frozen=True)
class Node:
    """A label in the tree of its taxonomy.

    Attributes:
        name: the label.
        depth: how many labels it lies within.
        row: its own figures; null if only labels within it have some.
        total: conversations of it and of all within it; null if nothing is within it.
    """

    name: str
    depth: int
    row: Row | None
    total: int | None


@dataclass(frozen=True)
class Moved:
    """How a value's conversations changed since the period before.

    Attributes:
        sure: whether that can be told from noise.
    """

    name: str
    now: int
    before: int
    interval: tuple[float, float] | None
    sure: bool

    @property
    def change(self) -> int:
        """By how many."""
        return self.now - self.before


@dataclass(frozen=True)
class Compared:
    """A figure of a value beside that of the period before; numbers are written."""

    title: str
    now: str
    before: str
    change: str


def moves(document: Document, dimension: str) -> list[Moved]:
    """Every named value whose conversations can be compared, the most grown first."""
    entry = change_of(document, "conversations", None) or {}
    counts = {
        str(one["value"]): int(one["metrics"].get("conversations") or 0)
        for one in (document.get("breakdowns") or {}).get(dimension) or []
    }
    found = []
    for one in (entry.get("by") or {}).get(dimension) or []:
        name, change = str(one["value"]), round(one["contribution"])
        if name in LAST:
            continue
        now = counts.get(name, 0)
        low, high = one.get("interval") or (None, None)
        interval = None if low is None or high is None else (float(low), float(high))
        found.append(Moved(name, now, now - change, interval, bool(one["distinguishable"])))
    return sorted(found, key=lambda one: (-one.change, one.name))


def compared(choice: Choice, dimension: str, value: str) -> list[Compared]:
    """Figures of a value beside those of the period before; none if it is in neither."""
    now = entry_of(choice.document, dimension, value)
    before = entry_of(choice.before, dimension, value)
    if now is None and before is None:
        return []
    rows = []
    for name in _COMPARED:
        is_, was = (value_of(one["metrics"], name, None) if one else None for one in (now, before))
        if is_ is not None or was is not None:
            rows.append(_compared(METRICS[name], is_, was))
    users = METRICS["active_users"]
    is_, was = (one.get("users") if one else None for one in (now, before))
    if is_ and was:
        rows.insert(1, replace(_compared(users, is_, was), title="Users"))
    return rows


def entry_of(document: Document | None, dimension: str, value: str) -> Mapping[str, Any] | None:
    """What a report says of a value; null if it says nothing."""
    entries = ((document or {}).get("breakdowns") or {}).get(dimension) or []
    return next((one for one in entries if str(one["value"]) == value), None)


def tree(document: Document, task: TaxonomyTask, section: Section | None) -> list[Node]:
    """The labels of a task, each followed by those within it, the largest first."""
    found = breakdown(document, task)
    rows = {row.value: row for row in (*found.rows, *found.more)}
    parents = {label.name: label.parent for label in section.labels} if section else {}
    return _Tree(rows, parents).nodes()


def sections(settings: Settings) -> Mapping[TaxonomyTask, Section]:
    """The sections of the taxonomy there is now; none if it cannot be read, which is logged."""
    file = settings.taxonomy_file or DEFAULT_FILE
    try:
        return _sections(file, file.stat().st_mtime_ns)
    except (OSError, TaxonomyInvalid, LabelledDataInvalid) as error:
        logger.warning("topics are shown without their order: %s", error)
        return {}


@lru_cache(maxsize=4)
def _sections(file: Path, _changed: int) -> Mapping[TaxonomyTask, Section]:
    return load_taxonomy(file).sections


def _compared(metric: Metric, now: float | None, before: float | None) -> Compared:
    return Compared(
        metric.title,
        numbers.shown(now, metric),
        numbers.shown(before, metric),
        numbers.change(now, before, metric),
    )


class _Tree:
    """Labels and their parents, of those that have figures."""

    def __init__(self, rows: Mapping[str, Row], parents: Mapping[str, str | None]) -> None:
        self._rows = rows
        self._within: dict[str | None, list[str]] = {}
        for name in rows:
            while name not in self._within.get(parents.get(name), []):
                self._within.setdefault(parents.get(name), []).append(name)
                parent = parents.get(name)
                if parent is None:
                    break
                name = parent  # noqa: PLW2901 - up to the root

    def nodes(self) -> list[Node]:
        return self._below(None, 0)

    def _below(self, parent: str | None, depth: int) -> list[Node]:
        found = []
        own = self._within.get(parent, [])
        for name in sorted(own, key=lambda one: (one in LAST, -self._total(one), one)):
            inner = self._below(name, depth + 1)
            total = self._total(name) if inner else None
            found += [Node(name, depth, self._rows.get(name), total), *inner]
        return found

    def _total(self, name: str) -> int:
        row = self._rows.get(name)
        inner = sum(self._total(one) for one in self._within.get(name, []))
        return inner + (row.conversations if row else 0)

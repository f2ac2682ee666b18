"""What other models, taxonomies or corrections change, conversation by conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.categorization.days import labelled
from conversation_analytics.categorization.decisions import UNKNOWN
from conversation_analytics.categorization.labeller import Labeller
from conversation_analytics.schemas import CATEGORIES
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
)

_SHARES = 2**32
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a conversation for a task.

    Attributes:
        labels: the labels, the main one first.
        method: who decided.
        confidence: of the main one.
        why: what led there.
    """

    labels: tuple[str, ...]
    method: str
    confidence: float
    why: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A conversation that gets other labels.

    Attributes:
        day: the day it lives on.
        conversation_id: the conversation.
        task: what the labels tell.
        before: what they were; null if there were none.
        after: what they are; null if there are none.
    """

    day: date
    conversation_id: str
    task: str
    before: Labels | None
    after: Labels | None

    @property
    def step(self) -> tuple[str, str]:
        """The labels before and after, in words."""
        return _words(self.before), _words(self.after)


@dataclass
class Changes:
    """What changes.

    Attributes:
        conversations: conversations there are.
        compared: conversations that were compared.
        changed: conversations with other labels, by task.
        steps: how many go from which labels to which, by task.
        examples: some changes of each step.
    """

    conversations: int = 0
    compared: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    steps: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    examples: dict[tuple[str, str, str], list[Change]] = field(default_factory=dict)

    def add(self, change: Change) -> None:
        """Count a change."""
        self.changed[change.task] += 1
        self.steps.setdefault(change.task, Counter())[change.step] += 1
        some = self.examples.setdefault((change.task, *change.step), [])
        if len(some) < _EXAMPLES:
            some.append(change)


def changes(
    lake: Lake,
    days: Sequence[date],
    before: Labeller | None,
    after: Labeller,
    *,
    tasks: Sequence[str],
    most: int | None = None,
) -> Changes:
    """Compare the labels of conversations.

    Args:
        lake: where the conversations are.
        days: which days.
        before: who labels them before; null for the labels that the lake holds.
        after: who labels them after.
        tasks: which labels.
        most: conversations to look at, about; null for all. Always the same ones.
    """
    known = lake.manifests(CONVERSATIONS_UNIT, days)
    total = sum(manifest.rows for manifest in known.values())
    found = Changes(conversations=total)
    share = 1.0 if most is None or total <= most else most / total
    for day in sorted(known):
        conversations, messages = _some(lake, day, share)
        found.compared += conversations.num_rows
        new = _labels(labelled(after, conversations, messages, tasks), tasks)
        if before is None:
            old = _labels([_held(lake, day)], tasks)
        else:
            old = _labels(labelled(before, conversations, messages, tasks), tasks)
        for id_ in conversations["conversation_id"].to_pylist():
            for task in tasks:
                key = (id_, task)
                was, is_ = old.get(key), new.get(key)
                if _words(was) != _words(is_) and not _was_asked(was, is_):
                    found.add(Change(day, id_, task, was, is_))
    return found


def _some(lake: Lake, day: date, share: float) -> tuple[pa.Table, pa.Table]:
    """Some conversations of a day, always the same, and their messages."""
    tables = [lake.read_day(unit, day) for unit in (CONVERSATIONS_UNIT, MESSAGES_UNIT)]
    schemas = (CONVERSATIONS_UNIT.tables[0], MESSAGES_UNIT.tables[0])
    conversations, messages = (
        found[1][schema.name] if found else schema.empty()
        for found, schema in zip(tables, schemas, strict=True)
    )
    if share < 1:
        ids = conversations["conversation_id"].to_pylist()
        chosen = pa.array([id_ for id_ in ids if _chance(id_) < share], pa.string())
        conversations = conversations.filter(pc.is_in(conversations["conversation_id"], chosen))
        messages = messages.filter(pc.is_in(messages["conversation_id"], chosen))
    return conversations, messages


def _chance(id_: str) -> float:
    digest = blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "little") / _SHARES


def _held(lake: Lake, day: date) -> pa.Table:
    found = lake.read_day(CATEGORIES_UNIT, day, {CATEGORIES.name: CATEGORIES.names})
    return found[1][CATEGORIES.name] if found else CATEGORIES.empty()


def _labels(tables: Iterable[pa.Table], tasks: Sequence[str]) -> dict[tuple[str, str], Labels]:
    """The labels of whole conversations, by conversation and task."""
    found: dict[tuple[str, str], Labels] = {}
    for row in _whole(tables, tasks):
        key, rank = (row["conversation_id"], row["task"]), row["rank"]
        if rank and key in found:
            main = found[key]
            labels = (*main.labels, row["label"])
            found[key] = Labels(labels, main.method, main.confidence, main.why)
        else:
            why = {} if row["details"] is None else orjson.loads(row["details"])
            found[key] = Labels((row["label"],), row["method"], row["confidence"], why)
    return found


def _whole(tables: Iterable[pa.Table], tasks: Sequence[str]) -> Iterator[dict[str, Any]]:
    for table in tables:
        wanted = pc.and_(
            table["message_id"].is_null(), pc.is_in(table["task"], pa.array(tasks, pa.string()))
        )
        rows = table.filter(wanted)
        yield from rows.sort_by("rank").to_pylist()


def _was_asked(before: Labels | None, after: Labels | None) -> bool:
    """Whether an LLM gave the label, and would be asked again where the models are not sure."""
    return bool(before and after and before.method == "llm" and after.labels == (UNKNOWN,))


def _words(said: Labels | None) -> str:
    return ", ".join(said.labels) if said else ""

"""What people say instead: labels that win over every rule and model, and outlive both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from conversation_analytics.categorization.labelled import rows_of
from conversation_analytics.categorization.sentiment import LABELS as SENTIMENTS
from conversation_analytics.categorization.taxonomy import Taxonomy
from conversation_analytics.errors import LabelledDataInvalid
from conversation_analytics.schemas.categories import TASKS

_SINGLE: Final = frozenset({"language", "sentiment", "intent"})
_LEAST_LANGUAGE, _MOST_LANGUAGE = 2, 3


class Target(NamedTuple):
    """What a label is said of.

    Attributes:
        conversation_id: the conversation.
        message_id: the message; null for the whole conversation.
        task: what the label tells.
    """

    conversation_id: str
    message_id: str | None
    task: str


@dataclass(frozen=True)
class Corrections:
    """Labels that people gave.

    Attributes:
        labels: by target, the first the main one.
    """

    labels: Mapping[Target, tuple[str, ...]] = field(default_factory=dict)

    def of(self, conversations: Iterable[str]) -> Corrections:
        """Those of some conversations."""
        wanted = set(conversations)
        return Corrections(
            {target: some for target, some in self.labels.items() if target[0] in wanted}
        )

    def version(self, task: str) -> str:
        """Names the labels of a task; empty if there are none."""
        some = sorted(
            [target.conversation_id, target.message_id or "", *labels]
            for target, labels in self.labels.items()
            if target.task == task
        )
        return blake2b(orjson.dumps(some), digest_size=6).hexdigest() if some else ""


def read_corrections(file: Path | None, taxonomy: Taxonomy) -> Corrections:
    """Read a file of corrections.

    JSON lines or CSV, gzipped or not, with `conversation_id`, `task`, `label` and, for a label of
    one message, `message_id`. A later row replaces an earlier one of the same target; but a
    conversation can have several topics, in the order of the rows.

    Args:
        file: the file; null for no corrections.
        taxonomy: the intents and topics there are.

    Raises:
        LabelledDataInvalid: the file cannot be read as that; names the first wrong row.
    """
    if file is None:
        return Corrections()
    found: dict[Target, tuple[str, ...]] = {}
    for number, row in enumerate(rows_of(file), start=1):
        target, label = _correction(file, number, row, taxonomy)
        if target.task in _SINGLE:
            found[target] = (label,)
        else:
            found[target] = tuple(dict.fromkeys((*found.get(target, ()), label)))
    return Corrections(found)


def _correction(
    file: Path, number: int, row: Mapping[str, Any], taxonomy: Taxonomy
) -> tuple[Target, str]:
    """A row as target and label."""

    def refuse(what: str) -> LabelledDataInvalid:
        return LabelledDataInvalid(f"{file}: row {number} {what}")

    values = {name: row.get(name) for name in ("conversation_id", "message_id", "task", "label")}
    for name in ("conversation_id", "task", "label"):
        if not isinstance(values[name], str) or not values[name]:
            raise refuse(f"has no {name}")
    conversation_id, message_id, task, label = (values[name] or None for name in values)
    if not isinstance(message_id, str | None):
        raise refuse(f"has a message_id that is no text: {message_id!r}")
    if task not in TASKS:
        raise refuse(f"has the task {task!r}, which is none of {', '.join(TASKS)}")
    if not (allowed := _allowed(str(task), str(label), taxonomy)):
        return Target(str(conversation_id), message_id, str(task)), str(label)
    raise refuse(f"has the label {label!r}: {allowed}")


def _allowed(task: str, label: str, taxonomy: Taxonomy) -> str:
    """What a label of the task must be, if it is not that; else nothing."""
    if task == "language":
        fine = label.isalpha() and _LEAST_LANGUAGE <= len(label) <= _MOST_LANGUAGE
        return "" if fine and label.islower() else "a language is a code such as th or en"
    if task == "sentiment":
        return "" if label in SENTIMENTS else f"a sentiment is one of {', '.join(SENTIMENTS)}"
    section = next((one for one in taxonomy.sections.values() if one.task == task), None)
    names = section.names if section else ()
    if label in names:
        return ""
    return f"the taxonomy {taxonomy.file.name} has no {task} of that name"

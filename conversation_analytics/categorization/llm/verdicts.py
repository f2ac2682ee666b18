"""What a workflow's output says of each item: labels that may be given, or what is wrong with it.

Whatever the output is, nothing here raises, and no label but those of the task comes out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

NONE: Final = "none"
"""The answer that no label fits; null says the same, and alone does if a label is called this."""

_MOST_SHOWN = 60
_FAILED: Final = "the LLM failed"

Target: TypeAlias = tuple[str, str]
"""The id of an item and a task."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an LLM says of an item for a task.

    Attributes:
        label: the label; null if none fits, or if what it says cannot be used.
        confidence: its own, 0 to 1.
        invalid: why it cannot be used; null if it can.
    """

    label: str | None = None
    confidence: float = 0.0
    invalid: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        if self.invalid is not None:
            return {"invalid": self.invalid}
        return {"label": self.label, "confidence": self.confidence}


class _Said(NamedTuple):
    """One text, or the whole list, in which an LLM answers.

    Attributes:
        answers: what it says.
        item: the only item it may speak of; null where it is not known which one that is.
        problem: why it cannot be used.
    """

    answers: Sequence[Any] = ()
    item: str | None = None
    problem: str | None = None


def verdicts(labels: Any, wanted: Mapping[Target, Collection[str]]) -> dict[Target, Verdict]:
    """What is said of each item and task, valid or not; nothing of those that failed.

    Args:
        labels: a list of answers, that list as a JSON text, or such a text for each item in the
            order of their ids. Each of those may speak of its own item alone, so that what an LLM
            reads in one item cannot answer for another; null in its place says that the LLM failed.
        wanted: the labels of each item and task that was asked about.
    """
    said = list(_said(labels, sorted({item for item, _ in wanted})))
    found: dict[Target, list[Verdict]] = {}
    for answer in (answer for one in said for answer in one.answers):
        if (target := _target(answer)) and target in wanted:
            found.setdefault(target, []).append(verdict(answer, target[1], wanted[target]))
    problems = {one.item: one.problem for one in said if one.problem}
    failed = {one.item for one in said if one.problem == _FAILED}
    judged = {target: _agreed(some) for target, some in found.items()}
    for target in wanted.keys() - judged.keys():
        if not failed & {target[0], None}:
            why = problems.get(target[0]) or problems.get(None) or "no answer for it"
            judged[target] = Verdict(invalid=why)
    return judged


def verdict(answer: Mapping[str, Any], task: str, labels: Collection[str]) -> Verdict:
    """One answer: an object with a label and a confidence.

    Args:
        answer: the object.
        task: the task, for what is said of mistakes.
        labels: those there are.
    """
    label, confidence = answer.get("label"), _share(answer.get("confidence"))
    if confidence is None:
        said = _words(answer.get("confidence"))
        return Verdict(invalid=f"confidence {said}: must be a number from 0 to 1")
    if isinstance(label, str) and label in labels:
        return Verdict(label, confidence)
    if "label" in answer and label in (None, NONE):
        return Verdict(None, confidence)
    return Verdict(invalid=f"label {_words(label)}: must be one of the {task}s")


def _said(labels: Any, items: Sequence[str]) -> Iterator[_Said]:
    if isinstance(labels, str):
        yield _read(labels)
    elif not isinstance(labels, list):
        yield _Said(problem=f"labels is a {type(labels).__name__} and no list")
    elif all(isinstance(one, str | None) for one in labels):
        owners = items if len(items) == len(labels) else [None] * len(labels)
        for item, text in zip(owners, labels, strict=True):
            yield _of_one_item(_read(text) if text is not None else _Said(problem=_FAILED), item)
    else:
        yield _Said(labels)


def _read(text: str) -> _Said:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _Said(problem=f"the answer is not JSON: {error}")
    if not isinstance(found, list):
        return _Said(problem=f"the answer is a JSON {type(found).__name__} and no list")
    return _Said(found)


def _of_one_item(said: _Said, item: str | None) -> _Said:
    ids = {target[0] for answer in said.answers if (target := _target(answer))}
    if len(ids) > 1 or (item and ids - {item}):
        return _Said(item=item, problem="the answer speaks of other items than its own")
    return said._replace(item=item)


def _target(answer: Any) -> Target | None:
    if not isinstance(answer, dict):
        return None
    id_, task = answer.get("id"), answer.get("task")
    return (id_, task) if isinstance(id_, str) and isinstance(task, str) else None


def _agreed(some: Sequence[Verdict]) -> Verdict:
    first, *others = some
    if any(other != first for other in others):
        return Verdict(invalid="several answers for it that differ")
    return first


def _share(value: Any) -> float | None:
    """A number from 0 to 1; null for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None


def _words(value: Any) -> str:
    """What was said instead, whatever it is."""
    if not isinstance(value, str | float | None):
        return f"of type {type(value).__name__}"
    words = ascii(value)
    return words if len(words) <= _MOST_SHOWN else f"{words[: _MOST_SHOWN - 1]}…"

"""Texts with labels: what models are trained on and measured by."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from conversation_analytics.errors import LabelledDataInvalid

Task = Literal["language", "sentiment", "intent", "topic"]

_FORMATS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text with what it was labelled as.

    Attributes:
        text: the text.
        labels: by task; a task without one was not labelled.
        language: of the text, if known.
        source: the set it comes from.
        split: the part of that set, such as ``train``.
    """

    text: str
    labels: dict[str, str] = field(default_factory=dict)
    language: str | None = None
    source: str = ""
    split: str = ""


def read_labelled(file: Path, task: Task) -> list[Labelled]:
    """The rows of a file that have a label of a task.

    JSON lines or CSV, gzipped or not, with a column `text` and, by preference, `label`, the
    task's own name, or that name inside the object `labels`; `language`, `source` and `split` may
    follow. A label of the task `language` is the language itself.

    Raises:
        LabelledDataInvalid: the file cannot be read as that, or no row has a label; says where.
    """
    found = [row for _, row in labelled_rows(file, task)]
    if not found:
        raise LabelledDataInvalid(
            f"{file}: no row has a label for {task}: looked for `label`, `{task}` and "
            f"`labels.{task}`"
        )
    return found


def labelled_rows(file: Path, task: Task) -> Iterator[tuple[int, Labelled]]:
    """The rows of a file that have a label of a task, if any do, with their numbers from 1.

    Raises:
        LabelledDataInvalid: the file cannot be read as `read_labelled` says; says where.
    """
    for number, row in enumerate(rows_of(file), start=1):
        text = row.get("text")
        if not isinstance(text, str):
            raise LabelledDataInvalid(f"{file}: row {number} has no text in the column `text`")
        if (label := _label(row, task)) is not None:
            yield number, _labelled(row, text, task, label)


def read_texts(file: Path) -> Iterator[str]:
    """The texts of a file, labelled or not; of conversations those that no agent wrote.

    Raises:
        LabelledDataInvalid: the file cannot be read as one; says where.
    """
    for row in rows_of(file):
        text = row.get("text")
        if isinstance(text, str) and row.get("role") != "agent":
            yield text


def _labelled(row: dict[str, Any], text: str, task: Task, label: str) -> Labelled:
    language = row.get("language") or None
    return Labelled(
        text, {task: label}, language, str(row.get("source") or ""), str(row.get("split") or "")
    )


def _label(row: dict[str, Any], task: Task) -> str | None:
    nested = row.get("labels")
    inside = nested if isinstance(nested, dict) else {}
    for value in (row.get("label"), row.get(task), inside.get(task)):
        if isinstance(value, str) and value:
            return value
    return None


def rows_of(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON lines or CSV, gzipped or not.

    Raises:
        LabelledDataInvalid: the file cannot be read as that; says where.
    """
    if not file.name.endswith(_FORMATS):
        raise LabelledDataInvalid(f"{file}: must be one of {', '.join(_FORMATS)}")
    try:
        data = file.read_bytes()
        text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise LabelledDataInvalid(f"{file}: {error}") from error
    if ".csv" in file.suffixes:
        yield from csv.DictReader(io.StringIO(text))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise LabelledDataInvalid(f"{file}: line {number} is not JSON ({error})") from error
        if not isinstance(row, dict):
            raise LabelledDataInvalid(f"{file}: line {number} is no JSON object")
        yield row

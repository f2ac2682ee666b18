"""How often texts of each label are given which: measured once, to correct shares by later.

As a file it is a JSON object:

    {"task": "sentiment", "labels": ["negative", "neutral", "unknown"],
     "counts": [[80, 15, 5], [10, 180, 10], [0, 0, 0]],
     "model_version": "0adffbcdcc9a2032", "data": "labelled.jsonl"}

A row of `counts` is a true label, a column what was said, `unknown` where no label was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError, model_validator

from conversation_analytics.categorization.decisions import UNKNOWN, Decision
from conversation_analytics.categorization.evaluation import OUT_OF_SCOPE
from conversation_analytics.errors import ConfusionInvalid


@dataclass(frozen=True)
class Confusion:
    """What texts of known labels were said to be.

    Attributes:
        task: what the labels tell.
        labels: all that are true or said of any text, in order.
        counts: texts, true labels × labels said.
        model_version: of what said them.
        data: name of the labelled texts.
    """

    task: str
    labels: tuple[str, ...]
    counts: NDArray[np.int64]
    model_version: str
    data: str

    def save(self, path: Path) -> None:
        """Write it as a file.

        Raises:
            OSError: it cannot be written.
        """
        said = {
            "task": self.task,
            "labels": self.labels,
            "counts": self.counts.tolist(),
            "model_version": self.model_version,
            "data": self.data,
        }
        path.write_bytes(orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE))


def confusion_of(
    task: str, true: Sequence[str], said: Sequence[Decision], model_version: str, data: str
) -> Confusion:
    """Count what labelled texts were given; those without any of the labels are `unknown`.

    Args:
        task: what the labels tell.
        true: what each text was labelled as.
        said: what was decided of each.
        model_version: of what decided.
        data: name of the labelled texts.
    """
    are = [UNKNOWN if label in OUT_OF_SCOPE else label for label in true]
    given = [UNKNOWN if one.abstained else one.label for one in said]
    labels = sorted({*are, *given})
    number = {label: place for place, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, ([number[one] for one in are], [number[one] for one in given]), 1)
    return Confusion(task, tuple(labels), counts, model_version, data)


def load_confusion(path: Path) -> Confusion:
    """Read a file of `Confusion.save`.

    Raises:
        ConfusionInvalid: it is missing or not such a file; says what is wrong.
    """
    try:
        said = _File.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ConfusionInvalid(
            f"{path} does not say how often labels are confused: {what}. Write it anew with "
            "`conversation-analytics evaluate --confusion`"
        ) from error
    counts = np.array(said.counts, dtype=np.int64)
    return Confusion(said.task, tuple(said.labels), counts, said.model_version, said.data)


class _File(BaseModel, strict=True):
    task: Literal["language", "topic", "intent", "sentiment"]
    labels: Annotated[list[str], Field(min_length=1)]
    counts: list[list[Annotated[int, Field(ge=0, lt=2**31)]]]
    model_version: str
    data: str

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("a label is there twice")
        if {len(self.counts), *map(len, self.counts)} != {len(self.labels)}:
            raise ValueError(f"counts are not {len(self.labels)} rows of as many")
        return self

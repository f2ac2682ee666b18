"""Labels as rows of the lake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.categorization.chunks import Chunk
from conversation_analytics.categorization.labeller import Labeller
from conversation_analytics.categorization.labelling import Said
from conversation_analytics.schemas import CATEGORIES, CATEGORY_SUMMARIES, TableSchema
from conversation_analytics.schemas.categories import TASKS
from conversation_analytics.schemas.validation import CheckResult
from conversation_analytics.storage.encoding import row_hashes

_UNHASHED = CATEGORIES.arrow.remove(len(CATEGORIES.names) - 1)
_NO_ROWS = _UNHASHED.empty_table()
_CONFIDENCE_DIGITS = 4
# The columns of a conversation's summary that its sentiment's details hold, with their names there.
_TRAJECTORY = {
    "sentiment_score": "score",
    "sentiment_start": "start",
    "sentiment_end": "end",
    "sentiment_change": "change",
    "negative_share": "negative_share",
}


def category_rows(chunk: Chunk, said: Iterable[Said], labeller: Labeller) -> pa.Table:
    """Labels as rows of `schemas.CATEGORIES`, without an order and without hashes.

    Args:
        chunk: the conversations they are of.
        said: the labels.
        labeller: who gave them.
    """
    return pa.concat_tables([_NO_ROWS, *(_rows(chunk, one, labeller) for one in said)])


def _rows(chunk: Chunk, said: Said, labeller: Labeller) -> pa.Table:
    found, task, count = said.decisions, said.task, len(said.decisions)
    numbers = found.numbers
    by_people = pa.array(found.methods == "human")
    times = chunk.started_at if said.whole else chunk.created_at
    columns = {
        "conversation_id": chunk.conversations.take(
            pa.array(numbers if said.whole else chunk.owners[numbers])
        ),
        "message_id": pa.nulls(count) if said.whole else chunk.ids.take(pa.array(numbers)),
        "task": pa.repeat(task, count),
        "label": found.labels,
        "rank": found.ranks,
        "confidence": np.round(found.confidence, _CONFIDENCE_DIGITS),
        "method": found.methods,
        "model_version": pc.if_else(by_people, None, labeller.model_version(task)),
        "taxonomy_version": pa.repeat(pa.scalar(labeller.taxonomy_version(task)), count),
        "abstained": found.abstained,
        "reason": found.reasons,
        "details": [_json(details) for details in found.details.tolist()],
        "created_at": times[numbers],
    }
    return pa.table(
        [_array(columns[field.name], field.type) for field in _UNHASHED], schema=_UNHASHED
    )


def _array(values: Any, type_: pa.DataType) -> pa.Array:
    return values.cast(type_) if isinstance(values, pa.Array) else pa.array(values, type_)


def _json(details: Mapping[str, Any] | None) -> str | None:
    return orjson.dumps(details, option=orjson.OPT_SORT_KEYS).decode() if details else None


def hashed(rows: pa.Table, schema: TableSchema) -> pa.Table:
    """Rows in the order of their schema, with their hashes."""
    # Null comes first, as the nothing it is: a conversation before its messages.
    keys = {
        name: pc.fill_null(rows[name], "") if rows[name].null_count else rows[name]
        for name in schema.order
    }
    places = pc.sort_indices(pa.table(keys), [(name, "ascending") for name in keys])
    rows = rows.take(places)
    hashes = pa.array(row_hashes(rows, schema), pa.string())
    return pa.table([*rows.columns, hashes], schema=schema.arrow)


def summaries(categories: pa.Table) -> pa.Table:
    """One row of `schemas.CATEGORY_SUMMARIES` for each conversation of some categories."""
    whole = categories.filter(categories["message_id"].is_null())
    found: dict[str, dict[str, Any]] = {}
    for row in whole.to_pylist():
        summary = found.setdefault(
            row["conversation_id"], {"conversation_id": row["conversation_id"], "topics": []}
        )
        if not row["abstained"]:
            _add(summary, row)
    rows = list(found.values())
    table = pa.table(
        {
            name: pa.array(
                [row.get(name) for row in rows], CATEGORY_SUMMARIES.arrow.field(name).type
            )
            for name in CATEGORY_SUMMARIES.names[:-1]
        }
    )
    return hashed(table, CATEGORY_SUMMARIES)


def _add(summary: dict[str, Any], row: Mapping[str, Any]) -> None:
    """Put a label of a conversation into its summary."""
    task = row["task"]
    if task == "topic":
        summary["topics"].append(row["label"])
    if row["rank"] == 0:
        summary[task], summary[f"{task}_confidence"] = row["label"], row["confidence"]
    if task == "sentiment":
        details = orjson.loads(row["details"] or "{}")
        summary |= {name: details.get(detail) for name, detail in _TRAJECTORY.items()}


def check_categories(
    categories: pa.Table,
    conversations: pa.Table,
    messages: pa.Table,
    allowed: Mapping[str, Sequence[str]],
) -> CheckResult:
    """Check that every conversation has a label a task, of those allowed, and nothing else has.

    Args:
        categories: the labels.
        conversations: the day's.
        messages: theirs.
        allowed: the labels of each task that has a fixed set.
    """
    ids = conversations["conversation_id"]
    whole = categories.filter(categories["message_id"].is_null())
    problems = []
    for task in TASKS:
        labelled = whole.filter(pc.equal(whole["task"], task))["conversation_id"]
        without = pc.invert(pc.is_in(ids, labelled))
        problems += _described(ids.filter(without), f"conversations without a {task}")
    for column, there in (("conversation_id", ids), ("message_id", messages["message_id"])):
        named = categories[column].drop_null()
        strange = named.filter(pc.invert(pc.is_in(named, there)))
        problems += _described(strange, f"labels of a {column} that is not there")
    for task, labels in allowed.items():
        own = categories.filter(pc.equal(categories["task"], task))["label"]
        wrong = own.filter(pc.invert(pc.is_in(own, pa.array(labels, pa.string()))))
        problems += _described(wrong, f"{task}s that are not among the labels")
    figures = {"conversations": len(ids), "labels": categories.num_rows}
    return CheckResult(
        CATEGORIES.name, "complete", not problems, problems=tuple(problems), figures=figures
    )


def _described(wrong: pa.ChunkedArray, words: str) -> list[str]:
    if not len(wrong):
        return []
    return [f"{len(wrong)} {words}, such as {pc.unique(wrong)[0]}"]

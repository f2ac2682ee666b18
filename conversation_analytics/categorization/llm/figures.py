"""How much an LLM was asked, what it answered, and how often the local models would agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.categorization.llm.step import Asked, LlmStep
from conversation_analytics.schemas.categories import TASKS

PENDING: Final = "_llm_pending"
"""What the count of a task's rows that wait for an answer ends with."""

_COLUMNS: Final = ["task", "method", "reason", "details"]


def llm_counts(step: LlmStep, asked: Asked) -> dict[str, int]:
    """What a day's manifest tells of its LLM labels.

    Returns:
        By task, as in ``intent_llm_asked``: ``of`` the rows that there could be questions about,
        ``asked`` what was, ``answered`` with a label, ``out_of_scope``, ``invalid``, ``pending``,
        ``failed``; ``compared`` the answers that the local models had an idea about, ``agreed``
        those where it was the same. And of all, ``llm_runs`` and ``llm_tokens``.
    """
    rows = asked.rows
    counts: Counter[str] = Counter()
    main = rows.filter(pc.and_(pc.equal(rows["rank"], 0), step.in_scope(rows)))
    for task in step.contract.choices:
        own = main.filter(pc.equal(main["task"], task))
        counts[f"{task}_llm_of"] = own.num_rows
        for what in _what_became(own):
            counts[f"{task}_llm_{what}"] += 1
        counts[f"{task}{PENDING}"] += 0
    return {**counts, "llm_runs": len(asked.runs), "llm_tokens": asked.tokens}


def _what_became(rows: pa.Table) -> list[str]:
    """What is counted of the rows of a task."""
    told = pc.or_(pc.equal(rows["method"], "llm"), pc.match_substring(rows["details"], '"llm":'))
    found: list[str] = []
    for row in rows.select(_COLUMNS).filter(pc.fill_null(told, False)).to_pylist():
        details = orjson.loads(row["details"])
        agrees = details.get("agrees")
        found += ["asked", _outcome(row, details)]
        found += [] if agrees is None else ["compared", *(["agreed"] if agrees else [])]
    return found


def _outcome(row: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    if row["method"] != "llm":
        return str(details["llm"]["status"])
    reasons = {None: "answered", "out_of_scope": "out_of_scope", "llm_invalid": "invalid"}
    return reasons[row["reason"]]


def pending_tasks(counts: Mapping[str, int]) -> list[str]:
    """The tasks of a day with rows that wait for an answer.

    Args:
        counts: of its manifest.
    """
    return [task for task in TASKS if counts.get(f"{task}{PENDING}")]


def llm_figures(counts: Mapping[str, int]) -> dict[str, Any]:
    """What people want to know of a day's LLM labels; empty if there was no LLM.

    Args:
        counts: of its manifest.
    """
    tasks = [task for task in TASKS if f"{task}_llm_of" in counts]
    if not tasks:
        return {}
    figures: dict[str, Any] = {task: _of_task(task, counts) for task in tasks}
    return figures | {"runs": counts["llm_runs"], "tokens": counts["llm_tokens"]}


def _of_task(task: str, counts: Mapping[str, int]) -> dict[str, Any]:
    start = f"{task}_llm_"
    own = {
        name.removeprefix(start): count for name, count in counts.items() if name.startswith(start)
    }
    share = {
        "share_asked": _share(own.get("asked", 0), own["of"]),
        "agreement": _share(own.get("agreed", 0), own.get("compared", 0)),
    }
    return {**own, **share}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None

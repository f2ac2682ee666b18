"""Which rows of a day an LLM is asked about, and what becomes of them.

A conversation is asked about as a whole, by all that is said in it, and a message by itself, so
nothing is rolled up again: a conversation's label and those of its messages come from the same
hand only where both are asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.categorization.decisions import UNKNOWN
from conversation_analytics.categorization.llm.choices import Choices
from conversation_analytics.categorization.llm.contract import CategorizeContract
from conversation_analytics.categorization.llm.texts import conversation_texts, message_texts
from conversation_analytics.categorization.llm.verdicts import Verdict
from conversation_analytics.dify.questions import Asker, Question, Reply

STEP_VERSION: Final = "1"
"""Changes whenever the same answers may make other rows."""

Scope = Literal["conversations", "messages", "all"]

_UNSURE: Final = pa.array(["below_threshold", "unmeasured_language"])
_DIGITS: Final = 4  # of a confidence, as in all other rows
_Row = dict[str, Any]


@dataclass(frozen=True)
class LlmStep:
    """What is asked of an LLM.

    Attributes:
        contract: how.
        scope: whether of conversations, messages or both.
    """

    contract: CategorizeContract
    scope: Scope = "conversations"

    def version(self, task: str) -> str | None:
        """Names all that this step decides a task's rows by; null for tasks it leaves alone."""
        asked = self.contract.task_version(task)
        return asked and f"{asked}/{self.scope}/{STEP_VERSION}"

    def asked_about(self, rows: pa.Table) -> pa.ChunkedArray:
        """Which rows: the main ones whose label the local models are not sure of.

        Args:
            rows: rows of `schemas.CATEGORIES`, with hashes or without.
        """
        tasks = pa.array(list(self.contract.choices), pa.string())
        unsure = pc.and_(rows["abstained"], pc.is_in(rows["reason"], _UNSURE))
        main = pc.and_(pc.equal(rows["rank"], 0), pc.is_in(rows["task"], tasks))
        return pc.and_(pc.and_(main, unsure), self.in_scope(rows))

    def in_scope(self, rows: pa.Table) -> pa.ChunkedArray:
        """Which rows are of what is asked about."""
        whole = rows["message_id"].is_null()
        if self.scope == "all":
            return pc.or_(whole, pc.invert(whole))
        return whole if self.scope == "conversations" else pc.invert(whole)


@dataclass(frozen=True)
class Asked:
    """What became of a day's rows.

    Attributes:
        rows: all of them, as the local models and the LLM have it.
        tokens: of the answers, whenever they were paid for.
        runs: ids of the workflow's runs that gave them.
    """

    rows: pa.Table
    tokens: int
    runs: frozenset[str]


def ask_llm(step: LlmStep, asker: Asker, rows: pa.Table, messages: pa.Table) -> Asked:
    """Ask about what stayed below threshold, and put the answers into the rows.

    A row without an answer stays as the local models left it, with the reason in its details.

    Args:
        step: what is asked.
        asker: who asks, without paying twice.
        rows: a day's labels, as rows of `schemas.CATEGORIES` without hashes.
        messages: the day's, a table of `schemas.MESSAGES`, in its order.

    Raises:
        DifyAccessDenied: the key is wrong.
        DifyAppUnusable: the app or its model is not set up.
        StorageError: the lake cannot be used.
    """
    chosen = step.asked_about(rows)
    unsure: list[_Row] = rows.filter(chosen).to_pylist()
    texts = _texts(unsure, messages)
    questions = [
        step.contract.question(text, row["task"]) if text else None
        for row, text in zip(unsure, texts, strict=True)
    ]
    each = _each_once(questions)
    replies = asker.ask(each) if each else {}
    answered = [
        _answered(row, replies[question.key], step.contract) if question else row
        for row, question in zip(unsure, questions, strict=True)
    ]
    table = pa.concat_tables(
        [rows.filter(pc.invert(chosen)), pa.Table.from_pylist(answered, rows.schema)]
    )
    used = [replies[question.key] for question in each]
    return Asked(
        table,
        sum(reply.total_tokens or 0 for reply in used),
        frozenset(reply.run_id for reply in used if reply.run_id),
    )


def _texts(rows: Sequence[_Row], messages: pa.Table) -> list[str | None]:
    """What each row is about; nothing where nothing is said."""
    owners = [row["conversation_id"] for row in rows if row["message_id"] is None]
    whole = conversation_texts(messages, owners)
    single = message_texts(messages, [id_ for row in rows if (id_ := row["message_id"])])
    return [
        whole.get(row["conversation_id"])
        if row["message_id"] is None
        else single.get(row["message_id"])
        for row in rows
    ]


def _each_once(questions: Iterable[Question | None]) -> list[Question]:
    """The questions, those of one text beside each other, so that they can share an item."""
    found = {question.key: question for question in questions if question}
    return sorted(found.values(), key=lambda one: (one.content["text"], one.content["task"]))


def _answered(row: _Row, reply: Reply, contract: CategorizeContract) -> _Row:
    """A row with what an LLM says of it."""
    local = {name: value for name, value in _details(row).items() if name != "llm"}
    if reply.status != "succeeded":
        waits = {"llm": {"status": reply.status, "why": reply.error or "not asked yet"}}
        return {**row, "details": _json({**local, **waits})}
    verdict = contract.verdict(reply.value, row["task"])
    asked = {**row, "method": "llm", "model_version": contract.workflow}
    if verdict.label is None:
        return {**asked, **_no_label(row, verdict, local)}
    details = _label_details(verdict, contract.choices[row["task"]], _likeliest(row, local))
    return {
        **asked,
        "label": verdict.label,
        "confidence": round(verdict.confidence, _DIGITS),
        "abstained": False,
        "reason": None,
        "details": _json(details),
    }


def _no_label(row: _Row, verdict: Verdict, local: Mapping[str, Any]) -> _Row:
    """What changes where an LLM gives none: its confidence stays that of the likeliest label."""
    before = _likeliest(row, local)
    said: dict[str, Any] = {"invalid": verdict.invalid}
    if verdict.invalid is None:
        said = {
            "confidence": round(verdict.confidence, _DIGITS),
            "agrees": _agrees(verdict, before),
        }
    return {
        "label": UNKNOWN,
        "reason": "out_of_scope" if verdict.invalid is None else "llm_invalid",
        "details": _json({**local, "local": before, **said}),
    }


def _label_details(
    verdict: Verdict, choices: Choices, before: Mapping[str, Any] | None
) -> dict[str, Any]:
    above = choices.ancestors.get(verdict.label or "")
    own = {"local": before, "agrees": _agrees(verdict, before)}
    return {"ancestors": list(above), **own} if above else own


def _agrees(verdict: Verdict, before: Mapping[str, Any] | None) -> bool | None:
    """Whether it is the likeliest label of the local models; null if they have no idea."""
    return None if before is None else before["label"] == verdict.label


def _likeliest(row: _Row, local: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the local models hold likeliest; null if they have no idea."""
    candidate = local.get("candidate")
    return candidate and {"label": candidate, "confidence": row["confidence"]}


def _details(row: _Row) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(row["details"]) if row["details"] else {}
    return found


def _json(details: Mapping[str, Any]) -> str:
    return orjson.dumps(details, option=orjson.OPT_SORT_KEYS).decode()

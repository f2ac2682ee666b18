"""What the workflow that categorises is given, and what it must give back; see `docs/llm.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import orjson

from conversation_analytics.categorization.llm.choices import Choices
from conversation_analytics.categorization.llm.verdicts import Target, Verdict, verdict, verdicts
from conversation_analytics.dify.questions import Question, Unanswered
from conversation_analytics.dify.runs import WorkflowRun

CONTRACT_VERSION: Final = "1"
"""Changes whenever the same text may be asked about in another way."""

INPUTS: Final = ("tasks", "items")
OUTPUT: Final = "labels"

_ID_BYTES = 8


@dataclass(frozen=True)
class CategorizeContract:
    """How texts and tasks become inputs of the workflow, and its output verdicts.

    A question is a text and a task. Those of one text are one item of a call. An item's id is a
    hash of its text and of all others in the call: no text can name one, its own included.

    Attributes:
        version: the user's word for the workflow as it is now, DIFY_CATEGORIZE_VERSION.
        choices: the labels of each task.
    """

    version: str
    choices: Mapping[str, Choices]

    @property
    def workflow(self) -> str:
        """See `Contract`."""
        return f"categorize-{self.version}"

    def task_version(self, task: str) -> str | None:
        """Names all that an answer depends on besides the text; null if the task is not asked."""
        if task not in self.choices:
            return None
        return f"{self.workflow}/{CONTRACT_VERSION}/{self.choices[task].version}"

    def question(self, text: str, task: str) -> Question:
        """What a text is to be labelled with for a task."""
        decides = [CONTRACT_VERSION, task, self.choices[task].version, text]
        key = blake2b(orjson.dumps(decides), digest_size=16).hexdigest()
        return Question(key, {"task": task, "text": text})

    def inputs(self, questions: Sequence[Question]) -> dict[str, Any]:
        """See `Contract`: ``tasks`` and ``items``, by their ids, both JSON as a text."""
        ids = _ids(questions)
        items: dict[str, dict[str, Any]] = {
            id_: {"id": id_, "tasks": [], "text": text} for text, id_ in ids.items()
        }
        asked = {question.content["task"] for question in questions}
        for id_, task in (_target(question, ids) for question in questions):
            items[id_]["tasks"].append(task)
        tasks = {task: self.choices[task].as_asked() for task in sorted(asked)}
        return {"tasks": _json(tasks), "items": _json([items[id_] for id_ in sorted(items)])}

    def answers(
        self, run: WorkflowRun, questions: Sequence[Question]
    ) -> dict[str, dict[str, Any] | Unanswered]:
        """See `Contract`: a `Verdict` for each question as JSON can hold it.

        An answer that cannot be used is one all the same: asked again, the LLM would most likely
        say the same again, and cost the same. A run without an answer is none.
        """
        labels = run.outputs.get(OUTPUT)
        if labels is None:
            why = f"the workflow gave no output {OUTPUT}"
            nothing = Unanswered(f"{why}: {run.error}" if run.error else why)
            return {question.key: nothing for question in questions}
        ids = _ids(questions)
        targets = {question.key: _target(question, ids) for question in questions}
        wanted = {target: self.choices[target[1]].labels for target in targets.values()}
        found = verdicts(labels, wanted)
        failed = Unanswered("the workflow failed on this item")
        return {
            key: found[target].as_dict() if target in found else failed
            for key, target in targets.items()
        }

    def verdict(self, value: Any, task: str) -> Verdict:
        """An answer that was kept, looked at as if it had just come."""
        answer = value if isinstance(value, dict) else {}
        if isinstance(why := answer.get("invalid"), str):
            return Verdict(invalid=why)
        return verdict(answer, task, self.choices[task].labels)


def _ids(questions: Sequence[Question]) -> dict[str, str]:
    """The id of each text of a call."""
    texts = sorted({question.content["text"] for question in questions})
    all_of_them = blake2b(orjson.dumps(texts), digest_size=blake2b.MAX_KEY_SIZE).digest()
    return {
        text: blake2b(text.encode(), key=all_of_them, digest_size=_ID_BYTES).hexdigest()
        for text in texts
    }


def _target(question: Question, ids: Mapping[str, str]) -> Target:
    return ids[question.content["text"]], question.content["task"]


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()

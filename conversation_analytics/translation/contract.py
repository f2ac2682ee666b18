"""What the workflow that translates is given, and what it gives back; see `docs/translation.md`.

target_language   the code of a language
texts             [{"id": "1", "language": "th", "text": "…"}, …] as JSON in a text
  ─> workflow ─>
translations      [{"id": "1", "text": "…"}, …], as a list or as JSON in a text
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conversation_analytics.dify.questions import Question, Unanswered
from conversation_analytics.dify.runs import WorkflowRun
from conversation_analytics.storage.encoding import digest

TARGET: Final = "target_language"
TEXTS: Final = "texts"
TRANSLATIONS: Final = "translations"

LONGEST: Final = 50_000
"""Characters above which a text is not asked about."""

_DECODER: Final = json.JSONDecoder()
_THOUGHT: Final = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_BEGIN: Final = re.compile(r'\[\s*[{\]]|\{\s*["}]')
_ITEM: Final = re.compile(r"\s*,?\s*(?=\{)")

Answer = str | Unanswered


def question_of(text: str, *, language: str, target: str) -> Question:
    """The question for the translation of a text.

    Args:
        text: the text.
        language: what it is written in; a hint, on which the answer does not depend.
        target: what it is to be translated into.
    """
    key = digest(f"{target}\n{text}".encode())
    return Question(key, {"target": target, "language": language, "text": text})


def by_target(questions: Iterable[Question]) -> list[list[Question]]:
    """Questions that may be asked together: a call is for one target language."""
    found: dict[str, list[Question]] = {}
    for question in questions:
        found.setdefault(question.content["target"], []).append(question)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class TranslationContract:
    """How texts become inputs of the workflow, and its outputs translations.

    Attributes:
        version: of the workflow: with another one, the same texts are asked about anew.
    """

    version: str = "1"

    @property
    def workflow(self) -> str:
        """See `Contract`."""
        return f"translate-{self.version}"

    def inputs(self, questions: Sequence[Question]) -> dict[str, Any]:
        """The inputs for questions of one target language."""
        texts = [
            {"id": id_, "language": one.content["language"], "text": one.content["text"]}
            for id_, one in _numbered(questions)
        ]
        return {
            TARGET: questions[0].content["target"],
            TEXTS: json.dumps(texts, ensure_ascii=False),
        }

    def answers(self, run: WorkflowRun, questions: Sequence[Question]) -> dict[str, Answer]:
        """The translation, or why there is none, by the key of each question."""
        items = _items(run.outputs.get(TRANSLATIONS))
        if items is None:
            nothing = Unanswered(run.error or _no_list(run.outputs))
            return {question.key: nothing for question in questions}
        given: dict[str, list[Any]] = {}
        for id_, text in items:
            given.setdefault(id_, []).append(text)
        return {question.key: _answer(given.get(id_, [])) for id_, question in _numbered(questions)}


def _numbered(questions: Iterable[Question]) -> Iterator[tuple[str, Question]]:
    """Questions with their ids in a call, by their keys: whatever order they are handed over in."""
    by_key = sorted(questions, key=lambda question: question.key)
    return ((str(number), question) for number, question in enumerate(by_key, start=1))


def _answer(given: Sequence[Any]) -> Answer:
    """What to make of all that the workflow gave for one id."""
    if not given:
        return Unanswered("the workflow left this text out")
    text = given[0]
    if any(other != text for other in given[1:]):
        return Unanswered("the workflow gave different translations of this text")
    if not isinstance(text, str):
        return Unanswered("the workflow gave something else than a text")
    if not text.strip():
        return Unanswered("the workflow gave an empty text")
    if not _is_unicode(text):
        return Unanswered("the workflow gave a text that is no Unicode")
    return text


def _is_unicode(text: str) -> bool:
    """Whether it holds no half of a surrogate pair, as JSON may."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_list(outputs: Mapping[str, Any]) -> str:
    if TRANSLATIONS in outputs:
        return f"the workflow's output {TRANSLATIONS!r} is not a JSON list of ids and texts"
    names = ", ".join(sorted(outputs)) or "none"
    return f"the workflow has no output {TRANSLATIONS!r}: its outputs are {names}"


def _items(output: Any) -> list[tuple[str, Any]] | None:
    """Ids and texts, whatever the latter are, in order; null if the output has no such form."""
    found = _parsed(output) if isinstance(output, str) else output
    if isinstance(found, dict) and TRANSLATIONS in found:
        found = found[TRANSLATIONS]
    if isinstance(found, dict):
        found = [found] if {"id", "text"} <= found.keys() else _of_mapping(found)
    if not isinstance(found, list):
        return None
    return [
        (_id(item["id"]), item.get("text"))
        for item in found
        if isinstance(item, dict) and "id" in item
    ]


def _of_mapping(mapping: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"id": id_, "text": text} for id_, text in mapping.items()]


def _id(value: Any) -> str:
    """An id as a text, of which models like to make a number; empty if it can be none."""
    return str(value).strip() if isinstance(value, str | int) else ""


def _parsed(text: str) -> Any:
    """The JSON in a model's answer, whatever is around it; null if there is none.

    Of a list that is cut off, for want of tokens, it is what came before.
    """
    begin = _BEGIN.search(_THOUGHT.sub("", text, count=1))
    if begin is None:
        return None
    text, start = begin.string, begin.start()
    try:
        return _DECODER.raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return _beginning(text, start + 1) if text[start] == "[" else None


def _beginning(text: str, place: int) -> list[Any] | None:
    """The whole items at the beginning of a list, from behind its bracket."""
    items = []
    while item := _ITEM.match(text, place):
        try:
            value, place = _DECODER.raw_decode(text, item.end())
        except (ValueError, RecursionError):
            break
        items.append(value)
    return items or None

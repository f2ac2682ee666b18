"""The ``dify`` shape: the tables of a Dify chat app, where a row is a question and its answer."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from conversation_analytics.generator.conversations import Conversation, Turn
from conversation_analytics.generator.people import Person
from conversation_analytics.generator.profile import Columns, Row, WrongValues
from conversation_analytics.generator.texts import SYSTEM_PROMPT
from conversation_analytics.generator.times import iso

_STAFF_SHARE = 50
"""Every so-manyth conversation is one that staff had with the app in Dify's own console."""

_NAMELESS_SHARE = 40
"""Every so-manyth end user comes without a name, so only Dify's own id tells who it is."""


class DifyRows:
    """Conversations as rows of Dify's tables.

    Every id is a hash of the seed and what it is for, so ids are in no order of time.

    Args:
        seed: of the export.
    """

    messages_deletable = False
    columns = Columns(
        conversation_id="id", message_id="id", conversation_text="name", message_text="query"
    )
    wrong_conversation_values: WrongValues = (
        ("name", {"text": "refund"}),
        ("model_id", ["gpt-4o", "gpt-4o-mini"]),
        ("status", {"is": "normal"}),
    )
    wrong_message_values: WrongValues = (
        ("message_tokens", "abc"),
        ("answer_tokens", -5),
        ("query", {"html": "<p>hi</p>"}),
        ("answer", {"html": "<p>hi</p>"}),
        ("total_price", "free"),
        ("provider_response_latency", -2.5),
        ("provider_response_latency", "fast"),
    )

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._apps = tuple(self._uuid("app", number) for number in range(2))

    def conversation_row(self, conversation: Conversation) -> Row:
        """A row of the conversations table."""
        updated = conversation.updated or conversation.ended
        return {
            "id": self.conversation_id(conversation.number),
            **self._shared(conversation),
            "mode": "advanced-chat",
            "name": conversation.title,
            "summary": None,
            "inputs": self._inputs(conversation),
            "status": "normal",
            **self._origin(conversation),
            "dialogue_count": len(conversation.turns) // 2,
            "created_at": iso(conversation.started),
            "updated_at": iso(updated),
            "is_deleted": False,
        }

    def message_rows(self, conversation: Conversation) -> list[Row]:
        """Rows of the messages table, by time, then id."""
        turns = conversation.turns
        asked = [turn.at for turn in turns[::2]]
        ids = self._message_ids(conversation.number, asked)
        shared, origin = self._shared(conversation), self._origin(conversation)
        inputs, model = self._inputs(conversation), conversation.model
        conversation_id = self.conversation_id(conversation.number)
        rows: list[Row] = []
        for position, (question, answer) in enumerate(zip(turns[::2], turns[1::2], strict=True)):
            failed = answer.error is not None
            rows.append(
                {
                    "id": ids[position],
                    **shared,
                    "conversation_id": conversation_id,
                    "inputs": inputs,
                    "query": question.text,
                    "message": _prompt(question, answer),
                    "message_tokens": answer.prompt_tokens,
                    "message_unit_price": f"0.{model.input_price:08d}",
                    "answer": "" if failed else answer.text,
                    "answer_tokens": answer.completion_tokens,
                    "answer_unit_price": f"0.{model.output_price:08d}",
                    "provider_response_latency": round((answer.latency_ms or 0.0) / 1000, 4),
                    "total_price": answer.cost,
                    "currency": conversation.currency,
                    "status": "error" if failed else "normal",
                    "error": answer.error,
                    "message_metadata": _metadata(answer),
                    **origin,
                    "parent_message_id": ids[position - 1] if position else None,
                    "workflow_run_id": self._uuid("run", conversation.number, position),
                    "created_at": iso(question.at),
                    "updated_at": iso(answer.edited_at or question.edited_at or answer.at + 1),
                }
            )
        return rows

    def conversation_id(self, number: int) -> str:
        """The id of a conversation by its number; 0 is nobody's."""
        return self._uuid("conversation", number)

    def _message_ids(self, number: int, asked: list[int]) -> list[str]:
        """Ids of a conversation's rows, those of one second in ascending order."""
        ids = [self._uuid("message", number, position) for position in range(len(asked))]
        begin = 0
        for end in range(1, len(asked) + 1):
            if end == len(asked) or asked[end] != asked[begin]:
                if end - begin > 1:
                    ids[begin:end] = sorted(ids[begin:end])
                begin = end
        return ids

    def _shared(self, conversation: Conversation) -> Row:
        return {
            "app_id": self._apps[conversation.number % len(self._apps)],
            "model_provider": conversation.model.provider,
            "model_id": conversation.model.name,
        }

    def _origin(self, conversation: Conversation) -> Row:
        if self._by_staff(conversation):
            account = self._uuid("account", conversation.number % 3)
            return {
                "from_source": "console",
                "from_end_user_id": None,
                "from_account_id": account,
            }
        end_user = self._uuid("end-user", conversation.person.user_id)
        return {"from_source": "api", "from_end_user_id": end_user, "from_account_id": None}

    def _inputs(self, conversation: Conversation) -> Row:
        person = conversation.person
        inputs: dict[str, Any] = {
            "language": conversation.declared_language,
            "currency": person.language.currency,
            "segment": person.segment,
        }
        if self._by_staff(conversation) or self._nameless(person):
            return inputs
        return {"username": person.user_id, **inputs}

    @staticmethod
    def _by_staff(conversation: Conversation) -> bool:
        return conversation.number % _STAFF_SHARE == 0

    @staticmethod
    def _nameless(person: Person) -> bool:
        return int(person.user_id.removeprefix("u-")) % _NAMELESS_SHARE == 0

    def _uuid(self, *what: object) -> str:
        text = f"{self._seed}:{':'.join(map(str, what))}"
        bits = blake2b(text.encode(), digest_size=16).hexdigest()
        return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"


def _prompt(question: Turn, answer: Turn) -> list[Row]:
    """The prompt as Dify keeps it, without the history that a real one repeats every time."""
    prompt = [
        {"role": "system", "text": SYSTEM_PROMPT, "files": []},
        {"role": "user", "text": question.text, "files": []},
    ]
    if answer.error is None:
        prompt.append({"role": "assistant", "text": answer.text, "files": []})
    return prompt


def _metadata(answer: Turn) -> Row:
    prompt, completion = answer.prompt_tokens or 0, answer.completion_tokens or 0
    return {
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "total_price": answer.cost,
        }
    }

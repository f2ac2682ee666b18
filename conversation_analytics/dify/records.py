"""What is kept of calls: who was asked what, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

State = Literal["asked", "started", "ended", "lost", "refused", "unpaid"]


def _unicode(value: Any) -> Any:
    """A text without halves of surrogate pairs, which Dify's JSON may hold."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_unicode)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def decoded(cls, data: bytes) -> Self:
        """The record in some bytes.

        Raises:
            ValueError: they hold none.
        """
        try:
            return cls.model_validate(json.loads(data))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        except ValidationError as error:
            # Without what is wrong: it may be somebody's text.
            [problem, *_] = error.errors(include_url=False, include_input=False)
            where = ".".join(map(str, problem["loc"])) or "all of it"
            raise ValueError(f"{where}: {problem['msg']}") from None

    def encoded(self) -> bytes:
        """The record as JSON in ASCII, which carries whatever an answer may hold.

        Raises:
            TypeError: an answer is something that JSON cannot hold.
        """
        return json.dumps(vars(self), default=_plain).encode()

    def changed(self, **changes: Any) -> Self:
        """The record with some other values, checked."""
        return type(self)(**{**vars(self), **changes})


class Call(_Record):
    """One call of a workflow.

    Attributes:
        version: of this format.
        state: ``asked`` from before it is made; ``started`` when its run is known; then ``ended``
            if the run is over, ``lost`` if whether one was started cannot be told, ``refused`` if
            Dify turned its inputs down, or ``unpaid`` if nothing came of it for another reason.
        keys: of its questions, in their order.
        contents: of its questions, until it has ended: without all of them nobody could tell which
            part of an answer is for which question.
        asked_at: when it was made.
        until: while it is only ``asked``, until when its process certainly is at it; renewed.
        possibly_repeated: whether an earlier call with these questions was lost.
        run_id: its run, once known.
        task_id: what the run can be stopped by, if known.
        status: what the run ended as, in Dify's words.
        answers: by key, as JSON can hold them.
        errors: why there is no answer, by key.
        error: why there is none to any of them.
        elapsed_seconds: how long the run took by Dify's clock.
        total_tokens: tokens of the run.
        tokens: what of them each key accounts for, by the size of its question.
        price: what the run cost; null if Dify did not say, as when it was read back.
        currency: what the price is in.
        ended_at: when the result came.
    """

    version: int = 1
    state: State = "asked"
    keys: tuple[str, ...]
    contents: dict[str, dict[str, Any]] = {}
    asked_at: datetime
    until: datetime
    possibly_repeated: bool = False
    run_id: Text | None = None
    task_id: Text | None = None
    status: Text | None = None
    answers: dict[str, Any] = {}
    errors: dict[str, Text] = {}
    error: Text | None = None
    elapsed_seconds: float | None = None
    total_tokens: int | None = None
    tokens: dict[str, int] = {}
    price: Decimal | None = None
    currency: Text | None = None
    ended_at: datetime | None = None

    @property
    def counts(self) -> bool:
        """Whether it is one of the attempts that a question has."""
        return self.state != "unpaid"

    @property
    def is_over(self) -> bool:
        """Whether nothing more is written down of it."""
        return self.state not in ("asked", "started")

    def is_under_way(self, now: datetime) -> bool:
        """Whether its result may still come."""
        return self.state == "started" or (self.state == "asked" and now < self.until)

    def is_lost(self, now: datetime) -> bool:
        """Whether nobody will ever tell if a run was started."""
        return self.state == "lost" or (self.state == "asked" and now >= self.until)


class Claim(_Record):
    """That a question is asked by a call, and by no other in the same attempt.

    Attributes:
        call: the call.
        earlier: the calls of the question's earlier attempts.
    """

    call: str
    earlier: tuple[str, ...] = ()


def shares(total: int | None, contents: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """A total divided by size among questions, so that the shares add up to it exactly.

    What rounding down leaves goes to the largest remainders (Hare–Niemeyer).
    """
    if total is None or not contents:
        return {}
    sizes = {key: size_of(content) for key, content in contents.items()}
    whole = sum(sizes.values())
    parts = {key: divmod(total * size, whole) for key, size in sizes.items()}
    left = total - sum(share for share, _ in parts.values())
    most = sorted(parts, key=lambda key: parts[key][1], reverse=True)[:left]
    return {key: share + (key in most) for key, (share, _) in parts.items()}


def size_of(content: Mapping[str, Any]) -> int:
    """Characters of a question's content as JSON."""
    return len(json.dumps(content, ensure_ascii=False))


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")

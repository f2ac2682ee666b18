"""Where a question stands by what the ledger has of it: worked out anew each time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from conversation_analytics.dify.ledger import History
from conversation_analytics.dify.questions import Question, Reply
from conversation_analytics.dify.records import Call

_ANEW = "raise the workflow's version, DIFY_TRANSLATE_VERSION or DIFY_CATEGORIZE_VERSION"
_AGAIN = f"To ask again, raise DIFY_MAX_ATTEMPTS; if you have changed the workflow, {_ANEW}."
_LOST = "whether a run was started, and is to be paid for, cannot be told"
_NEVER_ASKED = Reply(status="pending", error="not asked yet")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a question stands.

    Attributes:
        reply: what to tell of it unless it is asked now.
        under_way: the call whose result is to be waited for, if there is one.
        may_be_asked: whether it may be paid for now.
        repeats: whether that may pay again for what was paid: the last call was lost.
        attempts: how often it was claimed.
        tried: the calls of its attempts that count.
        failures: how many of them were not lost, but gave no usable answer.
    """

    reply: Reply
    under_way: str | None = None
    may_be_asked: bool = False
    repeats: bool = False
    attempts: int = 0
    tried: tuple[str, ...] = ()
    failures: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing more to be done about it."""
        return self.under_way is None and not self.may_be_asked


@dataclass(frozen=True, slots=True)
class Askable:
    """A question that may be asked, and where it stands."""

    question: Question
    standing: Standing


def standing_of(key: str, history: History, now: datetime, *, max_attempts: int) -> Standing:
    """Where a question stands.

    Args:
        key: its key.
        history: what the ledger has of it.
        now: the time.
        max_attempts: most calls that may be made for it.
    """
    for _, call in history.calls:
        if key in call.answers:
            return Standing(reply_of(key, call))
    for id_, call in history.calls:
        if call.is_under_way(now):
            return Standing(reply_of(key, call), under_way=id_)
    tried = tuple((id_, call) for id_, call in history.calls if call.counts)
    if not tried:
        reply = reply_of(key, history.calls[-1][1]) if history.calls else _NEVER_ASKED
        return Standing(reply, may_be_asked=True, attempts=history.attempts)
    last = tried[-1][1]
    lost = last.is_lost(now)
    if lost and last.possibly_repeated:
        why = (
            f"asked twice, and both times {_reason(key, last)} The app's logs in Dify may show it. "
        )
        return Standing(_given_up(key, last, f"{why}To ask again, {_ANEW}."))
    if len(tried) >= max_attempts:
        return Standing(_used_up(key, last, len(tried)))
    return Standing(
        reply_of(key, last),
        may_be_asked=True,
        repeats=lost,
        attempts=history.attempts,
        tried=tuple(id_ for id_, _ in tried),
        failures=sum(not call.is_lost(now) for _, call in tried),
    )


def reply_after(key: str, before: Standing, call: Call, *, max_attempts: int) -> Reply:
    """What to tell of a question by the call that was made for it as it stood.

    Args:
        key: its key.
        before: where it stood.
        call: the call.
        max_attempts: most calls that may be made for it.
    """
    reply = reply_of(key, call)
    tried = len(before.tried) + 1
    if reply.status == "failed" and tried >= max_attempts:
        return _used_up(key, call, tried)
    return reply


def reply_of(key: str, call: Call) -> Reply:
    """What to tell of a question by one call."""
    if key in call.answers:
        return Reply(
            status="succeeded",
            value=call.answers[key],
            run_id=call.run_id,
            elapsed_seconds=call.elapsed_seconds,
            total_tokens=call.tokens.get(key),
            answered_at=call.ended_at,
        )
    if call.state in ("ended", "refused"):
        return _failed(call, _reason(key, call), tokens=call.tokens.get(key))
    return Reply(status="pending", error=_reason(key, call), run_id=call.run_id)


def _reason(key: str, call: Call) -> str:
    """Why a call has no answer to a question, as a sentence."""
    if call.state == "lost" or (call.state == "asked" and call.error is None):
        reason = f"{_LOST}: {call.error or 'its process was stopped'}"
    elif call.state == "started":
        reason = call.error or f"run {call.run_id} goes on"
    else:
        reason = call.errors.get(key) or call.error or "the workflow said nothing"
    return reason if reason.endswith(".") else f"{reason}."


def _used_up(key: str, last: Call, tried: int) -> Reply:
    """What to tell of a question of which no call brought an answer, as often as is allowed."""
    calls = "its call" if tried == 1 else f"{tried} calls"
    why = f"{calls} brought no usable answer, the last: {_reason(key, last)} {_AGAIN}"
    return _given_up(key, last, why)


def _given_up(key: str, last: Call, why: str) -> Reply:
    return replace(_failed(last, why, tokens=last.tokens.get(key)), given_up=True)


def _failed(call: Call, error: str, *, tokens: int | None = None) -> Reply:
    return Reply(
        status="failed",
        error=error,
        run_id=call.run_id,
        elapsed_seconds=call.elapsed_seconds,
        total_tokens=tokens,
        answered_at=call.ended_at,
    )

"""Conversations of a few days with their messages and labels, drawn at random."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from conversation_analytics.reports.relations import FIRST_DAYS
from conversation_analytics.schemas import CATEGORY_SUMMARIES, CONVERSATIONS, MESSAGES

Row = dict[str, Any]

ATTRIBUTES = ("segment", "it's/odd")
USERS = (None, "u1", "u2", "u3", "u4")
_MIDDLE = datetime(2024, 1, 31, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """All there is, as plain rows.

    Attributes:
        first_days: by user, the day of the first message ever; some users are not known.
    """

    conversations: list[Row]
    summaries: list[Row]
    messages: list[Row]
    first_days: dict[str, date]

    @property
    def tables(self) -> dict[str, pa.Table]:
        """What facts are made of, but for the messages."""
        days = {"user_id": list(self.first_days), "first_day": list(self.first_days.values())}
        return {
            "conversations": pa.Table.from_pylist(self.conversations, CONVERSATIONS.arrow),
            "summaries": pa.Table.from_pylist(self.summaries, CATEGORY_SUMMARIES.arrow),
            "first_days": pa.table(days, schema=FIRST_DAYS),
        }

    @property
    def message_table(self) -> pa.Table:
        return pa.Table.from_pylist(self.messages, MESSAGES.arrow)


def conversation(id_: str, at: datetime = _MIDDLE, **changes: Any) -> Row:
    """A conversation; attributes may be a dict."""
    attributes = changes.pop("attributes", {})
    return {
        "conversation_id": id_,
        "user_id": "u1",
        "started_at": at,
        "ended_at": at,
        "message_count": 0,
        "user_message_count": 0,
        "assistant_message_count": 0,
        "duration_seconds": 0.0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "error_count": 0,
        "escalated": False,
        "attributes": json.dumps(attributes),
        "content_hash": "",
        **changes,
    }


def summary(id_: str, **changes: Any) -> Row:
    """What a conversation's categories come to."""
    return {"conversation_id": id_, "topics": [], "content_hash": "", **changes}


def message(
    id_: str, conversation_id: str, at: datetime = _MIDDLE, role: str = "user", **changes: Any
) -> Row:
    """A message."""
    return {
        "message_id": id_,
        "conversation_id": conversation_id,
        "user_id": "u1",
        "role": role,
        "content": "",
        "created_at": at,
        "turn_index": 0,
        "escalated": False,
        "attributes": "{}",
        "content_hash": "",
        **changes,
    }


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from((None, *values))


# Few different times, so that there are ties, and some next to midnight somewhere.
moments = st.builds(
    lambda days, seconds: _MIDDLE + timedelta(days=days, seconds=seconds),
    st.integers(-9, 9),
    st.sampled_from((0, 1, 61_199, 61_200, 43_200, 86_399)),
)
durations = st.none() | st.sampled_from((0.0, 0.5, 2.0)) | st.floats(0, 1e5)
scores = st.none() | st.sampled_from((-1.0, -0.2, 0.0, 0.2, 1.0)) | st.floats(-1, 1)
tokens = st.none() | st.integers(0, 10**6)
money = st.none() | st.decimals(0, 10**6, places=8)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "segment": st.sampled_from(("", "vip", "new", None, True, 7)),
        "it's/odd": st.sampled_from(("a'b", {"c": 1})),
        "language": st.just("not this one"),
    },
)
sums = st.dictionaries(
    st.sampled_from(("None", "USD", "THB")), st.decimals(0, 10**6, places=8), min_size=2
)


@st.composite
def conversations(draw: st.DrawFn, id_: str) -> Row:
    own = draw(attributes)
    price = draw(st.sampled_from(("none", "one", "several")))
    if price == "several":
        own["cost_by_currency"] = {name: str(cost) for name, cost in draw(sums).items()}
    return conversation(
        id_,
        draw(moments),
        user_id=draw(st.sampled_from(USERS)),
        channel=draw(some("web", "")),
        status=draw(some("Resolved", "closed", "open", "normal")),
        model=draw(some("gpt", "claude")),
        language=draw(some("th", "en")),
        message_count=draw(st.integers(0, 9)),
        user_message_count=draw(st.integers(0, 2)),
        duration_seconds=draw(st.floats(0, 1e5)),
        first_response_seconds=draw(durations),
        total_tokens=draw(st.integers(0, 2) | st.integers(0, 10**6)),
        cost=draw(money.filter(lambda cost: cost is not None)) if price == "one" else None,
        currency=draw(some("USD", "THB")) if price == "one" else None,
        feedback_score=draw(scores),
        escalated=draw(st.booleans()),
        attributes=own,
    )


@st.composite
def summaries(draw: st.DrawFn, id_: str) -> Row:
    return summary(
        id_,
        language=draw(some("th", "vi")),
        topic=draw(some("billing", "ไทย")),
        intent=draw(some("ask")),
        sentiment=draw(some("negative", "neutral", "positive")),
        sentiment_score=draw(scores),
        sentiment_change=draw(scores),
    )


@st.composite
def messages(draw: st.DrawFn, id_: str, conversation_id: str, user_id: str | None) -> Row:
    return message(
        id_,
        conversation_id,
        draw(moments),
        draw(st.sampled_from(("user", "assistant", "agent", "tool"))),
        user_id=user_id,
        model=draw(some("gpt", "claude", "")),
        prompt_tokens=draw(tokens),
        completion_tokens=draw(tokens),
        latency_ms=draw(durations),
        response_seconds=draw(durations),
        cost=draw(money),
        currency=draw(some("USD", "THB")),
        error=draw(some("boom", "")),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Conversations of a few users; some are not categorised, some have no message."""
    made = [draw(conversations(f"c{n}")) for n in range(draw(st.integers(0, 6)))]
    labelled = [draw(summaries(one["conversation_id"])) for one in made if draw(st.booleans())]
    said = [
        draw(messages(f"{one['conversation_id']}-{n}", one["conversation_id"], one["user_id"]))
        for one in made
        for n in range(draw(st.integers(0, 4)))
    ]
    known = draw(st.sets(st.sampled_from(USERS[1:])))
    days = {user: draw(st.dates(date(2024, 1, 20), date(2024, 2, 12))) for user in sorted(known)}
    return World(made, labelled, said, days)

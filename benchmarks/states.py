"""A lake that has all that reports read: days drawn at random, committed for real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.product import commit, settings_for
from benchmarks.texts import texts
from conversation_analytics.schemas import (
    CATEGORIES,
    CATEGORY_SUMMARIES,
    CONVERSATIONS,
    MESSAGE_ACTIVITY,
    MESSAGES,
    TableSchema,
)
from conversation_analytics.storage.days import PreparedDay, Request, prepare
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    Unit,
)

Numbers = NDArray[np.int64]

_TURNS = 8  # a conversation has 1 to 7, of a question and an answer each
_LATE = 86_400 - 900  # conversations that start later than this second go on after midnight
_TOPICS = [f"topic_{n:02}" for n in range(30)]
_INTENTS = [f"intent_{n}" for n in range(8)]
_SENTIMENTS = ["negative", "neutral", "positive"]
_LANGUAGES = ["en", "de", "es", "fr", "tr"]
_CHANNELS = ["web", "app", "mail", "phone"]
_MODELS = ["small", "medium", "large"]
_STATUSES = ["open", "closed", "escalated"]
_CURRENCIES = ["EUR", "USD"]


def build(folder: Path, sizes: Mapping[date, int], *, users: int, with_texts: bool = False) -> None:
    """Commit messages' activity, conversations and their labels of some days.

    Args:
        folder: the lake.
        sizes: about how many messages the conversations of each day have.
        users: how many there are to draw from; the more often the lower their number.
        with_texts: whether to commit the messages themselves too; the first day has `RARE` in one.
    """
    lake = open_lake(settings_for(parquet_base_dir=folder))
    for day, messages in sizes.items():
        drawn = _Day.drawn(day, messages, users)
        written = drawn.messages(rare=day == min(sizes)) if with_texts else MESSAGES.empty()
        commit(lake, _units(lake, drawn, written))


def change(folder: Path, day: date, messages: int, *, users: int) -> None:
    """Draw a day again, otherwise than before."""
    lake = open_lake(settings_for(parquet_base_dir=folder))
    commit(lake, _units(lake, _Day.drawn(day, messages, users, seed=1), MESSAGES.empty()))


def _units(lake: Lake, day: _Day, messages: pa.Table) -> Iterator[PreparedDay]:
    """The units of a day, each of which is made once those before it are committed."""
    labels = {CATEGORIES.name: CATEGORIES.empty(), CATEGORY_SUMMARIES.name: day.summaries()}
    activity = {MESSAGES.name: messages, MESSAGE_ACTIVITY.name: day.activity()}
    yield _prepared(lake, MESSAGES_UNIT, day, activity)
    yield _prepared(lake, CONVERSATIONS_UNIT, day, {CONVERSATIONS.name: day.conversations()})
    yield _prepared(lake, CATEGORIES_UNIT, day, labels)


def _prepared(lake: Lake, unit: Unit, day: _Day, tables: dict[str, pa.Table]) -> PreparedDay:
    made_of = {"messages": MESSAGES_UNIT, "conversations": CONVERSATIONS_UNIT}
    read = {name: lake.manifest(made_of[name], day.day) for name in unit.inputs if name in made_of}
    return prepare(
        lake.claim_day(unit, day.day),
        tables,
        lake.options,
        inputs={name: one.content_hash for name, one in read.items() if one},
        request=Request("states", "states").id,
        activity_days=day.active_on if unit is MESSAGES_UNIT else [],
    )


@dataclass(frozen=True)
class _Day:
    """The conversations of a day, and their messages by the day they were made on.

    Attributes:
        day: when they started.
        rng: draws what else they are like.
        user: number of each one's user.
        start: second of the day.
        turns: how many, today and tomorrow.
        model: number of each one's.
        currency: number of each one's.
    """

    day: date
    rng: np.random.Generator
    user: Numbers
    start: Numbers
    turns: tuple[Numbers, Numbers]
    model: Numbers
    currency: Numbers

    @classmethod
    def drawn(cls, day: date, messages: int, users: int, seed: int = 0) -> _Day:
        rng = np.random.default_rng([day.toordinal(), seed])
        count = messages // _TURNS
        start = np.sort(rng.integers(0, 86_400, count))
        turns = rng.integers(1, _TURNS, count)
        tomorrow = np.where(start > _LATE, turns // 2, 0)
        return cls(
            day,
            rng,
            (users * rng.random(count) ** 2).astype(np.int64),
            start,
            (turns - tomorrow, tomorrow),
            rng.integers(0, len(_MODELS), count),
            (rng.random(count) < 0.2).astype(np.int64),
        )

    @property
    def active_on(self) -> list[date]:
        """The days on which messages were made."""
        return [self.day, *([self.day + timedelta(days=1)] if self.turns[1].any() else [])]

    def messages(self, *, rare: bool) -> pa.Table:
        """`messages`: questions and answers in turn, each with a text."""
        count = 2 * (self.turns[0] + self.turns[1])
        at = np.repeat(np.arange(len(count)), count)
        turn = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
        ids, answers = self._ids().take(at), turn % 2 == 1
        latency = pa.array(self.rng.exponential(1000, len(at)), mask=~answers)
        return _table(
            MESSAGES,
            message_id=pc.binary_join_element_wise(ids, pa.array(turn).cast(pa.string()), "-"),
            conversation_id=ids,
            user_id=self._users().take(at),
            role=_named(["user", "assistant"], turn % 2),
            content=texts(self.rng, len(at), rare=rare),
            created_at=self._times(self.start[at] + 10 * turn),
            turn_index=turn,
            response_seconds=latency,
            model=_named(_MODELS, self.model[at], ~answers),
            latency_ms=latency,
            currency=_named(_CURRENCIES, self.currency[at], ~answers),
            escalated=np.zeros(len(at), dtype=np.bool_),
            attributes=pa.array(["{}"] * len(at)),
            content_hash=self._hashes(len(at)),
        )

    def activity(self) -> pa.Table:
        """`message_activity`: a row of questions and one of answers, of each day there are any."""
        parts = [
            (offset, at, role, turns[at])
            for offset, turns in enumerate(self.turns)
            for role in (0, 1)  # the assistant, the user
            for at in [np.flatnonzero(turns)]
        ]
        offset, at, role, turns = (
            np.concatenate([np.broadcast_to(part[n], len(part[1])) for part in parts])
            for n in range(4)
        )
        order = np.lexsort([role, at, offset])
        offset, at, role, turns = offset[order], at[order], role[order], turns[order]
        answers = role == 0
        first = self._times(self.start[at] + offset * (86_400 - self.start[at]))
        tokens = turns * self.rng.integers(50, 500, len(at))
        latency = self._latencies(np.where(answers, turns, 0))
        return _table(
            MESSAGE_ACTIVITY,
            activity_day=pa.array(
                np.datetime64(self.day, "D") + offset.astype("timedelta64[D]"), pa.date32()
            ),
            conversation_id=self._ids().take(at),
            user_id=self._users().take(at),
            role=_named(["assistant", "user"], role),
            model=_named(_MODELS, self.model[at], ~answers),
            currency=_named(_CURRENCIES, self.currency[at], ~answers),
            messages=turns,
            errors=np.where(answers & (self.rng.random(len(at)) < 0.02), 1, 0),
            prompt_tokens=pa.array(tokens * 4, mask=~answers),
            completion_tokens=pa.array(tokens, mask=~answers),
            total_tokens=pa.array(tokens * 5, mask=~answers),
            cost=pa.array(tokens / 10_000, mask=~answers),
            escalated=self.rng.random(len(at)) < 0.05,
            first_at=first,
            last_at=first,
            latency_ms=latency,
            response_seconds=latency,
        )

    def conversations(self) -> pa.Table:
        """`conversations`."""
        count = len(self.user)
        turns = sum(self.turns)
        duration = turns * self.rng.integers(10, 100, count).astype(float)
        return _table(
            CONVERSATIONS,
            conversation_id=self._ids(),
            user_id=self._users(),
            channel=self._drawn(_CHANNELS),
            status=self._drawn(_STATUSES),
            model=_named(_MODELS, self.model),
            started_at=self._times(self.start),
            ended_at=self._times(self.start + duration),
            message_count=2 * turns,
            user_message_count=turns,
            assistant_message_count=turns,
            duration_seconds=duration,
            first_response_seconds=self.rng.exponential(5, count),
            prompt_tokens=turns * 400,
            completion_tokens=turns * 100,
            total_tokens=turns * 500,
            cost=turns / 100,
            currency=_named(_CURRENCIES, self.currency),
            error_count=np.zeros(count, dtype=np.int64),
            feedback_score=pa.array(
                self.rng.choice([-1.0, 1.0], count), mask=self.rng.random(count) < 0.9
            ),
            escalated=self.rng.random(count) < 0.05,
            attributes=pa.array(["{}"] * count),
            content_hash=self._hashes(count),
        )

    def summaries(self) -> pa.Table:
        """`category_summaries`, some without a topic or an intent."""
        count = len(self.user)
        topic = self._drawn(_TOPICS, unknown=0.1)
        start, end = self.rng.uniform(-1, 1, (2, count))
        return _table(
            CATEGORY_SUMMARIES,
            conversation_id=self._ids(),
            language=self._drawn(_LANGUAGES),
            intent=self._drawn(_INTENTS, unknown=0.2),
            topic=topic,
            topics=pa.array([[one] if one else [] for one in topic.to_pylist()]),
            sentiment=self._drawn(_SENTIMENTS),
            sentiment_score=(start + end) / 2,
            sentiment_start=start,
            sentiment_end=end,
            sentiment_change=end - start,
            content_hash=self._hashes(count),
        )

    def _ids(self) -> pa.Array:
        return pa.array([f"{self.day:%Y%m%d}-{n:06}" for n in range(len(self.user))])

    def _users(self) -> pa.Array:
        return pa.array([f"user-{n:07}" for n in self.user.tolist()])

    def _hashes(self, count: int) -> pa.Array:
        """Different ones; nobody reads the rows again to see whether they are right."""
        return pa.array([self.rng.bytes(16).hex() for _ in range(count)])

    def _times(self, seconds: Numbers) -> pa.Array:
        midnight = int(datetime.combine(self.day, time(), UTC).timestamp())
        micros = ((midnight + seconds) * 1_000_000).astype(np.int64)
        return pa.array(micros).cast(pa.timestamp("us", "UTC"))

    def _drawn(self, names: list[str], unknown: float = 0.0) -> pa.Array:
        """Names, those that come first more often."""
        count = len(self.user)
        number = (len(names) * self.rng.random(count) ** 2).astype(np.int64)
        return _named(names, number, self.rng.random(count) < unknown)

    def _latencies(self, counts: Numbers) -> pa.Array:
        """Lists of so many times, each ascending."""
        values = self.rng.exponential(1000, counts.sum())
        row = np.repeat(np.arange(len(counts)), counts)
        offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
        return pa.ListArray.from_arrays(offsets, values[np.lexsort([values, row])])


def _named(names: list[str], numbers: Numbers, null: NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(names).take(pa.array(numbers, mask=null))


def _table(schema: TableSchema, **columns: Any) -> pa.Table:
    """The columns of a schema; those that are not given are null."""
    count = len(columns[schema.key[0]])
    return pa.table(
        [
            _array(columns[field.name]).cast(field.type)
            if field.name in columns
            else pa.nulls(count, field.type)
            for field in schema.arrow
        ],
        schema=schema.arrow,
    )


def _array(values: Any) -> pa.Array:
    return values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)

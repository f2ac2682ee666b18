"""A source that changes in every way at the worst moments, and a lake that follows it.

Whatever happened before, after a sync the lake holds what the rules say, if the source told of its
changes; after a sweep it does in any case.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from conversation_analytics.errors import (
    ConversationAnalyticsError,
    SourceUnavailable,
    StoreUnavailable,
)
from conversation_analytics.partitions import days_between
from conversation_analytics.storage import lake
from conversation_analytics.storage.failpoints import (
    CLAIM,
    CURSOR,
    INDEX,
    PENDING,
    TIDY,
    handling,
)
from conversation_analytics_tests.builders import Row, conversation, message
from conversation_analytics_tests.chaos import scaled
from conversation_analytics_tests.chaos.disturbances import Killed, memory, nth, raising
from conversation_analytics_tests.sync.follower import Follower
from conversation_analytics_tests.sync.memory_source import Key, Keys, MemorySource
from conversation_analytics_tests.sync.promises import assert_holds_together, assert_is_the_source

START = date(2024, 4, 1)
NOW = datetime(2024, 4, 8, 12, tzinfo=UTC)
DAYS = days_between(START, NOW.date())
LAG = 5.0

conversation_ids = st.sampled_from(["c0", "c1", "c2", "c3"])
some = st.integers(0, 20)  # which of the rows there are
tables = st.sampled_from(["conversations", "messages"])
times = st.sampled_from([f"{day}T{hour}:00:00+00:00" for day in DAYS for hour in ("00", "10")])
starts = st.one_of(times, st.none())
# Most writes are seen at once; a transaction that takes long shows its rows later.
seen_after = st.sampled_from([0.0, 0.0, 0.0, 3.0, 20.0])
bad_values: dict[str, list[Row]] = {
    "conversations": [{"created_at": "yesterday"}, {"title": {"no": "text"}}],
    "messages": [{"created_at": "1999-12-31T00:00:00+00:00"}, {"role": "robot"}],
}
good_values = {
    "conversations": {"created_at": "2024-04-03T10:00:00+00:00", "title": "A question"},
    "messages": {"created_at": "2024-04-03T10:00:00+00:00", "role": "user"},
}


class SourceAndLake(RuleBasedStateMachine):
    """What can happen to a source and to the lake that follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sync-", dir=memory()))
        self.numbers = count(1)
        self.untold = 0  # changes that a look at the changes cannot find
        self.swept = 0  # those of them that were there at the last sweep
        self.since_followed = 0  # changes since something followed the source
        self.gone: list[tuple[str, Row]] = []
        self.zombie: Iterator[None] | None = None

    @initialize(
        keys=st.sampled_from(["integer", "uuid", "own"]),
        page_rows=st.sampled_from([2, 3, 100]),
        by_days=st.booleans(),
        merge=st.booleans(),
    )
    def begin(self, keys: Keys, page_rows: int, by_days: bool, merge: bool) -> None:
        self.keys = keys
        self.source = MemorySource(keys=keys, page_rows=page_rows, clock=NOW)
        self.source.on_change = self._told
        values = {"partitions_start_date": START, "sync_lag_seconds": LAG, "io_threads": 1}
        self.follower = Follower(self.folder, self.source, values, by_days, merge)
        self.source.insert("conversations", conversation("c0", "2024-04-02T10:00:00+00:00"))
        self.source.insert("messages", message("m0", "c0", "2024-04-02T10:00:00+00:00"))

    def teardown(self) -> None:
        self.zombie = None
        shutil.rmtree(self.folder)

    # ---- the source changes

    @rule(id_=conversation_ids, at=starts, late=seen_after)
    def insert_conversation(self, id_: str, at: str | None, late: float) -> None:
        self._insert("conversations", conversation(id_, at), late)

    @rule(id_=conversation_ids, at=starts, bad=st.integers(0, 1))
    def insert_a_conversation_that_cannot_be_used(self, id_: str, at: str | None, bad: int) -> None:
        self._insert("conversations", {**conversation(id_, at), **bad_values["conversations"][bad]})

    @rule(owner=conversation_ids, at=times, late=seen_after)
    def insert_message(self, owner: str, at: str, late: float) -> None:
        self._insert("messages", self._message(owner, at), late)

    @rule(which=some)
    def insert_a_message_long_after(self, which: int) -> None:
        owner = self._pick("conversations", which)
        if owner is not None:
            id_ = self.source.row("conversations", owner)["conversation_id"]
            self._insert("messages", self._message(id_, self.source.clock.isoformat()))

    @rule(size=st.integers(3, 8), owner=conversation_ids, at=times)
    def insert_many_in_one_second(self, size: int, owner: str, at: str) -> None:
        for _ in range(size):
            self._insert("messages", self._message(owner, at))

    @rule(table=tables, which=some, late=seen_after)
    def edit(self, table: Any, which: int, late: float) -> None:
        column = "title" if table == "conversations" else "content"
        self._edit(table, which, late, **{column: f"edited {next(self.numbers)}"})

    @rule(which=some, at=starts)
    def move_a_start(self, which: int, at: str | None) -> None:
        self._edit("conversations", which, created_at=at)

    @rule(which=some, owner=conversation_ids)
    def give_a_message_to_another_conversation(self, which: int, owner: str) -> None:
        self._edit("messages", which, conversation_id=owner)

    @rule(which=some, id_=conversation_ids)
    def edit_the_id_of_a_conversation(self, which: int, id_: str) -> None:
        if self.keys != "own":
            self._edit("conversations", which, conversation_id=id_)

    @rule(which=some)
    def edit_the_id_of_a_message(self, which: int) -> None:
        # To no other message's: of two on different days a reading of one day sees only one.
        if self.keys != "own":
            self._edit("messages", which, message_id=f"m{next(self.numbers)}")

    @rule(table=tables, which=some, deleted=st.booleans())
    def say_that_a_row_is_deleted_or_not(self, table: Any, which: int, deleted: bool) -> None:
        self._edit(table, which, is_deleted=deleted)

    @rule(table=tables, which=some, bad=st.integers(0, 1))
    def spoil_a_value(self, table: Any, which: int, bad: int) -> None:
        self._edit(table, which, **bad_values[table][bad])

    @rule(table=tables, which=some)
    def mend_the_values(self, table: Any, which: int) -> None:
        self._edit(table, which, **good_values[table])

    @rule(table=tables, which=some)
    def edit_without_a_trace(self, table: Any, which: int) -> None:
        key = self._pick(table, which)
        if key is not None:
            column = "title" if table == "conversations" else "content"
            self.source.edit(table, key, tells=False, **{column: f"secret {next(self.numbers)}"})
            self._untold()

    @rule(table=tables, which=some)
    def delete(self, table: Any, which: int) -> None:
        key = self._pick(table, which)
        if key is not None:
            self.gone.append((table, self.source.row(table, key)))
            self.source.delete(table, key)
            self._untold()

    @precondition(lambda self: self.gone)
    @rule(late=seen_after)
    def insert_what_was_deleted(self, late: float) -> None:
        table, row = self.gone.pop()
        self._insert(table, row, late)

    @rule(seconds=st.sampled_from([0.4, 1.0, 4.0, 30.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.source.advance(seconds)

    @rule(seconds=st.sampled_from([-3600.0, -30.0, -2.0, 2.0, 30.0, 3600.0]))
    def set_the_clock(self, seconds: float) -> None:
        if abs(self.source.clock + timedelta(seconds=seconds) - NOW) < timedelta(hours=11):
            self.source.clock += timedelta(seconds=seconds)
            if seconds < -LAG:
                self._untold()

    # ---- the lake follows

    # Following costs a hundred times as much as a change.
    follows = precondition(lambda self: self.since_followed >= 6)

    @follows
    @rule()
    def sync(self) -> None:
        self._sync()

    @follows
    @rule()
    def sync_twice(self) -> None:
        self._sync()
        self.source.advance(LAG + 1)
        self._sync()
        before = self.follower.epochs()
        self.follower.sync()
        assert self.follower.epochs() == before

    @follows
    @rule()
    def sweep(self) -> None:
        self._sweep()
        self.follower.refresh()
        self._assert_exact()

    @follows
    @rule()
    def look_in_pieces(self) -> None:
        with self._following():
            self.follower.look(seconds=0)

    @follows
    @rule(first=st.sampled_from(DAYS), length=st.integers(1, 3))
    def backfill(self, first: date, length: int) -> None:
        with self._following():
            last = min(first + timedelta(days=length - 1), DAYS[-1])
            self.follower.backfill(days_between(first, last))

    @follows
    @rule(
        at=st.integers(0, 120),
        kind=st.sampled_from([StoreUnavailable, Killed]),
        again=st.booleans(),
    )
    def fail_or_die_while_writing(self, at: int, kind: type[BaseException], again: bool) -> None:
        with self._following(), handling(nth(at, raising(kind))), suppress(Killed):
            self._try_to_sync()
        self._recover(again)

    @follows
    @rule(
        at=st.integers(0, 30),
        kind=st.sampled_from([SourceUnavailable, Killed]),
        again=st.booleans(),
    )
    def fail_or_die_while_reading(self, at: int, kind: type[BaseException], again: bool) -> None:
        with self._following(), self._at_page(at, raising(kind)), suppress(Killed):
            self._try_to_sync()
        self._recover(again)

    @follows
    @rule(at=st.integers(0, 60))
    def sync_while_another_syncs(self, at: int) -> None:
        # Not between the check of a claim and the manifest: no store can do both at once.
        turn = nth(at, self._try_to_sync, among=(CLAIM, PENDING, CURSOR, INDEX, TIDY))
        with self._following(), handling(turn):
            self._try_to_sync()

    @follows
    @rule(at=st.integers(0, 30), table=tables, which=some, to=times)
    def change_what_is_read(self, at: int, table: Any, which: int, to: str) -> None:
        def change() -> None:
            self._edit(table, which, created_at=to)

        with self._following(), self._at_page(at, change):
            self._try_to_sync()

    @precondition(lambda self: self.zombie is None and self.since_followed >= 6)
    @rule(first=st.sampled_from(DAYS))
    def read_days_and_fall_asleep(self, first: date) -> None:
        self.zombie = self.follower.begin(DAYS[DAYS.index(first) :][:3])
        next(self.zombie)

    @precondition(lambda self: self.zombie is not None and self.since_followed >= 6)
    @rule()
    def wake_up_and_write_days(self) -> None:
        with self._following():
            list(self.zombie)
        self.zombie = None

    # ---- inside

    def _message(self, owner: str, at: str) -> Row:
        return message(f"m{next(self.numbers)}", owner, at)

    def _pick(self, table: Any, which: int) -> Key | None:
        keys = self.source.keys(table)
        return keys[which % len(keys)] if keys else None

    def _insert(self, table: Any, row: Row, late: float = 0) -> None:
        own = table[:-1] + "_id"
        if self.keys == "own" and row[own] in {one[own] for one in self.source.rows(table)}:
            return
        if self.keys == "own":
            late = 0.0
        self.source.insert(table, row, seen_after=late)
        self.since_followed += 1

    def _edit(self, table: Any, which: int, late: float = 0, **values: Any) -> None:
        key = self._pick(table, which)
        if key is not None:
            self.source.edit(table, key, seen_after=late, **values)
            self.since_followed += 1

    def _told(self, time: datetime) -> None:
        """A change came into sight: can the next look find it?"""
        cursor = self.follower.cursors.read()
        if cursor is not None:
            mark = max(cursor.mark, cursor.under_way.mark if cursor.under_way else cursor.mark)
            if time < mark.replace(microsecond=0):
                self._untold()

    def _untold(self) -> None:
        self.untold += 1
        self.since_followed += 1

    @contextmanager
    def _following(self) -> Iterator[None]:
        self.since_followed = 0
        yield
        assert_holds_together(self.follower)

    def _sweep(self) -> None:
        untold = self.untold
        self.follower.sweep()
        self.swept = untold

    def _sync(self) -> None:
        """Sync without disturbance: the lake is the source then."""
        with self._following():
            look = self.follower.look()
            if look.sweep:
                self._sweep()
            self.follower.refresh()
        assert self.follower.pending() == []
        self._assert_exact()

    def _try_to_sync(self) -> None:
        with suppress(ConversationAnalyticsError):
            look = self.follower.look()
            if look.sweep:
                self._sweep()
            self.follower.refresh()

    def _assert_exact(self) -> None:
        if self.swept == self.untold:
            assert_is_the_source(self.follower)

    def _recover(self, again: bool) -> None:
        """Start anew; what was under way is asked for again, or not."""
        self.follower.reopen()
        if again:
            self.follower.repeat()
        self.follower.unfinished.clear()

    @contextmanager
    def _at_page(self, number: int, action: Callable[[], None]) -> Iterator[None]:
        handler = nth(number, action, among=("page",))
        self.source.on_page = lambda: handler("page")
        try:
            yield
        finally:
            self.source.on_page = lambda: None


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Failures on purpose are many: nobody reads of them, and nothing waits after one."""
    monkeypatch.setattr(lake, "_READ_PAUSE_SECONDS", 0)
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


class TestSourceAndLake(SourceAndLake.TestCase):  # type: ignore[misc,name-defined]
    settings = settings(
        max_examples=scaled(50, 2_000),
        stateful_step_count=50,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate],  # making an example smaller would take many minutes
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )

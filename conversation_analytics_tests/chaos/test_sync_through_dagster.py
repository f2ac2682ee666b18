"""A source that changes, and a Dagster whose sensor follows it: ticks and runs in any order.

Runs fail, are killed, or wait in the queue while the source goes on changing. Whenever all is
done the lake holds what the rules say, and Dagster shows the days that the lake has.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from conversation_analytics.errors import SourceAccessDenied
from conversation_analytics.partitions import day_key
from conversation_analytics.storage.failpoints import handling
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT
from conversation_analytics_tests.builders import conversation, message
from conversation_analytics_tests.chaos import scaled
from conversation_analytics_tests.dagster.following import START, following
from conversation_analytics_tests.dagster.runs import DAGSTER_WARNS
from conversation_analytics_tests.sync.follower import Follower
from conversation_analytics_tests.sync.promises import assert_holds_together, assert_is_the_source

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)

A_DAY = 24 * 3600.0
MOST_FAILPOINTS = 40

ids = st.sampled_from(["c0", "c1", "c2", "c3"])
some = st.integers(0, 20)  # which of the rows or runs there are
tables = st.sampled_from(["conversations", "messages"])
times = st.sampled_from([f"2024-04-0{day}T10:00:00+00:00" for day in range(1, 7)])


class Killed(BaseException):
    """The process ends here."""


class SourceAndSensor(RuleBasedStateMachine):
    """What can happen to a source, to the sensor that follows it and to its runs."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(tempfile.mkdtemp(prefix="dagster-", dir=_memory()))
        self.stack.callback(shutil.rmtree, folder)
        patch = self.stack.enter_context(pytest.MonkeyPatch.context())
        values = {"partitions_start_date": START, "sync_lag_seconds": 5.0, "io_threads": 1}
        self.home = self.stack.enter_context(following(folder, patch, page_rows=3, **values))
        self.source = self.home.source
        self.follower = Follower(folder / "lake", self.source, values)
        self.numbers = count(1)
        self.queued: list[dg.DagsterRun] = []
        self.untold = False  # whether something changed that only a sweep can find

    def teardown(self) -> None:
        self.stack.close()

    @initialize()
    def begin(self) -> None:
        self.insert_conversation("c0", "2024-04-02T10:00:00+00:00")
        self.insert_message("c0", "2024-04-02T10:00:00+00:00")

    # ---- the source changes

    @rule(id_=ids, at=times)
    def insert_conversation(self, id_: str, at: str) -> None:
        self.source.insert("conversations", conversation(id_, at))
        self.source.advance(1)

    @rule(owner=ids, at=times)
    def insert_message(self, owner: str, at: str) -> None:
        self.source.insert("messages", message(f"m{next(self.numbers)}", owner, at))
        self.source.advance(1)

    @rule(table=tables, which=some)
    def edit(self, table: Any, which: int) -> None:
        column = "title" if table == "conversations" else "content"
        self._edit(table, which, **{column: f"edited {next(self.numbers)}"})

    @rule(which=some, at=times)
    def move(self, which: int, at: str) -> None:
        self._edit("conversations", which, created_at=at)

    @rule(table=tables, which=some)
    def delete(self, table: Any, which: int) -> None:
        keys = self.source.keys(table)
        if keys:
            self.source.delete(table, keys[which % len(keys)])
            self.untold = True

    # ---- Dagster goes on

    @rule()
    def tick(self) -> None:
        self.home.sleep(10)
        requests = self.home.tick().run_requests or []
        self.queued += [self.home.queue(request) for request in requests]

    @precondition(lambda self: self.queued)
    @rule(which=some)
    def run(self, which: int) -> None:
        self.home.execute(self._next(which))

    @precondition(lambda self: self.queued)
    @rule(which=some, page=st.integers(0, 4))
    def run_and_fail(self, which: int, page: int) -> None:
        pages = count()

        def refuse() -> None:
            if next(pages) == page:
                raise SourceAccessDenied("on purpose")

        self.source.on_page = refuse
        self.home.execute(self._next(which))
        self.source.on_page = lambda: None

    @precondition(lambda self: self.queued)
    @rule(which=some, moment=st.integers(0, MOST_FAILPOINTS))
    def run_and_be_killed(self, which: int, moment: int) -> None:
        moments = count()

        def die(_: str) -> None:
            if next(moments) == moment:
                raise Killed

        run = self._next(which)
        with suppress(Killed), handling(die):
            self.home.execute(run)
            return
        self.home.kill(run)
        self.follower.reopen()

    @rule()
    def sweep_at_night(self) -> None:
        assert self.home.launch("sweep").is_success

    @rule(swept=st.booleans())
    def settle(self, swept: bool) -> None:
        """Let everything be done that there is to do."""
        while self.queued:
            self.home.execute(self.queued.pop(0))
        if swept:
            assert self.home.launch("sweep").is_success
            self.untold = False
        self.home.sleep(A_DAY / 24)
        self.home.work()
        assert_holds_together(self.follower)
        if not self.untold:
            assert_is_the_source(self.follower)
        # A run that is killed between writing a day and telling so is made good at night.
        assert self.home.launch("maintenance").is_success
        lake = self.home.lake
        shown = self.home.instance.get_materialized_partitions(dg.AssetKey("conversations"))
        assert shown == {day_key(day) for day in lake.days(CONVERSATIONS_UNIT)}

    # ---- inside

    def _edit(self, table: Any, which: int, **new: Any) -> None:
        keys = self.source.keys(table)
        if keys:
            self.source.edit(table, keys[which % len(keys)], **new)
            self.source.advance(1)

    def _next(self, which: int) -> dg.DagsterRun:
        return self.queued.pop(which % len(self.queued))


def _memory() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Failures on purpose are many: nobody reads of them."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class TestSourceAndSensor(SourceAndSensor.TestCase):  # type: ignore[misc,name-defined]
    settings = settings(
        max_examples=scaled(8, 200),
        stateful_step_count=scaled(20, 30),
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        print_blob=True,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )

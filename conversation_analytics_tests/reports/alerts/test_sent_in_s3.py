"""Each event is told once in S3: on a server with conditional writes and on one without."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.periods import parse_period
from conversation_analytics.reports.alerts import sent
from conversation_analytics.reports.alerts.sent import AlertLog, Claim, Standing
from conversation_analytics.storage.s3 import S3Store
from conversation_analytics_tests.chaos.s3_proxy import (
    Fault,
    S3Proxy,
    lost_answer,
    slow_down,
    start_s3_proxy,
)
from conversation_analytics_tests.reports.alerts.simple import WHOLE, report, rule
from conversation_analytics_tests.reports.alerts.told_lake import (
    BUSY,
    DAYS,
    HIGH,
    QUIET,
    ToldLake,
)
from conversation_analytics_tests.services.s3_servers import S3Server
from conversation_analytics_tests.services.webhook import hook
from conversation_analytics_tests.storage.s3_stores import access

pytestmark = pytest.mark.services

FIRST, _, THIRD = DAYS[:3]
TOPICS = {f"topic-{number}": 20 for number in range(6)}
OF_TOPICS = rule(threshold=10, dimension="topic", name="topics")
# Its children look at alerts at the same moment, and end right before or after they post, or when
# they have told all.
TELLING = """
import os, pickle, sys
from conversation_analytics.notifications import Webhook
from conversation_analytics_tests.reports.alerts.test_sent_in_s3 import OF_TOPICS, ToldLake
store, url, ends = pickle.load(sys.stdin.buffer)
def tell(end):
    def post(body):
        if end == "before":
            os._exit(9)
        problem = Webhook(url).post(body)
        if end == "after":
            os._exit(9)
        return problem
    store.conditional  # all have connections before the first looks
    os.close(start[1])
    os.read(start[0], 1)
    ToldLake(OF_TOPICS, store=store).check(post=post)
    os._exit(0)
start = os.pipe()
children = []
for end in ends:
    child = os.fork()
    if not child:
        tell(end)
    children.append(child)
os.close(start[1])
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


class Bucket:
    """A lake in a new bucket, as each process opens it anew."""

    def __init__(self, server: S3Server) -> None:
        self.name = server.new_bucket()
        self.access = access(server)

    def store(self, **changes: Any) -> S3Store:
        return S3Store(replace(self.access, **changes), self.name, "lake")

    def lake(self) -> ToldLake:
        return ToldLake(HIGH, store=self.store())

    def processes(self, url: str, *ends: str) -> list[int]:
        """Let processes of their own look at the same moment; tells how each ended."""
        done = subprocess.run(
            [sys.executable, "-c", TELLING],
            input=pickle.dumps((self.store(), url, ends)),
            capture_output=True,
            timeout=60,
            check=True,
        )
        found: list[int] = json.loads(done.stdout)
        return found


@pytest.fixture(params=["moto_s3", "rclone_s3"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    return Bucket(request.getfixturevalue(request.param))


def test_an_event_is_told_once_withdrawn_once_and_another_one_told(bucket: Bucket) -> None:
    assert bucket.lake().told_after(BUSY) == [("raised", FIRST)]
    assert bucket.lake().told_after(BUSY, BUSY) == []
    assert bucket.lake().told_after(BUSY, QUIET, BUSY) == [("raised", THIRD)]
    assert bucket.lake().told_after(QUIET, QUIET, BUSY) == [("withdrawn", FIRST)]
    assert bucket.lake().told_after(QUIET, QUIET, BUSY) == []


def test_an_event_that_nobody_could_be_told_of_is_told_the_next_time(bucket: Bucket) -> None:
    lake = bucket.lake()
    lake.mail.problem = "it answered 500"
    assert lake.told_after(BUSY) == []
    assert bucket.lake().told_after() == [("raised", FIRST)]
    assert bucket.lake().told_after() == []


# --- at the same moment -------------------------------------------------------------------------


def told_by_processes(bucket: Bucket, *ends: str) -> Counter[str]:
    """How often each event was posted, of six, by processes that looked at the same moment."""
    lake = ToldLake(OF_TOPICS, store=bucket.store())
    lake.report(FIRST, report(120, topics=TOPICS))
    with hook(200) as server:
        assert bucket.processes(server.url, *ends) == [0] * len(ends)
    assert lake.told_after() == [], "told again afterwards"
    return Counter(one["id"] for one in server.posted)


def test_processes_of_the_same_moment_tell_once_where_writes_are_conditional(
    moto_s3: S3Server,
) -> None:
    told = told_by_processes(Bucket(moto_s3), "", "", "")
    assert sorted(told.values()) == [1] * len(TOPICS)


def test_elsewhere_each_of_them_tells_once_at_most_and_none_is_left_untold(
    rclone_s3: S3Server,
) -> None:
    told = told_by_processes(Bucket(rclone_s3), "", "", "")
    assert len(told) == len(TOPICS)
    assert max(told.values()) <= 3


class LooksEarly(S3Store):
    """A store that, when it has found no claim, has something else done before it writes one."""

    meanwhile: Callable[[], object] | None = None

    def get(self, key: str) -> bytes | None:
        found = super().get(key)
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return found


def test_where_nothing_is_conditional_who_could_tell_nobody_leaves_what_another_has_told(
    rclone_s3: S3Server,
) -> None:
    bucket = Bucket(rclone_s3)
    store = LooksEarly(bucket.access, bucket.name, "lake")
    event = (parse_period("daily", FIRST), "one", WHOLE)
    log, other = AlertLog(store), AlertLog(bucket.store())
    others: list[Claim | None] = []
    store.meanwhile = lambda: others.append(other.claim(*event, Standing(), "raised"))

    mine = log.claim(*event, Standing(), "raised")
    [theirs] = others
    assert mine is not None
    assert theirs is not None
    log.settle(mine)
    other.release(theirs)
    assert other.standing(*event) == Standing("raised", claims=1)


# --- killed -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "before"), [("before", 0), ("after", 1)])
def test_what_a_process_that_was_killed_had_perhaps_told_is_told_again_after_a_while(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, end: str, before: int
) -> None:
    lake = ToldLake(OF_TOPICS, store=bucket.store())
    lake.report(FIRST, report(120, topics={"refund": 20}))
    with hook(200) as server:
        assert bucket.processes(server.url, end) == [9]
    assert len(server.posted) == before
    assert lake.told_after() == []

    with monkeypatch.context() as patch:
        patch.setattr(sent, "ABANDONED", timedelta(0))
        assert lake.told_after() == [("raised", FIRST)]
    assert {one["id"] for one in server.posted} <= {one["id"] for one in lake.mail.posted}
    assert lake.told_after() == []


# --- a store that fails -------------------------------------------------------------------------

# What a look at an event writes, in this order.
RECORD, CLAIM, SETTLED = 1, 2, 3


@pytest.fixture(scope="module")
def proxy(moto_s3: S3Server) -> Iterator[S3Proxy]:
    with start_s3_proxy(moto_s3.endpoint_url) as running:
        yield running


@pytest.fixture
def disturbed(moto_s3: S3Server, proxy: S3Proxy) -> tuple[Bucket, ToldLake]:
    """A lake with an event, and the same lake as it is reached through the proxy."""
    bucket = Bucket(moto_s3)
    bucket.lake().reports(BUSY)
    store = bucket.store(endpoint_url=proxy.endpoint_url)
    proxy.be_faithful()
    assert store.conditional
    return bucket, ToldLake(HIGH, store=store)


@pytest.mark.parametrize("moment", [RECORD, CLAIM, SETTLED])
@pytest.mark.parametrize("fault", [lost_answer, slow_down])
def test_a_request_that_has_to_be_sent_again_changes_nothing(
    proxy: S3Proxy, disturbed: tuple[Bucket, ToldLake], moment: int, fault: Fault
) -> None:
    bucket, lake = disturbed
    proxy.spoil("PUT", moment, fault)
    assert lake.told_after() == [("raised", FIRST)]
    assert proxy.spoilt == 1
    assert bucket.lake().told_after() == []


@pytest.mark.parametrize("moment", [RECORD, CLAIM])
def test_nobody_is_told_what_cannot_be_written_down_until_it_can(
    proxy: S3Proxy, disturbed: tuple[Bucket, ToldLake], moment: int
) -> None:
    bucket, lake = disturbed
    proxy.spoil("PUT", moment, slow_down, for_good=True)
    with pytest.raises(StoreUnavailable, match=bucket.name):
        lake.check()
    assert lake.mail.told == []
    assert bucket.lake().told_after() == [("raised", FIRST)]


def test_what_was_told_while_the_store_went_away_is_told_again_after_a_while(
    proxy: S3Proxy, disturbed: tuple[Bucket, ToldLake], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, lake = disturbed
    proxy.spoil("PUT", SETTLED, slow_down, for_good=True)
    with pytest.raises(StoreUnavailable, match=bucket.name):
        lake.check()
    assert lake.mail.told == [("raised", FIRST)]

    again = bucket.lake()
    assert again.told_after() == []
    with monkeypatch.context() as patch:
        patch.setattr(sent, "ABANDONED", timedelta(0))
        assert again.told_after() == [("raised", FIRST)]
    assert [one["id"] for one in again.mail.posted] == [one["id"] for one in lake.mail.posted]
    assert again.told_after() == []

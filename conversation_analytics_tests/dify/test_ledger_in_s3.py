"""What the ledger promises in S3, on a server with conditional writes and on one without."""

from __future__ import annotations

from collections import Counter

import pytest

from conversation_analytics.dify.questions import Question
from conversation_analytics.storage import failpoints
from conversation_analytics.storage.failpoints import handling
from conversation_analytics.storage.s3 import S3Store
from conversation_analytics_tests.dify import faults
from conversation_analytics_tests.dify.askers import (
    Killed,
    Killer,
    answered,
    asker_of,
    at_once,
    echoing,
    paid,
    questions,
)
from conversation_analytics_tests.services.dify_contract import DifyContract
from conversation_analytics_tests.services.s3_servers import S3Server
from conversation_analytics_tests.storage.s3_stores import new_store

pytestmark = pytest.mark.services


@pytest.fixture(params=["moto_s3", "rclone_s3"])
def store(request: pytest.FixtureRequest) -> S3Store:
    return new_store(request.getfixturevalue(request.param))


def test_what_is_known_is_not_paid_for_again(store: S3Store) -> None:
    dify, asked = echoing(), questions(6)
    for _ in range(2):
        assert answered(asker_of(dify, store, batch_size=2).ask(asked), asked)
    assert (dify.starts, set(paid(dify).values())) == (3, {1})


def test_a_run_that_was_cut_off_is_read_back_and_not_paid_for_again(store: S3Store) -> None:
    dify, asked = echoing(seconds=60), questions(3)
    dify.faults.append(faults.cut_before_event(2))
    replies = asker_of(dify, store, batch_size=3, run_timeout=0.05).ask(asked)
    assert {(reply.status, reply.run_id) for reply in replies.values()} == {("pending", *dify.runs)}
    for run in dify.runs.values():
        run.end()
    assert answered(asker_of(dify, store).ask(asked), asked)
    assert dify.starts == 1


@pytest.mark.parametrize(
    ("moment", "worst"),
    [
        (failpoints.DIFY_CLAIM, 1),
        (failpoints.DIFY_CALL, 1),
        (failpoints.DIFY_STARTED, 2),
        (failpoints.DIFY_RESULT, 1),
    ],
)
def test_a_caller_that_is_killed_is_repeated_once_at_most(
    store: S3Store, moment: str, worst: int
) -> None:
    dify, asked = echoing(), questions(1)
    with handling(Killer(moment)), pytest.raises(Killed):
        asker_of(dify, store, idle_timeout=0.5).ask(asked)
    assert answered(asker_of(dify, store).ask(asked), asked)
    assert dify.starts == worst


def two_ask_at_once(dify: DifyContract, store: S3Store, asked: list[Question]) -> None:
    """Two ask the same at the same moment, and both are answered."""
    askers = [asker_of(dify, store) for _ in range(2)]
    found = at_once(*(lambda a=asker: a.ask(asked) for asker in askers))
    assert all(answered(replies, asked) for replies in found)


def test_askers_of_the_same_moment_pay_once_where_writes_are_conditional(
    moto_s3: S3Server,
) -> None:
    dify, store, asked = echoing(seconds=0.01), new_store(moto_s3), questions(8)
    two_ask_at_once(dify, store, asked)
    assert paid(dify) == Counter(one.content["text"] for one in asked)


def test_elsewhere_each_of_them_pays_once_at_most_and_nobody_afterwards(
    rclone_s3: S3Server,
) -> None:
    dify, store, asked = echoing(seconds=0.01), new_store(rclone_s3), questions(8)
    two_ask_at_once(dify, store, asked)
    assert set(paid(dify).values()) <= {1, 2}
    calls = len(dify.calls)
    assert answered(asker_of(dify, store).ask(asked), asked)
    assert len(dify.calls) == calls

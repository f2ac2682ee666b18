"""Each event is told once: over restatements, runs at the same moment, and webhooks that fail."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.errors import StorageError
from conversation_analytics.notifications import Webhook
from conversation_analytics.reports.alerts import check, sent
from conversation_analytics.storage.store import LocalStore
from conversation_analytics_tests.dify.askers import MemoryStore
from conversation_analytics_tests.reports.alerts.simple import report, rule
from conversation_analytics_tests.reports.alerts.told_lake import (
    BUSY,
    DAYS,
    HIGH,
    QUIET,
    ToldLake,
)
from conversation_analytics_tests.services.webhook import SECRET, hook

FIRST, SECOND, THIRD, FOURTH, FIFTH = DAYS[:5]


@pytest.fixture
def lake() -> ToldLake:
    return ToldLake()


# --- once ---------------------------------------------------------------------------------------


def test_an_event_is_told_with_all_that_is_known_of_it(lake: ToldLake) -> None:
    lake.reports(QUIET, BUSY, BUSY)
    lake.check()

    (body,) = lake.mail.posted
    assert body["id"].startswith("daily/2024-03-02/one-")
    assert {**body, "id": ""} == {
        "text": "Conversations: 150, above 100, on Saturday, 2 March 2024.",
        "id": "",
        "what": "raised",
        "rule": "one",
        "kind": "above",
        "severity": "warning",
        "grain": "daily",
        "period": SECOND,
        "until": THIRD,
        "metric": "conversations",
        "dimension": None,
        "value": None,
        "currency": None,
        "observed": 150.0,
        "expected": 100.0,
        "report_version": 1,
    }


def test_an_event_that_goes_on_is_told_once_and_again_only_after_it_ended(lake: ToldLake) -> None:
    assert lake.told_after(BUSY) == [("raised", FIRST)]
    assert lake.told_after(BUSY, BUSY) == []
    assert lake.told_after(BUSY, BUSY, QUIET) == []
    assert lake.told_after(BUSY, BUSY, QUIET, BUSY) == [("raised", FOURTH)]
    assert lake.told_after(BUSY, BUSY, QUIET, BUSY, BUSY) == []


def test_an_event_goes_on_over_days_that_cannot_tell(lake: ToldLake) -> None:
    assert lake.told_after(BUSY, None, BUSY) == [("raised", FIRST)]
    assert lake.told_after(BUSY, None, BUSY, BUSY) == []


def test_an_event_that_began_before_what_is_looked_at_is_the_same_event(lake: ToldLake) -> None:
    for key in DAYS[: check.LOOKED_AT["daily"] + 4]:
        lake.report(key, BUSY)
        lake.check()
    assert lake.mail.told == [("raised", FIRST)]


def test_values_and_rules_are_events_of_their_own() -> None:
    of_topics = rule(threshold=10, dimension="topic", name="topics")
    lake = ToldLake(HIGH, of_topics)
    lake.report(FIRST, report(120, topics={"refund": 70, "parcel": 30, "(other)": 20}))
    lake.check()
    lake.check()

    told = [(one["rule"], one["value"]) for one in lake.mail.posted]
    assert told == [("one", None), ("topics", "refund"), ("topics", "parcel")]


def test_only_the_newest_days_that_are_over_are_looked_at(lake: ToldLake) -> None:
    days = check.LOOKED_AT["daily"]
    lake.report("2099-01-01", BUSY)
    told = lake.told_after(BUSY, *[QUIET] * days)
    assert told == []
    assert lake.check().periods[-1].key == DAYS[days]


def test_a_report_made_before_its_day_was_over_tells_nothing_unless_asked_for(
    lake: ToldLake,
) -> None:
    lake.report(FIRST, report(BUSY, over=False, complete=False))
    assert lake.check().alerts == []

    asked = lake.check(period=lake.check().periods[0])
    assert [one.period.key for one in asked.alerts] == [FIRST]


def test_a_dry_run_tells_nobody_and_leaves_no_trace(lake: ToldLake) -> None:
    lake.reports(BUSY)
    found = lake.check(dry_run=True)

    assert len(found.raised) == 1
    assert lake.mail.posted == []
    assert lake.lake.store.list("_alerts/") == []


def test_without_a_webhook_the_log_is_told_once(
    lake: ToldLake, caplog: pytest.LogCaptureFixture
) -> None:
    lake.reports(BUSY)
    for _ in range(2):
        lake.check(post=None)

    (record,) = caplog.records
    assert record.message == "warning: Conversations: 150, above 100, on Friday, 1 March 2024."
    assert record.__dict__["alert"]["what"] == "raised"


# --- restated reports ---------------------------------------------------------------------------


def test_an_event_that_no_longer_fires_is_withdrawn_once(lake: ToldLake) -> None:
    lake.told_after(BUSY, QUIET)
    assert lake.told_after(QUIET, QUIET) == [("withdrawn", FIRST)]
    assert lake.mail.posted[0]["text"].startswith("Withdrawn, since reports have been restated: ")
    assert lake.told_after(QUIET, QUIET) == []
    assert lake.told_after(BUSY, QUIET) == [("raised", FIRST)]
    assert lake.told_after(QUIET, QUIET) == [("withdrawn", FIRST)]


@pytest.mark.parametrize(
    "restated",
    [
        (QUIET, BUSY, BUSY, QUIET, QUIET),  # begins later
        (BUSY, QUIET, BUSY, QUIET, QUIET),  # falls apart
        (BUSY, QUIET, QUIET, QUIET, QUIET),  # ends earlier
        (QUIET, QUIET, BUSY, BUSY, BUSY),  # both
    ],
)
def test_an_event_that_has_other_days_than_before_is_not_told_again(
    lake: ToldLake, restated: tuple[int, ...]
) -> None:
    lake.told_after(BUSY, BUSY, BUSY, QUIET, QUIET)

    assert lake.told_after(*restated) == []
    assert lake.told_after(*[QUIET] * 5) == [("withdrawn", FIRST)]


def test_two_events_that_become_one_are_not_told_again_and_both_withdrawn(lake: ToldLake) -> None:
    assert lake.told_after(BUSY, QUIET, BUSY) == [("raised", FIRST), ("raised", THIRD)]
    assert lake.told_after(BUSY, BUSY, BUSY) == []
    assert lake.told_after(QUIET, QUIET, QUIET) == [("withdrawn", FIRST), ("withdrawn", THIRD)]


def test_an_event_that_nobody_was_told_of_is_not_withdrawn(lake: ToldLake) -> None:
    lake.mail.problem = "it answered 500"
    lake.told_after(BUSY)
    lake.mail.problem = ""

    assert lake.told_after(QUIET) == []


def test_a_rule_that_was_changed_withdraws_nothing(lake: ToldLake) -> None:
    lake.told_after(BUSY)
    lake.rules = (rule(threshold=200),)
    assert lake.told_after(BUSY) == []
    lake.rules = (HIGH,)
    assert lake.told_after(BUSY) == []


def test_a_report_that_can_no_longer_tell_withdraws_nothing() -> None:
    lake = ToldLake(rule("below", threshold=100))
    assert lake.told_after(QUIET) == [("raised", FIRST)]
    lake.report(FIRST, report(QUIET, missing=[FIRST]))
    lake.mail.posted.clear()
    lake.check()
    assert lake.mail.told == []


def test_what_is_looked_at_by_itself_withdraws_nothing_that_may_go_on_later(lake: ToldLake) -> None:
    lake.told_after(BUSY, BUSY)
    lake.reports(QUIET, BUSY)
    lake.mail.posted.clear()
    found = lake.check()
    lake.check(period=found.periods[0])
    assert lake.mail.told == []


steps = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([BUSY, QUIET]), st.booleans()),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_whatever_is_restated_nothing_is_told_twice_and_no_event_is_left_untold(
    story: list[tuple[int, int, bool]],
) -> None:
    lake = ToldLake()
    days: dict[int, int] = {}
    for day, conversations, works in story:
        lake.mail.problem = "" if works else "it answered 500"
        days[day] = conversations
        lake.report(DAYS[day], conversations)
        lake.check()
    lake.mail.problem = ""
    lake.check()

    before = len(lake.mail.posted)
    lake.check()
    assert len(lake.mail.posted) == before, "the same was told again"

    by_event: dict[str, list[str]] = {}
    for body in lake.mail.posted:
        by_event.setdefault(body["id"], []).append(body["what"])
    for told in by_event.values():
        assert told[0] == "raised"
        assert all(len(list(run)) == 1 for _, run in groupby(told)), told

    there = {told[-1] for told in by_event.values()}
    assert ("raised" in there) == (BUSY in days.values())


# --- at the same moment -------------------------------------------------------------------------


@pytest.mark.parametrize("local", [True, False])
def test_of_runs_at_the_same_moment_one_tells(tmp_path: Any, local: bool) -> None:
    store = LocalStore(tmp_path) if local else MemoryStore()
    lakes = [ToldLake(HIGH, store=store) for _ in range(4)]
    lakes[0].reports(BUSY, BUSY)
    together = threading.Barrier(len(lakes))

    def look(lake: ToldLake) -> None:
        together.wait()
        lake.check()

    threads = [threading.Thread(target=look, args=[lake]) for lake in lakes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(len(lake.mail.posted) for lake in lakes) == 1


def test_what_another_run_is_about_to_tell_is_left_to_it(lake: ToldLake) -> None:
    lake.reports(BUSY)
    other = ToldLake(HIGH, store=lake.lake.store)
    meanwhile: list[list[str]] = []

    def post(body: Any) -> str:
        found = other.check()
        meanwhile.append([*found.raised, *found.waiting])
        return lake.mail(body)

    lake.check(post=post)

    assert meanwhile == [[]]
    assert other.mail.posted == []
    assert lake.mail.told == [("raised", FIRST)]


def test_what_a_run_that_died_was_about_to_tell_is_told_after_a_while(
    lake: ToldLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.reports(BUSY)

    def die(body: Any) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake.check(post=die)
    lake.check()
    assert lake.mail.posted == []

    monkeypatch.setattr(sent, "ABANDONED", timedelta(0))
    lake.check()
    lake.check()
    assert lake.mail.told == [("raised", FIRST)]


def test_a_damaged_record_is_named(lake: ToldLake) -> None:
    lake.told_after(BUSY)
    (key,) = (one for one in lake.lake.store.list("_alerts/") if one.endswith("record.json"))
    lake.lake.store.put(key, b"{}")

    with pytest.raises(StorageError, match=r"record\.json is damaged: delete it"):
        lake.check()


# --- webhooks -----------------------------------------------------------------------------------


def test_a_webhook_gets_the_alert_over_http(lake: ToldLake) -> None:
    lake.reports(BUSY)
    with hook(200) as server:
        for _ in range(2):
            lake.check(post=Webhook(server.url).post)

    (body,) = server.posted
    assert (body["what"], body["period"], body["observed"]) == ("raised", FIRST, 150.0)


def test_a_webhook_that_fails_is_logged_and_told_the_next_time(
    lake: ToldLake, caplog: pytest.LogCaptureFixture
) -> None:
    lake.reports(BUSY, QUIET, BUSY)
    with hook(500) as server:
        failed = lake.check(post=Webhook(server.url, pause=0).post)
        assert len(server.posted) == 3  # of the first event; the second one waits
        assert len(failed.waiting) == 2
        errors = [one for one in caplog.records if one.levelno == logging.ERROR]
        assert "it answered 500 (3 tries). The alert: Conversations: 150" in errors[0].message
        assert SECRET not in caplog.text

        server.answers[:] = [200]
        server.posted.clear()
        told = lake.check(post=Webhook(server.url, pause=0).post)

    assert [one["period"] for one in server.posted] == [FIRST, THIRD]
    assert told.waiting == []


def test_a_withdrawal_that_could_not_be_told_is_told_the_next_time(lake: ToldLake) -> None:
    lake.told_after(BUSY)
    lake.mail.problem = "it answered 500"
    assert lake.told_after(QUIET) == []
    lake.mail.problem = ""

    assert lake.told_after(QUIET) == [("withdrawn", FIRST)]
    assert lake.told_after(QUIET) == []


def test_a_webhook_that_is_slow_is_not_waited_for(lake: ToldLake) -> None:
    lake.reports(BUSY, QUIET, BUSY)
    with hook(200, slow=0.6) as server:
        began = time.monotonic()
        found = lake.check(post=Webhook(server.url, pause=0, timeout=0.1).post)
        took = time.monotonic() - began

    assert len(found.waiting) == 2
    assert took < 60


def test_after_a_minute_the_rest_is_left_for_the_next_time(
    lake: ToldLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.reports(BUSY, QUIET, BUSY)
    monkeypatch.setattr(check, "MOST_SECONDS", 0.05)

    def post(body: Any) -> str:
        time.sleep(0.1)
        return lake.mail(body)

    assert len(lake.check(post=post).waiting) == 1
    assert lake.told_after() == [("raised", THIRD)]

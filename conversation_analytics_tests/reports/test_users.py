"""Users: what each did, by the day and over all days, against plain loops."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.reports import users
from conversation_analytics.reports.users import NEW_DAYS, user_analytics, users_changed
from conversation_analytics.schemas import USER_ANALYTICS, USER_DAYS
from conversation_analytics.schemas.validation import check_schema
from conversation_analytics.storage.layout import ALL_DAYS, USER_ANALYTICS_UNIT, USER_DAYS_UNIT
from conversation_analytics_tests.builders import Row, conversation, message
from conversation_analytics_tests.reports.reported_lake import (
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    ReportedLake,
    talk,
)


def paid(id_: str, at: str, cost: str, currency: str, user: str = "u1") -> list[Row]:
    return [
        conversation(id_, f"{at}+00:00", user_id=user),
        message(f"{id_}-q", id_, f"{at}+00:00"),
        message(
            f"{id_}-a",
            id_,
            f"{at}+00:00",
            "assistant",
            cost=cost,
            currency=currency,
            prompt_tokens=10,
            completion_tokens=5,
        ),
    ]


@pytest.fixture
def lake(tmp_path: Path) -> ReportedLake:
    made = ReportedLake(tmp_path)
    made.add(
        talk("c1", "2024-01-01T23:59:50", user="u1", answered="2024-01-02T00:00:10"),
        paid("c2", "2024-01-02T10:00:00", "0.25", "USD"),
        paid("c3", "2024-01-02T11:00:00", "7", "THB"),
        paid("c4", "2024-01-03T11:00:00", "8", "THB"),
        talk("c5", "2024-01-03T12:00:00", user="u2"),
    )
    made.run(MONDAY, TUESDAY, WEDNESDAY)
    return made


def by_user(rows: list[Row]) -> dict[str, Row]:
    return {row["user_id"]: row for row in rows}


def test_a_user_is_what_all_conversations_come_to(lake: ReportedLake) -> None:
    found = by_user(lake.users())
    assert found.keys() == {"u1", "u2"}
    one = found["u1"]
    assert (one["conversations"], one["messages"], one["user_messages"]) == (4, 8, 4)
    assert one["total_tokens"] == 45
    assert (one["first_active_day"], one["last_active_day"]) == (MONDAY, WEDNESDAY)
    assert one["active_days"] == 3
    # Most of what cost something was in baht; currencies are never added up.
    assert (one["currency"], one["total_cost"]) == ("THB", Decimal(15))
    assert json.loads(one["costs"]) == {"THB": "15.00000000", "USD": "0.25000000"}
    assert (found["u2"]["currency"], found["u2"]["total_cost"]) == (None, None)
    assert one["is_new"]


def test_only_the_days_that_changed_are_made_anew(lake: ReportedLake) -> None:
    lake.users()
    epochs = {day: lake.manifest("user_days", day).epoch for day in (MONDAY, TUESDAY, WEDNESDAY)}
    lake.add(talk("c6", "2024-01-02T13:00:00", user="u3"))
    lake.run(TUESDAY)
    assert by_user(lake.users()).keys() == {"u1", "u2", "u3"}
    now = {day: lake.manifest("user_days", day).epoch for day in epochs}
    assert now == {**epochs, TUESDAY: epochs[TUESDAY] + 1}
    unchanged = lake.manifest(USER_ANALYTICS_UNIT.name, ALL_DAYS).epoch  # type: ignore[arg-type]
    lake.users()
    assert lake.manifest(USER_ANALYTICS_UNIT.name, ALL_DAYS).epoch == unchanged  # type: ignore[arg-type]


def test_a_user_who_is_gone_from_the_source_is_gone(lake: ReportedLake) -> None:
    lake.users()
    del lake.talks["c5"]
    lake.add()
    lake.run(WEDNESDAY)
    assert by_user(lake.users()).keys() == {"u1"}


def test_a_conversation_of_nobody_is_nobodys(lake: ReportedLake) -> None:
    nobody = talk("c7", "2024-01-02T14:00:00")
    nobody[0]["user_id"] = None
    lake.add(nobody)
    lake.run(TUESDAY)
    assert by_user(lake.users()).keys() == {"u1", "u2"}
    states = lake.table(USER_DAYS_UNIT.name, USER_DAYS.name, TUESDAY)
    assert states["user_id"].to_pylist() == ["u1"]


def test_without_any_day_there_are_no_users(tmp_path: Path) -> None:
    assert ReportedLake(tmp_path).users() == []


DAYS = [date(2024, 1, day) for day in range(1, 15)]
state = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from(["a", "b", "ก"]),
        "conversations": st.integers(1, 5),
        "messages": st.integers(0, 9),
        "active_days": st.lists(st.sampled_from(DAYS), max_size=3, unique=True).map(sorted),
        "topics": st.dictionaries(st.sampled_from("pqrstu"), st.integers(1, 3), max_size=6),
        "costs": st.dictionaries(st.sampled_from(["USD", "THB"]), st.integers(1, 9), max_size=2),
        "sentiments": st.lists(st.sampled_from([-1.0, -0.25, 0.5]), max_size=3),
    }
)


def as_state(row: dict[str, Any]) -> dict[str, Any]:
    counts = dict.fromkeys(
        ("user_messages", "escalations", "errors", "prompt_tokens", "completion_tokens"), 1
    )
    return {
        **counts,
        "user_id": row["user_id"],
        "first_seen": "2024-01-01T00:00:00Z",
        "last_seen": "2024-01-01T00:00:00Z",
        "conversations": row["conversations"],
        "messages": row["messages"],
        "total_tokens": 2,
        "active_days": row["active_days"],
        "costs": [
            {"currency": currency, "cost": Decimal(cost), "messages": cost}
            for currency, cost in sorted(row["costs"].items())
        ],
        "topics": [
            {"topic": topic, "conversations": count}
            for topic, count in sorted(row["topics"].items())
        ],
        "sentiment_sum": sum(row["sentiments"]),
        "sentiment_count": len(row["sentiments"]),
        "feedback_sum": 0.0,
        "feedback_count": 0,
    }


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    moment = pa.scalar(0, pa.timestamp("us", "UTC"))
    states = [{**as_state(row), "first_seen": None, "last_seen": None} for row in rows]
    table = pa.Table.from_pylist(states, schema=USER_DAYS.arrow)
    for name in ("first_seen", "last_seen"):
        place = table.column_names.index(name)
        column = pa.array([moment.as_py()] * len(rows), moment.type)
        table = table.set_column(place, USER_DAYS.arrow.field(place), column)
    return table


@settings(max_examples=60, deadline=None)
@given(st.lists(state, max_size=12))
def test_all_days_come_to_what_plain_loops_say(rows: list[dict[str, Any]]) -> None:
    found = user_analytics(table_of(rows))
    assert check_schema(found, USER_ANALYTICS).problems == ()
    newest = max((day for row in rows for day in row["active_days"]), default=None)
    for one in found.to_pylist():
        own = [row for row in rows if row["user_id"] == one["user_id"]]
        days = {day for row in own for day in row["active_days"]}
        topics: Counter[str] = Counter()
        costs: Counter[str] = Counter()
        for row in own:
            topics.update(row["topics"])
            costs.update(row["costs"])
        sentiments = [value for row in own for value in row["sentiments"]]
        conversations = sum(row["conversations"] for row in own)
        top = sorted(topics, key=lambda topic: (-topics[topic], topic))[:5]
        most = min(costs, key=lambda currency: (-costs[currency], currency), default=None)
        assert one["conversations"] == conversations
        assert one["active_days"] == len(days)
        assert one["first_active_day"] == min(days, default=None)
        assert one["top_topics"] == top
        assert one["currency"] == most
        assert one["total_cost"] == (Decimal(costs[most]) if most else None)
        assert one["avg_messages_per_conversation"] == pytest.approx(
            sum(row["messages"] for row in own) / conversations
        )
        assert one["avg_sentiment"] == (
            pytest.approx(sum(sentiments) / len(sentiments), abs=1e-6) if sentiments else None
        )
        is_new = newest is not None and bool(days) and (newest - min(days)).days < NEW_DAYS
        assert one["is_new"] == is_new
    assert set(found["user_id"].to_pylist()) == {row["user_id"] for row in rows}


@settings(max_examples=20, deadline=None)
@given(st.lists(state, max_size=8), st.randoms())
def test_the_order_of_days_makes_no_difference(rows: list[dict[str, Any]], random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    assert user_analytics(table_of(rows)).equals(user_analytics(table_of(shuffled)))


@settings(max_examples=40, deadline=None)
@given(st.lists(state, max_size=8), st.lists(state, max_size=4), st.lists(state, max_size=4))
def test_summing_up_only_the_users_of_a_changed_day_comes_to_the_same(
    others: list[dict[str, Any]], day: list[dict[str, Any]], now: list[dict[str, Any]]
) -> None:
    changed = {row["user_id"] for row in (*day, *now)}
    theirs = [row for row in (*others, *now) if row["user_id"] in changed]
    before = user_analytics(table_of([*others, *day]))
    found = users_changed(before, pa.array(changed, pa.string()), table_of(theirs))
    assert found.equals(user_analytics(table_of([*others, *now])))


def test_many_states_are_summed_up_in_parts_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    same = {"conversations": 1, "messages": 2, "topics": {}, "costs": {}, "sentiments": [0.5]}
    rows = [{**same, "user_id": f"u{n % 7}", "active_days": [DAYS[n]]} for n in range(14)]
    whole = user_analytics(table_of(rows))
    monkeypatch.setattr(users, "_ROWS_AT_ONCE", 3)
    assert user_analytics(table_of(rows)).equals(whole)


def test_users_are_summed_up_anew_where_it_is_not_known_who_was_there(
    lake: ReportedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversation_analytics.storage.lake._READ_ATTEMPTS", 1)
    before = lake.users()
    folder = lake.settings.parquet_base_dir / "user_analytics/year=2024/month=01/day=03"
    (folder / "user_days.parquet").write_bytes(b"cut off")
    del lake.talks["c5"]
    lake.add()
    lake.run(WEDNESDAY)
    assert by_user(before).keys() - by_user(lake.users()).keys() == {"u2"}

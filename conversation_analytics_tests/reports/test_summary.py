"""Sentences say what the figures say, and nothing of what is not there."""

from __future__ import annotations

from typing import Any

import pytest

from conversation_analytics.reports.pooling import OTHER
from conversation_analytics.reports.summary import sentences
from conversation_analytics.schemas.metrics import METRICS


def document(grain: str = "weekly", **parts: Any) -> dict[str, Any]:
    """A report; a period in which nothing was measured unless parts say otherwise."""
    empty: dict[str, Any] = {"grain": grain, "metrics": dict.fromkeys(METRICS)}
    return empty | parts


def metrics(**known: Any) -> dict[str, Any]:
    return {"metrics": {**dict.fromkeys(METRICS), **known}}


def changed(change: float, *, told: bool = True, **by: Any) -> dict[str, Any]:
    return {"change": change, "interval": [0, 0], "distinguishable": told, "by": by}


def part(value: str, contribution: float, **more: Any) -> dict[str, Any]:
    mix, rate = more.pop("mix", 0), more.pop("rate", contribution)
    return {
        "value": value,
        "contribution": contribution,
        "mix": mix,
        "rate": rate,
        "distinguishable": True,
        **more,
    }


def test_where_nothing_was_measured_little_is_said() -> None:
    assert sentences(document()) == ["There were no conversations."]
    assert sentences({"grain": "daily"}) == ["There were no conversations."]


def test_every_metric_may_be_null_beside_conversations() -> None:
    assert sentences(document(**metrics(conversations=1))) == ["1 conversation started."]


@pytest.mark.parametrize(
    ("missing", "present", "said"),
    [
        ([], ["2024-01-01"], []),
        (["2024-01-01"], [], ["There is no data of 2024-01-01."]),
        (["2024-01-02"], ["2024-01-01"], ["1 of 2 days is missing: 2024-01-02."]),
        (
            ["2024-01-02", "2024-01-03", "2024-01-05"],
            ["2024-01-01", "2024-01-04"],
            ["3 of 5 days are missing: 2024-01-02 to 2024-01-03 and 2024-01-05."],
        ),
    ],
)
def test_days_that_are_missing_come_first(
    missing: list[str], present: list[str], said: list[str]
) -> None:
    found = sentences(document(days_missing=missing, days_present=present))
    assert found == [*said, "There were no conversations."]


@pytest.mark.parametrize(
    ("grain", "now", "previous", "weekday", "said"),
    [
        ("daily", 1234, None, None, "1,234 conversations started."),
        ("daily", 1, 1, None, "1 conversation started, as many as the day before (1)."),
        (
            "daily",
            1100,
            1000,
            1375,
            (
                "1,100 conversations started, 10.0 % more than the day before (1,000)"
                " and 20.0 % fewer than the same weekday a week earlier (1,375)."
            ),
        ),
        ("weekly", 5, 0, None, "5 conversations started, more than the week before (0)."),
        ("monthly", 0, 5, None, "There were no conversations."),
        ("monthly", 5, 8, None, "5 conversations started, 37.5 % fewer than the month before (8)."),
    ],
)
def test_volume_is_compared(
    grain: str, now: int, previous: int | None, weekday: int | None, said: str
) -> None:
    comparisons = {
        "previous": {"key": "x", "metrics": {"conversations": previous}},
        "same_weekday": None if weekday is None else {"metrics": {"conversations": weekday}},
    }
    found = sentences(document(grain, **metrics(conversations=now), comparisons=comparisons))
    assert found == [said]


def test_messages_and_users_are_counted() -> None:
    found = sentences(document(**metrics(messages=1, active_users=1, new_users=1)))
    assert found == ["1 message was written.", "1 user was active, 1 of them new."]
    found = sentences(document(**metrics(messages=2000, active_users=30, new_users=0)))
    assert found == ["2,000 messages were written.", "30 users were active."]


def test_a_change_of_volume_that_may_be_chance_is_called_so() -> None:
    why = {"conversations": changed(3, told=False)}
    found = sentences(document(**metrics(conversations=9), why=why))
    assert found == [
        (
            "9 conversations started."
            " The change from the week before is not distinguishable from noise."
        )
    ]


def test_what_grew_and_fell_most_is_named() -> None:
    by = {
        "topic": [
            part(OTHER, 80),
            part("billing", 45),
            part("orders", 50, distinguishable=False),
            part("refunds", -12),
        ],
        "channel": [part("web", 30)],
        "language": [part("(none)", -7)],
    }
    found = sentences(
        document(**metrics(conversations=9), why={"conversations": changed(40, **by)})
    )
    assert found[1:] == [
        "What grew most: topic “billing” (+45) and channel “web” (+30).",
        "What fell most: topic “refunds” (-12) and no language (-7).",
    ]


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (None, "."),
        ({"change": None}, "."),
        (changed(0), ", as the week before."),
        (
            changed(-0.012, told=False),
            "; the change from the week before (-1.2 points) is not distinguishable from noise.",
        ),
        (changed(0.021), ", 2.1 points more than the week before."),
        (
            changed(0.021, topic=[part("billing", 0.015), part("orders", 0.004)]),
            (
                ", 2.1 points more than the week before."
                " The main driver is topic “billing” (+1.5 points): its rate rose."
            ),
        ),
        (
            changed(
                -0.021,
                topic=[part("billing", 0.015)],
                channel=[part("web", -0.03, mix=-0.03, rate=0)],
            ),
            (
                ", 2.1 points less than the week before."
                " The main driver is channel “web” (-3.0 points): its share of the whole changed."
            ),
        ),
    ],
)
def test_rates_are_told_with_their_main_driver(why: dict[str, Any] | None, said: str) -> None:
    parts = metrics(conversations=9, escalation_rate=0.1234)
    found = sentences(document(**parts, why={"escalation_rate": why}))
    assert found[1:] == [f"12.3 % of conversations were escalated{said}"]


def test_sentiment_errors_and_answers_are_told() -> None:
    parts = metrics(
        conversations=9,
        sentiment_negative_share=0.25,
        error_rate=0.005,
        first_response_p95_seconds=80,
    )
    why = {"first_response_p95_seconds": changed(20)}
    assert sentences(document(**parts, why=why))[1:] == [
        "25.0 % of conversations had a negative sentiment.",
        "95 % of first answers took at most 1 min 20 s, 20.0 s longer than the week before.",
        "0.50 % of the assistant's messages had an error.",
    ]


def test_corrected_sentiment_is_told_with_its_interval() -> None:
    shares = [{"value": "negative", "share": 0.182, "interval": [0.151, 0.214]}]
    found = sentences(document(corrected={"sentiment": {"shares": shares}}))
    assert found[1:] == [
        "Corrected by how often the model is known to err, 18.2 % were negative (15.1 % to 21.4 %)."
    ]
    assert sentences(document(corrected={"sentiment": {"shares": None}})) == sentences(document())


def test_cost_is_told_by_currency() -> None:
    comparisons = {"previous": {"metrics": {"cost": {"USD": 10.0}}}}
    parts = metrics(cost={"USD": 12.5, "THB": 300.0, "EUR": None, "(none)": 1.0})
    assert sentences(document(**parts, comparisons=comparisons))[1:] == [
        "Models cost 1.00, 300.00 THB and 12.50 USD (25.0 % more than the week before)."
    ]


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ([], []),
        ([{"model": "a", "latency_p95_ms": None}], []),
        ([{"model": OTHER, "latency_p95_ms": 5.0}], []),
        (
            [{"model": "a", "latency_p95_ms": 950.0}],
            ["95 % of the answers of a took at most 950 ms."],
        ),
        (
            [{"model": "a", "latency_p95_ms": 950.0}, {"model": "b", "latency_p95_ms": 2400.0}],
            ["The slowest model was b: 95 % of its answers took at most 2.4 s."],
        ),
    ],
)
def test_the_slowest_model_is_named(models: list[dict[str, Any]], said: list[str]) -> None:
    assert sentences(document(models=models))[1:] == said


def test_rows_that_could_not_be_used_are_told_with_their_reasons() -> None:
    found = sentences(
        document(quarantined={"bad_time": 4, "orphan_message": 1200, "wrong_type": 0})
    )
    assert found[1:] == [
        "1,204 rows of the source could not be used: 1,200 orphan_message and 4 bad_time."
    ]
    assert sentences(document(quarantined={"bad_time": 1}))[1:] == [
        "1 row of the source could not be used: 1 bad_time."
    ]

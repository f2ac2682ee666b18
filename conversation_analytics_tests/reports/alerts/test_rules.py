"""What a file of rules may say, and in which words it is told what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversation_analytics.errors import AlertsInvalid
from conversation_analytics.periods import parse_period
from conversation_analytics.reports.alerts.file import load_rules, read_rules, rules_of
from conversation_analytics.reports.alerts.rules import compared_with
from conversation_analytics.settings import load_settings
from conversation_analytics_tests.reports.alerts.simple import rule

FILE = Path("alerts.yaml")


def refused(text: str) -> str:
    with pytest.raises(AlertsInvalid) as raised:
        read_rules(text, FILE)
    return str(raised.value)


def test_every_mistake_is_told_with_its_line() -> None:
    text = """\
alerts:
  - name: first
    grain: hourly
    kind: above
    metric: escalation_rat
    threshold: 0.2
  - name: second
    grain: daily
    kind: abov
"""
    told = refused(text)

    assert told.startswith("alerts.yaml: line 3: rule 'first': grain is 'hourly': it must be")
    assert "line 5: rule 'first': there is no metric 'escalation_rat': did you mean esc" in told
    assert "line 9: rule 'second': kind is 'abov': it is one of above, below, change" in told


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("above", {}, "threshold is missing"),
        ("above", {"threshold": "much"}, "threshold is 'much': it must be a number"),
        ("above", {"threshold": True}, "threshold is True: it must be a number"),
        ("above", {"threshold": float("nan")}, "must be a finite number"),
        ("above", {"metric": "error_rate", "threshold": 5}, "such as 0.2 for 20 %"),
        ("above", {"threshold": 1, "treshold": 1}, "'treshold' is none of currency, dimension"),
        ("above", {"threshold": 1, "name": "Two words"}, "must be small letters, digits, - and _"),
        ("above", {"threshold": 1, "currency": "USD"}, "conversations is no amount of money"),
        ("above", {"threshold": 1, "value": "x"}, "value needs a dimension"),
        ("above", {"threshold": 1, "dimension": "topics"}, "did you mean topic?"),
        ("above", {"threshold": 1, "dimension": "topic", "value": "(other)"}, "is not a value"),
        ("above", {"threshold": 1, "dimension": "topic", "value": True}, "must be a text"),
        ("above", {"threshold": 1, "severity": "bad"}, "'info', 'warning' or 'critical'"),
        ("change", {"by": 0}, "by is 0: it must be greater than 0"),
        ("change", {"by": 1, "grain": "weekly", "against": "same_weekday"}, "for daily rules"),
        ("anomaly", {"history": 6}, "min_history is 8, and history is 6 periods only"),
        ("emerging", {"max_share_before": 0.5}, "it must be smaller than min_share"),
        ("emerging", {"metric": "messages"}, "'metric' is none of dimension"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_allowed(
    kind: str, fields: dict[str, object], told: str
) -> None:
    with pytest.raises(AlertsInvalid) as raised:
        rule(kind, **fields)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: must be a mapping with a list of alerts"),
        ("[]", "line 1: must be a mapping with a list of alerts"),
        ("alerts: {}", "line 1: alerts must be a list"),
        ("rules: []", "line 1: 'rules' is not alerts"),
        ("alerts: [a]", "line 1: a rule must be a mapping"),
        ("alerts: [{}]", "kind is missing: it is one of above"),
        ("alerts: [", "alerts.yaml is not YAML"),
        ("alerts:\n  - {name: a, name: b, grain: daily, kind: emerging}", "'name' is there twice"),
        ("alerts:\n  - &a {name: a, grain: daily, kind: emerging}\n  - *a", "there 2 times"),
    ],
)
def test_a_file_that_is_none_of_rules_is_told_so(text: str, told: str) -> None:
    assert told in refused(text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AlertsInvalid, match=r"no\.yaml cannot be read"):
        load_rules(tmp_path / "no.yaml")


def test_attributes_of_reports_are_dimensions_too(tmp_path: Path) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text(
        "alerts: [{name: a, grain: daily, kind: above, metric: messages, threshold: 1,"
        " dimension: segment, value: vip}]"
    )
    settings = load_settings(None, alerts_file=file, report_dimensions="segment")

    assert [one.name for one in rules_of(settings)] == ["a"]
    with pytest.raises(AlertsInvalid, match="no dimension 'segment'"):
        rules_of(load_settings(None, alerts_file=file))


def test_without_a_file_there_are_no_rules() -> None:
    assert rules_of(load_settings(None)) == ()


def test_days_are_compared_with_the_same_weekday_and_weeks_with_those_before() -> None:
    day, week = parse_period("daily", "2024-03-01"), parse_period("weekly", "2024-W02")
    daily = rule("anomaly", history=4, min_history=4)
    weekly = rule("anomaly", grain="weekly", history=4, min_history=4)

    of_day = [one.key for one in compared_with(daily, day)]
    of_week = [one.key for one in compared_with(weekly, week)]

    assert of_day == ["2024-02-23", "2024-02-16", "2024-02-09", "2024-02-02"]
    assert of_week == ["2024-W01", "2023-W52", "2023-W51", "2023-W50"]


def test_only_what_decides_when_a_rule_fires_is_in_its_version() -> None:
    first = rule(threshold=5)

    assert rule(threshold=5, message="Call me.", severity="info").version == first.version
    assert rule(threshold=6).version != first.version

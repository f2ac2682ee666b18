"""Rules held against reports: what fires in a period, and what cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conversation_analytics.periods import Period
from conversation_analytics.reports.alerts import wording
from conversation_analytics.reports.alerts.figures import Subject, lacking, subjects
from conversation_analytics.reports.alerts.judging import Fires, Reports, Undecided, judge
from conversation_analytics.reports.alerts.rules import Emerging, Rule

_NAMED = 3


@dataclass(frozen=True)
class Alert:
    """A rule that holds for something in a period.

    Attributes:
        rule: the rule.
        period: when.
        subject: what it is about.
        observed: what was measured.
        expected: what it was held against: threshold, earlier value, median, share before.
        text: all of it in plain English.
        report_version: of the report.
    """

    rule: Rule
    period: Period
    subject: Subject
    observed: float
    expected: float
    text: str
    report_version: int

    def as_dict(self) -> dict[str, Any]:
        """The alert for programs."""
        rule = self.rule
        metric = "conversations" if isinstance(rule, Emerging) else rule.metric
        return {
            "rule": rule.name,
            "kind": rule.kind,
            "severity": rule.severity,
            "grain": rule.grain,
            "period": self.period.key,
            "metric": metric,
            "dimension": self.subject.dimension or None,
            "value": self.subject.value or None,
            "currency": self.subject.currency or None,
            "observed": self.observed,
            "expected": self.expected,
            "report_version": self.report_version,
            "text": self.text,
        }


@dataclass(frozen=True)
class Evaluation:
    """What a rule says of a period.

    Attributes:
        rule: the rule.
        period: the period.
        alerts: what fires, by what it is about.
        undecided: what cannot be told, with the reason in words; null if nothing can.
    """

    rule: Rule
    period: Period
    alerts: Mapping[Subject, Alert]
    undecided: Mapping[Subject, str] | None

    def is_undecided(self, subject: Subject) -> bool:
        """Whether it cannot be told of a subject if the rule holds."""
        return self.undecided is None or subject in self.undecided

    @property
    def notes(self) -> list[str]:
        """What cannot be told, in words."""
        where = f"{self.rule.name}, {self.period.key}"
        if self.undecided is None:
            return [f"{where}: there is no report of the period as a whole"]
        reasons: dict[str, list[str]] = {}
        for subject, why in self.undecided.items():
            reasons.setdefault(why, []).append(str(subject))
        return [f"{where}: {why} ({_listed(names)})" for why, names in reasons.items()]


def evaluate(rule: Rule, period: Period, reports: Reports) -> Evaluation:
    """Hold a rule against the report of a period.

    Args:
        rule: the rule.
        period: of the rule's grain.
        reports: `report.json` of the period, and of what there is of `rules.compared_with`.
    """
    if period not in reports:
        return Evaluation(rule, period, {}, None)
    document = reports[period]
    alerts, undecided = {}, {}
    for subject in subjects(rule, document):
        match judge(rule, subject, period, reports):
            case Fires(observed, expected, words):
                text = wording.alert(rule, subject, period, words, lacking(rule, document))
                version = document["report_version"]
                alerts[subject] = Alert(rule, period, subject, observed, expected, text, version)
            case Undecided(why):
                undecided[subject] = why
    return Evaluation(rule, period, alerts, undecided)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"

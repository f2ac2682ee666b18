"""Rules of one line and reports of few figures, for tests to say only what they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from conversation_analytics.periods import Period, parse_period
from conversation_analytics.reports.alerts.evaluate import Evaluation, evaluate
from conversation_analytics.reports.alerts.figures import Subject
from conversation_analytics.reports.alerts.file import read_rules
from conversation_analytics.reports.alerts.rules import Rule

Document = dict[str, Any]


def rule(kind: str = "above", **fields: Any) -> Rule:
    """A rule of a file; of the metric `conversations` where it needs one."""
    usual: dict[str, Any] = {"name": "one", "grain": "daily", "kind": kind}
    if kind != "emerging":
        usual["metric"] = "conversations"
    (found,) = read_rules(yaml.safe_dump({"alerts": [usual | fields]}), Path("alerts.yaml"))
    return found


def report(
    conversations: float | None = 100,
    *,
    topics: Mapping[str, int | tuple[int, int]] | None = None,
    missing: Sequence[str] = (),
    metrics: Mapping[str, Any] | None = None,
    **changed: Any,
) -> Document:
    """A report of what alerts look at.

    Args:
        conversations: of the whole.
        topics: conversations of each, or conversations and users; one user each else.
        missing: days that are.
        metrics: others of the whole.
        changed: fields that are not as usual.
    """
    breakdown = []
    for value, found in (topics or {}).items():
        number, users = found if isinstance(found, tuple) else (found, found)
        told = {"conversations": number, "messages": 2 * number}
        breakdown.append({"value": value, "users": users, "metrics": told})
    whole = {"conversations": conversations, "messages": 2 * (conversations or 0)}
    return {
        "report_version": 1,
        "days_missing": list(missing),
        "complete": not missing,
        "over": True,
        "metrics": whole | dict(metrics or {}),
        "breakdowns": {"topic": breakdown},
        "min_users_per_cell": 5,
    } | changed


def periods(last: str, count: int, grain: str = "daily") -> list[Period]:
    """Periods up to one, in order."""
    found = [parse_period(grain, last)]
    while len(found) < count:
        found.insert(0, found[0].previous())
    return found


def up_to(last: str, *reports: Document | None, grain: str = "daily") -> dict[Period, Document]:
    """Reports of successive periods up to one; none where there is null."""
    pairs = zip(periods(last, len(reports), grain), reports, strict=True)
    return {period: one for period, one in pairs if one is not None}


def evaluated(one: Rule, last: str, *reports: Document | None) -> Evaluation:
    """A rule held against the last of some successive reports."""
    return evaluate(one, parse_period(one.grain, last), up_to(last, *reports, grain=one.grain))


WHOLE = Subject()

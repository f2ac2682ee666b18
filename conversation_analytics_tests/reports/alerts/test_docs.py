"""The page about alerts: its example is a file of rules, and it names every field."""

from __future__ import annotations

import re
from pathlib import Path

from conversation_analytics.reports.alerts.check import LOOKED_AT
from conversation_analytics.reports.alerts.file import read_rules
from conversation_analytics.reports.alerts.rules import KINDS

PAGE = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()


def test_the_example_is_right_and_has_every_kind() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)

    rules = read_rules(example, Path("alerts.yaml"))

    assert {rule.kind for rule in rules} == set(KINDS)


def test_every_field_is_told() -> None:
    fields = {name for kind in KINDS.values() for name in kind.model_fields}

    assert {name for name in fields if f"`{name}`" not in PAGE} == set()


def test_it_says_how_far_is_looked_back() -> None:
    days, weeks, months = (LOOKED_AT[grain] for grain in ("daily", "weekly", "monthly"))

    assert f"the newest {days} days, {weeks} weeks or {months} months" in PAGE

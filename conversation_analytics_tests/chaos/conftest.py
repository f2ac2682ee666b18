"""What a campaign did to the product is counted by its tests and told at the end."""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    done: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, count in report.user_properties:
            done[name] += count if isinstance(count, int) else 0
    if done:
        terminalreporter.section("done and survived")
        for name, count in sorted(done.items()):
            terminalreporter.line(f"{count:,} {name}")

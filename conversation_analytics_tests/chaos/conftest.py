"""What a campaign did to the product is counted by its tests and told at the end."""

from __future__ import annotations

from collections import Counter

import pytest

# A file is one worker's: if these came last, the other worker would have nothing to do meanwhile.
LONGEST = ("test_sync_state_machine.py", "test_sync_through_dagster.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    done: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, count in report.user_properties:
            done[name] += count if isinstance(count, int) else 0
    if done:
        terminalreporter.section("done and survived")
        for name, count in sorted(done.items()):
            terminalreporter.line(f"{count:,} {name}")

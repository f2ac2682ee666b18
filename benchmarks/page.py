"""The page that keeps the figures: a section a benchmark, between two marks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.harness import Report

PAGE = Path("docs/benchmarks.md")


def written(page: str, name: str, report: Report, machine: str) -> str:
    """The page with the figures of one benchmark replaced.

    Raises:
        ValueError: the page has no place for them.
    """
    begin, end = f"<!-- figures of {name} -->", f"<!-- end of {name} -->"
    words = f"{report.workload} Measured on {datetime.now(UTC):%Y-%m-%d}: {machine}."
    section = f"{begin}\n\n{words}\n\n{report.table()}\n\n{end}"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    found, count = pattern.subn(lambda _: section, page)
    if count != 1:
        raise ValueError(f"{PAGE} must have {begin} and {end} once, for the figures to go between")
    return found

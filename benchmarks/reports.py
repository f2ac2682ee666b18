"""Reports of days and user analytics, against the same aggregates as bare SQL."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from benchmarks.bare_sql import bare_reports, bare_reports_and_users
from benchmarks.harness import MIB, Bar, Figure, Report, Usage, measured, progress, ratios, rounds
from benchmarks.product import commit, day_range, settings_for
from benchmarks.states import build, change
from conversation_analytics.periods import Grain, period_of
from conversation_analytics.reports.catalogue import Catalogue
from conversation_analytics.reports.content import Contents
from conversation_analytics.reports.days import ReportDays
from conversation_analytics.reports.published import read_report
from conversation_analytics.reports.reading import FIRST_ACTIVE, States, first_days
from conversation_analytics.reports.user_states import read_users, refreshed_users
from conversation_analytics.storage.days import Request
from conversation_analytics.storage.lake import open_lake
from conversation_analytics.storage.layout import REPORT_UNITS

_MIB_LIMIT = 1024
_MILLISECONDS_LIMIT = 100
_SEVERAL = 30  # days whose reports are made one after another, to time each


def run(*, quick: bool) -> Report:
    """Measure a year of days and a crowded one."""
    messages, days, crowded, users = (
        (100_000, 20, 20_000, 5_000) if quick else (10_000_000, 365, 200_000, 200_000)
    )
    dates = day_range(days)
    sizes = dict.fromkeys(dates, (messages - crowded) // (days - 1)) | {dates[-1]: crowded}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        progress("  making the lake …")
        build(folder, sizes, users=users)
        rebuilt = measured(all_users, folder)
        changed = []
        for day in dates[-4:-1]:
            change(folder, day, sizes[day], users=users)
            changed.append(measured(all_users, folder))
        found = rounds(
            {
                "reports": _anew(folder / "analytics_reports", folder, dates),
                "bare SQL": partial(measured, bare_reports_and_users, folder, dates),
                "figures alone": partial(measured, bare_reports, folder, dates),
            },
            at_least=1,
            at_most=1 if quick else 3,
            seconds=900,
        )
        told = {messages_told(folder, dates), *(one.result for one in found["bare SQL"])}
        each, alone = (
            measured(work, folder, dates[-_SEVERAL - 2 : -1])
            for work in (several_reports, reports_alone)
        )
        wider = [measured(reports_of, folder, grain, dates) for grain in ("weekly", "monthly")]
    if len(told) > 1:
        raise RuntimeError(f"reports and SQL tell of different numbers of messages: {told}")
    reports = found["reports"]
    peak = max(one.peak_memory for one in (*reports, *wider, rebuilt, *changed)) / MIB
    return Report(
        f"About {messages:,} messages in {days} days, one of them of {crowded:,}, of {users:,} "
        "users, drawn as what reports read of them: messages' activity, conversations and labels. "
        "All daily reports, from there to documents and pages in the lake, against their "
        "aggregates as SQL in DuckDB over the files of each day, all by CPU time.",
        [
            Figure(
                "all daily reports / their aggregates as bare SQL",
                ratios(_cpu(reports), _cpu(found["bare SQL"])),
                bar=Bar(1.5, at_most=True),
            ),
            Figure(
                "CPU of a day's report after that of the day before, page and files left out",
                each.result,
                "ms",
                bar=Bar(_MILLISECONDS_LIMIT, at_most=True),
            ),
            Figure(
                "user analytics, a changed day / all days",
                [one / rebuilt.cpu for one in _cpu(changed)],
                bar=Bar(0.1, at_most=True),
            ),
            Figure("peak memory", [peak], "MiB", bar=Bar(_MIB_LIMIT, at_most=True)),
            Figure(
                "all daily reports / their figures alone as bare SQL",
                ratios(_cpu(reports), _cpu(found["figures alone"])),
            ),
            Figure("CPU of a day's report by itself, the day before read too", alone.result, "ms"),
            Figure("CPU of all daily reports", _cpu(reports), "s"),
            Figure("CPU of all weekly reports", _cpu(wider[:1]), "s"),
            Figure("CPU of all monthly reports", _cpu(wider[1:]), "s"),
            Figure("CPU of user analytics of all days", [rebuilt.cpu], "s"),
            Figure("CPU of user analytics of a changed day", _cpu(changed), "s"),
        ],
    )


def all_users(folder: Path) -> None:
    """Bring the users of a lake up to date."""
    lake = open_lake(settings_for(parquet_base_dir=folder))
    commit(lake, refreshed_users(lake, Catalogue.read(lake), _request()))


def reports_of(folder: Path, grain: Grain, days: Sequence[date]) -> None:
    """Make the reports of a lake."""
    settings = settings_for(parquet_base_dir=folder)
    lake = open_lake(settings)
    asked = sorted({period_of(grain, day) for day in days})
    commit(lake, ReportDays(settings, lake, grain, asked, _request()))


def messages_told(folder: Path, days: Sequence[date]) -> float:
    """The messages of all days, as their reports tell."""
    lake = open_lake(settings_for(parquet_base_dir=folder))
    found = (read_report(lake, period_of("daily", day)) for day in days)
    return float(sum(one["metrics"]["messages"] for one in found if one))


def several_reports(folder: Path, days: Sequence[date], *, alone: bool = False) -> list[float]:
    """Milliseconds of CPU for what each report says but the first ones, from the states.

    Args:
        folder: the lake.
        days: the days, in order.
        alone: whether each is made as by a run of its own, as every night, that has to read the
            day before too.
    """
    settings = settings_for(parquet_base_dir=folder)
    lake = open_lake(settings)
    users = read_users(lake, FIRST_ACTIVE)
    if users is None:
        raise RuntimeError("the lake has no users")
    states = States(lake, settings, Catalogue.read(lake), first_days(users[1]))
    current = {period_of("daily", day) for day in lake.days(REPORT_UNITS["daily"])}
    contents = Contents(states, datetime.now(UTC), current=current)
    took = []
    for day in days:
        if alone:
            states.kept.clear()
            contents = Contents(states, datetime.now(UTC), current=current)
        started = time.process_time()
        contents.of(period_of("daily", day))
        took.append(1000 * (time.process_time() - started))
    return took[2:]  # the first ones measure the days before them too


def reports_alone(folder: Path, days: Sequence[date]) -> list[float]:
    """The same, each made by itself."""
    return several_reports(folder, days, alone=True)


def _anew(made: Path, folder: Path, days: Sequence[date]) -> Callable[[], Usage]:
    """Make the daily reports, what was made before being removed."""

    def work() -> Usage:
        shutil.rmtree(made, ignore_errors=True)
        return measured(reports_of, folder, "daily", days)

    return work


def _cpu(usages: Sequence[Usage]) -> list[float]:
    return [usage.cpu for usage in usages]


def _request() -> Request:
    return Request(uuid.uuid4().hex, "benchmark")

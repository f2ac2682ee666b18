"""Two exports of the same six days, the second one edited, and what a lake of each must show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from conversation_analytics.errors import StorageError
from conversation_analytics.partitions import days_between
from conversation_analytics.storage.encoding import table_hash
from conversation_analytics.storage.freshness import DERIVED
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    RAW,
    SYNC_FOLDER,
    TAXONOMIES_FOLDER,
    UNKNOWN_DAY,
    UNPLACED,
    Day,
    Unit,
    claims,
)
from conversation_analytics_tests import oracle
from conversation_analytics_tests.builders import Pipeline, Row, conversation, message
from conversation_analytics_tests.transforms.test_against_oracle import compare, found_quarantine

START = date(2024, 1, 1)
DAYS = days_between(START, date(2024, 1, 6))
NOW = datetime(2024, 1, 7, 12, tzinfo=UTC)
PER_DAY = 4

Export = tuple[list[Row], list[Row]]
# Hash of the rows of each table.
Content = dict[str, str]


def first_export() -> Export:
    """Every day has conversations of three messages, and rows that are quarantined."""
    conversations, messages = [], []
    for day in DAYS:
        for number in range(PER_DAY):
            id_ = f"c-{day.day}-{number}"
            conversations.append(conversation(id_, f"{day}T1{number}:00:00+00:00"))
            messages += [
                message(f"{id_}-{turn}", id_, f"{day}T1{number}:00:0{turn}+00:00", role)
                for turn, role in enumerate(("user", "assistant", "user"))
            ]
        messages.append(message(f"orphan-{day.day}", "nobody", f"{day}T10:00:00+00:00"))
    messages.append(message("no-time", "nobody", None))
    return conversations, messages


def second_export() -> Export:
    """The first one after edits, new rows, deletions, and moves to the next day and back."""
    conversations, messages = first_export()
    by_id = {row["conversation_id"]: row for row in conversations}
    for day in DAYS:
        by_id[f"c-{day.day}-0"]["title"] = "edited"
        new = f"c-{day.day}-new"
        conversations.append(conversation(new, f"{day}T20:00:00+00:00"))
        messages.append(message(f"{new}-0", new, f"{day}T20:00:00+00:00", content="สวัสดี"))
    for day, to in ((1, 2), (2, 3), (5, 4)):
        by_id[f"c-{day}-1"]["created_at"] = f"2024-01-0{to}T09:00:00+00:00"
    gone = {"c-3-2", "c-6-2"}
    conversations = [row for row in conversations if row["conversation_id"] not in gone]
    messages = [row for row in messages if row["conversation_id"] not in gone]
    for row in messages:
        if row["message_id"].endswith("-2"):
            row["content"] = "edited"
    messages.append(message("no-time-either", "nobody", None))
    return conversations, messages


@dataclass(frozen=True)
class Undisturbed:
    """A lake of an export that nothing disturbed, compared with the oracle.

    Attributes:
        source: Folder of the export.
        days: The days that were loaded.
        lake: The lake.
        content: What each unit's day must hold.
        owners: The day of each conversation.
    """

    source: Path
    days: list[date]
    lake: Lake
    content: dict[tuple[str, Day], Content]
    owners: dict[str, date]

    @property
    def unit_days(self) -> list[tuple[Unit, Day]]:
        """Everything that was committed."""
        return _unit_days(self.days)


def _unit_days(days: list[date]) -> list[tuple[Unit, Day]]:
    units = (RAW, *DERIVED)
    return [*((unit, day) for day in days for unit in units), (UNPLACED, UNKNOWN_DAY)]


def undisturbed(folder: Path, export: Export, days: list[date]) -> Undisturbed:
    """Make a lake of days of an export in peace, and make sure that the oracle agrees."""
    pipeline = Pipeline(folder, categories=True, now=NOW, partitions_start_date=START)
    pipeline.export(*export)
    assert pipeline.run(*days).errors == []
    wanted = oracle.expected(
        list(export[0]), list(export[1]), profile="plain", timezone="UTC", start=START, now=NOW
    )
    for day in days:
        compare(pipeline, day, wanted[day])
    assert found_quarantine(pipeline, UNKNOWN_DAY) == wanted[UNKNOWN_DAY].quarantine
    content = {
        (unit.name, day): _content(pipeline.lake, unit, day) for unit, day in _unit_days(days)
    }
    known = {key: value for key, value in content.items() if value is not None}
    return Undisturbed(
        pipeline.source_dir,
        days,
        pipeline.lake,
        known,
        _owners(pipeline.lake),
    )


def _content(lake: Lake, unit: Unit, day: Day) -> Content | None:
    """Hashes of the rows of a day as they are read; null if it was never committed."""
    found = lake.read_day(unit, day)
    if found is None:
        return None
    return {schema.name: table_hash(found[1][schema.name], schema) for schema in unit.tables}


def _owners(lake: Lake) -> dict[str, date]:
    owners = lake.index.snapshot().owners()
    columns = (owners[name].to_pylist() for name in ("conversation_id", "day"))
    return dict(zip(*columns, strict=True))


class Reader:
    """Reads days of a lake while it is written.

    Args:
        lake: The lake.
        goal: What it is to become.
        before: What it was; null if the days need not be there.

    Attributes:
        half: Days whose files and manifest stayed at odds, for the second that `read_day` waits.
        wrong: Days that were read, with what nobody ever wrote.
    """

    def __init__(self, lake: Lake, goal: Undisturbed, before: Undisturbed | None) -> None:
        self._lake = lake
        self._goal = goal
        self._before = before
        self.half: list[tuple[str, Day]] = []
        self.wrong: list[tuple[str, Day, Content | None]] = []

    def read_all(self, until: Callable[[], bool] = lambda: False) -> None:
        """Read every day once, unless it is time to stop."""
        for unit, day in self._goal.unit_days:
            if not until():
                self._read(unit, day)

    def _read(self, unit: Unit, day: Day) -> None:
        try:
            found = _content(self._lake, unit, day)
        except StorageError as error:
            if "cut off half-way; materialise the day again" not in str(error):
                raise
            self.half.append((unit.name, day))
            return
        place = (unit.name, day)
        old = self._before.content[place] if self._before else None
        if found not in (old, self._goal.content[place]):
            self.wrong.append((unit.name, day, found))


def assert_converged(lake: Lake, wanted: Undisturbed) -> None:
    """The lake is what it had been if nothing had happened, and nothing is left over."""
    content = {(unit.name, day): _content(lake, unit, day) for unit, day in wanted.unit_days}
    differing = [key for key, found in content.items() if found != wanted.content[key]]
    assert not differing, differing
    assert _owners(lake) == wanted.owners
    assert lake.index.snapshot().disowned() == {}
    # A store's probe that is killed leaves an empty object, under a name that nobody looks for.
    others = (SYNC_FOLDER, TAXONOMIES_FOLDER, "_claims/probe-")
    keys = {key for key in lake.store.list("") if not key.startswith(others)}
    folded = [key for key in keys if key.startswith("_index/")]
    assert len(folded) == 1, folded
    listed = {"_lake.json", *folded}
    for unit, day in wanted.unit_days:
        manifest = lake.manifest(unit, day)
        assert manifest is not None
        listed |= {file.key for entry in manifest.tables.values() for file in entry.files}
        listed.add(lake.layout.manifest(unit, day))
        listed.add(f"{claims(unit, day)}{manifest.epoch:010d}.json")
    assert keys == listed, keys ^ listed

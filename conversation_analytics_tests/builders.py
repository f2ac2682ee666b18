"""Source rows, exports and a small pipeline, for tests to say only what they are about."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conversation_analytics.assets import lake_tables
from conversation_analytics.categorization.days import categories_derivation
from conversation_analytics.compute.runner import InProcessRunner, Runner
from conversation_analytics.dify.questions import Asker, Contract
from conversation_analytics.settings import Settings, load_settings
from conversation_analytics.sources.base import ConversationSource, SourceInfo
from conversation_analytics.sources.files import FilesSource
from conversation_analytics.sources.mapping import FieldMapping, load_mapping
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.days import (
    DayItem,
    DayReport,
    PreparedDay,
    Request,
    commit_days,
)
from conversation_analytics.storage.lake import Lake, open_lake
from conversation_analytics.storage.layout import RAW, UNITS, Day
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.transforms.derived import (
    CONVERSATIONS_DERIVATION,
    MESSAGES_DERIVATION,
    DayTask,
    Derivation,
    DerivedDays,
)
from conversation_analytics.transforms.raw import RawDays
from conversation_analytics.translation.days import translations_derivation

Row = dict[str, Any]
SourceRow = Row | bytes
NOW = datetime(2024, 3, 31, 12, tzinfo=UTC)


def conversation(id_: Any = "c1", at: Any = "2024-01-02T10:00:00+00:00", **changes: Any) -> Row:
    """A row of a plain conversations table."""
    row = {
        "conversation_id": id_,
        "user_id": "u1",
        "title": "A question",
        "channel": "web",
        "status": "open",
        "language": "en",
        "created_at": at,
        "updated_at": None,
        "is_deleted": False,
        "segment": "vip",
    }
    return row | changes


def message(
    id_: Any = "m1",
    conversation_id: Any = "c1",
    at: Any = "2024-01-02T10:00:00+00:00",
    role: Any = "user",
    **changes: Any,
) -> Row:
    """A row of a plain messages table."""
    row = {
        "message_id": id_,
        "conversation_id": conversation_id,
        "role": role,
        "content": "hello",
        "created_at": at,
        "updated_at": None,
        "model": None,
        "prompt_tokens": None,
        "completion_tokens": None,
        "latency_ms": None,
        "cost": None,
        "currency": None,
        "error": None,
        "feedback_score": None,
        "client": "web/1.0",
    }
    return row | changes


def dify_conversation(
    id_: Any = "c1", at: Any = "2024-01-02T10:00:00+00:00", **changes: Any
) -> Row:
    """A row of the conversations table of a Dify app."""
    row = {
        "id": id_,
        "app_id": "app",
        "model_provider": "openai",
        "model_id": "gpt",
        "mode": "chat",
        "name": "A question",
        "summary": None,
        "inputs": {"username": "u1", "language": "th", "segment": "vip"},
        "status": "normal",
        "from_source": "api",
        "from_end_user_id": "end-1",
        "from_account_id": None,
        "dialogue_count": 1,
        "created_at": at,
        "updated_at": at,
        "is_deleted": False,
    }
    return row | changes


def dify_message(
    id_: Any = "m1",
    conversation_id: Any = "c1",
    at: Any = "2024-01-02T10:00:00+00:00",
    **changes: Any,
) -> Row:
    """A row of the messages table of a Dify app: a question and its answer."""
    row = {
        "id": id_,
        "app_id": "app",
        "model_provider": "openai",
        "model_id": "gpt",
        "conversation_id": conversation_id,
        "inputs": {"username": "u1", "language": "th"},
        "query": "hello?",
        "message": [{"role": "user", "text": "hello?"}],
        "message_tokens": 10,
        "message_unit_price": "0.0010",
        "answer": "hello!",
        "answer_tokens": 20,
        "answer_unit_price": "0.0020",
        "provider_response_latency": 1.5,
        "total_price": "0.00005000",
        "currency": "USD",
        "status": "normal",
        "error": None,
        "message_metadata": {"usage": {"total_tokens": 30}},
        "from_source": "api",
        "from_end_user_id": "end-1",
        "from_account_id": None,
        "parent_message_id": None,
        "workflow_run_id": None,
        "created_at": at,
        "updated_at": at,
    }
    return row | changes


def line(row: SourceRow) -> bytes:
    """A row as a line of JSON, lone surrogates escaped; bytes are a line as they are."""
    return row if isinstance(row, bytes) else json.dumps(row).encode()


def write_export(
    folder: Path,
    conversations: Sequence[SourceRow],
    messages: Sequence[SourceRow],
    *,
    files: int = 1,
    ending: str = ".jsonl",
) -> Path:
    """An export in which each table is split into some files."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in (("conversations", conversations), ("messages", messages)):
        for old in folder.glob(f"{table}*"):
            old.unlink()
        size = max(1, -(-len(rows) // files))
        for number, start in enumerate(range(0, max(len(rows), 1), size)):
            path = folder / f"{table}-{number:03d}{ending}"
            write_rows(path, rows[start : start + size])
    return folder


def write_rows(path: Path, rows: Sequence[SourceRow]) -> None:
    """One file, in the format its name says."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist([row for row in rows if isinstance(row, dict)]), path)
        return
    opened = gzip.open if path.suffix == ".gz" else open
    if name.endswith(".csv"):
        with opened(path, "wt", encoding="utf-8", newline="") as text:
            columns = list(dict.fromkeys(key for row in rows for key in row))
            writer = csv.DictWriter(text, columns)
            writer.writeheader()
            writer.writerows(row for row in rows if isinstance(row, dict))
        return
    with opened(path, "wb") as file:
        file.write(b"".join(line(row) + b"\n" for row in rows))


class FixedClock(FilesSource):
    """Exported files whose clock stands still."""

    def __init__(self, folder: Path, *, clock: datetime, page_rows: int = 10_000) -> None:
        super().__init__(folder, page_rows=page_rows)
        self.clock = clock

    def probe(self) -> SourceInfo:
        return replace(super().probe(), clock=self.clock)


@dataclass(frozen=True)
class Run:
    """What a run reported, by unit."""

    reports: dict[str, list[DayReport]]

    def outcomes(self, unit: str) -> dict[Day, str]:
        return {report.day: report.outcome for report in self.reports[unit]}

    @property
    def errors(self) -> list[str]:
        return [report.error for one in self.reports.values() for report in one if report.error]


class Pipeline:
    """Raw days, messages and conversations of an export in a local lake, and what models tell.

    Every run reads the source a minute later than the one before.

    Attributes:
        categories: Whether categories and translations are made too.
        asker: Has texts translated; needed only where the settings name Dify.
    """

    def __init__(
        self,
        folder: Path,
        *,
        profile: str = "plain",
        timezone: str = "UTC",
        now: datetime = NOW,
        page_rows: int = 10_000,
        categories: bool = False,
        **settings: Any,
    ) -> None:
        self.categories = categories
        self.asker: Asker | None = None
        self.source_dir = folder / "source"
        self.settings: Settings = load_settings(
            None,
            parquet_base_dir=folder / "lake",
            source_dir=self.source_dir,
            analytics_timezone=timezone,
            enable_multithreading=False,
            **settings,
        )
        self.lake: Lake = open_lake(self.settings)
        self.runner: Runner = InProcessRunner()
        mapping: FieldMapping = load_mapping(  # type: ignore[arg-type]
            profile, self.settings.field_mapping_file
        )
        self.mapping = mapping
        self.now = now
        self._page_rows = page_rows
        self._runs = 0

    def export(
        self, conversations: Sequence[SourceRow], messages: Sequence[SourceRow], **how: Any
    ) -> None:
        """Put an export in place of the one there was."""
        write_export(self.source_dir, conversations, messages, **how)

    def source(self) -> ConversationSource:
        """The source as it is now."""
        clock = self.now + timedelta(minutes=self._runs)
        return FixedClock(self.source_dir, clock=clock, page_rows=self._page_rows)

    def request(self, id_: str | None = None) -> Request:
        """What asks for the next days."""
        self._runs += 1
        return Request(id_ or f"request-{self._runs}", f"run-{self._runs}")

    def raw_days(self, days: Iterable[date], request: Request) -> Iterable[DayItem]:
        opened = OpenedSource(self.source(), self.mapping)
        return RawDays(self.settings, self.lake, opened, list(days), request, self.runner)

    def derived_days(self, unit: str, days: Iterable[date], request: Request) -> Iterable[DayItem]:
        wanted = list(days)
        how = _DERIVED.get(unit) or derivations(self.settings, self.lake, self.asker)[unit]
        return DerivedDays(self.settings, self.lake, how, wanted, request, self.runner)

    def run(self, *days: date, request: str | None = None) -> Run:
        """Materialise days, one unit after the other."""
        asked = self.request(request)
        reports = {RAW.name: list(commit_days(self.lake, self.raw_days(days, asked)))}
        told = ("categories", "translations") if self.categories else ()
        for unit in (*_DERIVED, *told):
            stream = self.derived_days(unit, days, asked)
            reports[unit] = list(commit_days(self.lake, stream))
        return Run(reports)

    def manifest(self, unit: str, day: Day) -> Manifest:
        """The manifest of a committed day."""
        found = self.lake.manifest(UNITS[unit], day)
        assert found is not None, f"{unit} of {day} was never committed"
        return found

    def table(self, unit: str, table: str, day: Day) -> pa.Table:
        """A committed table."""
        found = self.lake.read_day(UNITS[unit], day)
        assert found is not None, f"{unit} of {day} was never committed"
        return found[1][table]

    def conversations(self, day: Day) -> list[Row]:
        return self.table("conversations", "conversations", day).to_pylist()

    def messages(self, day: Day) -> list[Row]:
        return self.table("messages", "messages", day).to_pylist()

    def quarantine(self, day: Day) -> list[Row]:
        unit = "unplaced" if day == "unknown" else "raw"
        return self.table(unit, "quarantine", day).to_pylist()

    def hashes(self, day: date) -> dict[str, str]:
        """Content hash of the day in each unit."""
        units = ("raw", "messages", "conversations")
        return {unit: self.manifest(unit, day).content_hash for unit in units}


def placed(pipeline: Pipeline, days: Iterable[date]) -> dict[str, date]:
    """The day each conversation is shown on; fails if one is shown twice."""
    found: dict[str, date] = {}
    for day in days:
        for row in pipeline.conversations(day):
            assert row["conversation_id"] not in found
            found[row["conversation_id"]] = day
    return found


_DERIVED = {"messages": MESSAGES_DERIVATION, "conversations": CONVERSATIONS_DERIVATION}


def derivations(
    settings: Settings, lake: Lake, asker: Asker | None = None
) -> dict[str, Derivation]:
    """How each derived unit is made, in the order in which they are."""

    def asker_of(_: Contract) -> Asker:
        assert asker is not None
        return asker

    return {
        **_DERIVED,
        "categories": categories_derivation(settings, lake),
        "translations": translations_derivation(settings, asker_of),
    }


def with_messages_by(
    patch: pytest.MonkeyPatch, prepare: Callable[[DayTask], PreparedDay]
) -> Callable[[DayTask], PreparedDay]:
    """Let days of messages be prepared in another way; gives the real one."""
    real = MESSAGES_DERIVATION
    patch.setattr(lake_tables, "MESSAGES_DERIVATION", replace(real, prepare=prepare))
    return real.prepare

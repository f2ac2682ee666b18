"""Readings of a real NocoDB through a fault proxy, into lakes that can be compared."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import unquote_plus
from uuid import uuid4

from conversation_analytics.compute.runner import InProcessRunner
from conversation_analytics.sources.mapping import load_mapping
from conversation_analytics.sources.nocodb import NocoDBSource
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.days import Request, commit_days
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import CLAIMS_FOLDER, RAW, UNKNOWN_DAY, UNPLACED, Day
from conversation_analytics.transforms.raw import RawDays
from conversation_analytics_tests.end_to_end.nocodb_sources import NocoDBTables
from conversation_analytics_tests.end_to_end.pipeline import local_lake, pipeline
from conversation_analytics_tests.services.fault_proxy import FaultProxy

MAX_RETRIES = 2
TIMEOUT = 1.5  # seconds without a byte


@dataclass(frozen=True)
class Site:
    """Two tables behind a proxy, and what a faithful reading of them leaves in a lake.

    Attributes:
        tables: The tables.
        proxy: The proxy before their NocoDB.
        days: The days that readings ask for.
        lake: Folder of a lake that holds every day.
        questions: What a reading of the days asks, each question once, in order.
        hashes: Content hash of every raw day, as it should be.
    """

    tables: NocoDBTables
    proxy: FaultProxy
    days: Sequence[date]
    lake: Path
    questions: Sequence[str]
    hashes: dict[Day, str]

    def read(self, folder: Path) -> Lake:
        """Read the days into a lake."""
        return read(self.tables, self.proxy.base_url, folder, self.days)

    def copy_lake(self, folder: Path) -> Path:
        """The lake that holds every day, to be read into once more."""
        return shutil.copytree(self.lake, folder)


def build_site(
    tables: NocoDBTables,
    proxy: FaultProxy,
    folder: Path,
    *,
    every_day: Sequence[date],
    asked_for: Sequence[date],
) -> Site:
    """Fill a lake, and take note of what a reading of some days asks."""
    hashes = content_hashes(read(tables, proxy.base_url, folder, every_day))
    plan = proxy.be_faithful()
    read(tables, proxy.base_url, folder, asked_for)
    questions = list(dict.fromkeys(plan.asked))
    return Site(tables, proxy, asked_for, folder, questions, hashes)


def read(tables: NocoDBTables, base_url: str, folder: Path, days: Sequence[date]) -> Lake:
    """Read days from a server into the raw tables of a lake; every day is committed."""
    settings = tables.settings
    made = pipeline(**settings, **local_lake(folder))
    mapping = load_mapping("plain", tables.mapping_file)
    source = NocoDBSource(
        base_url=base_url,
        api_token=settings["nocodb_api_token"],
        base_id=settings["nocodb_project_id"],
        conversation_table=settings["nocodb_conversation_table"],
        messages_table=settings["nocodb_messages_table"],
        mapping=mapping,
        max_retries=MAX_RETRIES,
        retry_delay=0.01,
        timeout=TIMEOUT,
    )
    lake, request = made.lake, Request(uuid4().hex, "test")
    with closing(source):
        opened = OpenedSource(source, mapping)
        raw = RawDays(made.settings, lake, opened, days, request, InProcessRunner())
        reports = list(commit_days(lake, raw))
    assert {report.outcome for report in reports} == {"committed"}, reports
    return lake


def content_hashes(lake: Lake) -> dict[Day, str]:
    """Content hash of every raw day, and of the rows that have none."""
    days: list[Day] = [*lake.days(RAW), UNKNOWN_DAY]
    return {
        day: manifest.content_hash
        for day in days
        if (manifest := lake.manifest(UNPLACED if day == UNKNOWN_DAY else RAW, day))
    }


def files(folder: Path) -> dict[str, str]:
    """Hash of every file of a lake except the claims, by its name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_relative_to(folder / CLAIMS_FOLDER)
    }


def for_records(questions: Sequence[str], table_id: str) -> list[str]:
    """The questions for records of a table."""
    return [one for one in questions if f"/{table_id}/records" in one]


def where(question: str) -> str:
    """What follows the path of a question, readable."""
    return unquote_plus(question.partition("?")[2])

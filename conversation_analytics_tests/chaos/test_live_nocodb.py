"""A real NocoDB is written to while it is followed; then the lake is what the source is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conversation_analytics.storage.layout import RAW, UNKNOWN_DAY, UNPLACED
from conversation_analytics_tests.chaos import scaled
from conversation_analytics_tests.chaos.live_writers import DifyWriter, OwnTablesWriter, Writer
from conversation_analytics_tests.end_to_end.nocodb_sources import (
    NocoDBTables,
    dify_tables,
    export,
    own_tables,
)
from conversation_analytics_tests.end_to_end.pipeline import (
    Pipeline,
    days,
    differing,
    local_lake,
    pipeline,
)
from conversation_analytics_tests.services.nocodb_server import NocoDB
from conversation_analytics_tests.services.postgres_server import Postgres

pytestmark = pytest.mark.services

LENGTH = 12
CHANGES = scaled(300, 5_000)  # of each source in each of the two phases

PAUSE_SECONDS = 0.03
SYNCS = 3


@dataclass
class Writing:
    """Changes made by a thread until there are enough of them, and of syncs meanwhile."""

    writer: Writer
    deleting: bool
    made: int = 0
    syncs: int = 0
    failed: list[BaseException] = field(default_factory=list)

    def __call__(self) -> None:
        try:
            while self.made < CHANGES or self.syncs < SYNCS:
                self.made += self.writer.step(deleting=self.deleting)
                time.sleep(PAUSE_SECONDS)
        except BaseException as error:
            self.failed.append(error)
            raise


def follow(lake: Pipeline, writer: Writer, *, deleting: bool) -> None:
    """Sync again and again while the writer is at work."""
    writing = Writing(writer, deleting)
    thread = threading.Thread(target=writing)
    thread.start()
    while thread.is_alive():
        lake.sync()
        writing.syncs += 1
    thread.join()
    assert not writing.failed
    assert writing.made >= CHANGES


def unplaced(lake: Pipeline) -> str | None:
    manifest = lake.lake.manifest(UNPLACED, UNKNOWN_DAY)
    return manifest and manifest.content_hash


def raw(lake: Pipeline) -> dict[str, str]:
    """Content of every raw day with rows, quarantine included."""
    found = lake.lake.manifests(RAW, lake.lake.days(RAW))
    return {str(day): one.content_hash for day, one in found.items() if one.rows}


@pytest.fixture(params=["own tables", "dify"])
def source(
    request: pytest.FixtureRequest, nocodb: NocoDB, tmp_path: Path
) -> Iterator[tuple[NocoDBTables, Writer]]:
    """Tables in NocoDB, and a writer to them."""
    if request.param == "own tables":
        folder = export(tmp_path / "export", "plain", messages=600, days=LENGTH)
        tables = own_tables(nocodb, folder)
        yield tables, OwnTablesWriter(tables, 7, LENGTH)
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    folder = export(tmp_path / "export", "dify", messages=600, days=LENGTH)
    tables = dify_tables(nocodb, postgres, folder)
    with postgres.connect() as connection:
        yield tables, DifyWriter(connection, 7, LENGTH)


def test_what_writers_do_meanwhile_is_in_the_lake_afterwards(
    source: tuple[NocoDBTables, Writer],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    tables, writer = source
    record_property("changes in NocoDB", 2 * CHANGES)
    # The second within which the last changes were made must be over for a look to see them all.
    # How much is deleted between two readings depends on the machine: no guard shall judge that.
    lake = pipeline(
        **tables.settings,
        **local_lake(tmp_path / "lake"),
        sync_lag_seconds=2,
        max_delete_fraction=1,
    )
    lake.sync()

    follow(lake, writer, deleting=False)
    lake.sync()
    afresh = pipeline(**tables.settings, **local_lake(tmp_path / "afresh"))
    afresh.refresh(days(LENGTH), whole=True)
    assert differing(lake.hashes(), afresh.hashes()) == set()
    assert raw(lake) == raw(afresh)
    assert unplaced(lake) == unplaced(afresh)

    follow(lake, writer, deleting=True)
    lake.sync(sweeping=True)
    afresh = pipeline(**tables.settings, **local_lake(tmp_path / "afresh again"))
    afresh.refresh(days(LENGTH), whole=True)
    assert differing(lake.hashes(), afresh.hashes()) == set()
    assert raw(lake) == raw(afresh)
    assert unplaced(lake) == unplaced(afresh)

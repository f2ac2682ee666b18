"""The same rows give the same hashes, whatever they are read from and written to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from conversation_analytics.storage.mongo import Converged
from conversation_analytics_tests.end_to_end.nocodb_sources import (
    NocoDBTables,
    change_rows,
    dify_tables,
    export,
    own_tables,
)
from conversation_analytics_tests.end_to_end.pipeline import (
    Hashes,
    Pipeline,
    days,
    differing,
    files_source,
    local_lake,
    pipeline,
    s3_lake,
)
from conversation_analytics_tests.services.mongo_server import Mongod
from conversation_analytics_tests.services.nocodb_server import NocoDB
from conversation_analytics_tests.services.postgres_server import Postgres
from conversation_analytics_tests.services.s3_servers import S3Server

pytestmark = pytest.mark.services

DAYS = days(8)  # the last conversations may go on after midnight of the seventh


@dataclass(frozen=True)
class Reference:
    """An export and what the files source makes of it in a local lake."""

    folder: Path
    hashes: Hashes
    rows: dict[str, dict[str, str]]


def reference(root: Path, profile: str) -> Reference:
    folder = export(root / f"{profile}-export", "dify" if profile == "dify" else "plain", days=7)
    made = pipeline(**files_source(folder), **local_lake(root / f"{profile}-lake"))
    made.refresh(DAYS)
    return Reference(folder, made.hashes(), made.rows())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return reference(tmp_path_factory.mktemp("plain"), "plain")


@pytest.fixture(scope="module")
def dify(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return reference(tmp_path_factory.mktemp("dify"), "dify")


@pytest.fixture(scope="module")
def plain_nocodb(nocodb: NocoDB, plain: Reference) -> NocoDBTables:
    return own_tables(nocodb, plain.folder)


@pytest.fixture(scope="module")
def dify_nocodb(nocodb: NocoDB, postgres_server: Postgres, dify: Reference) -> NocoDBTables:
    return dify_tables(nocodb, postgres_server.new_database(), dify.folder)


def test_the_reference_holds_every_message(plain: Reference, dify: Reference) -> None:
    assert len(plain.rows["messages"]) == 2_000
    assert len(dify.rows["messages"]) == 2_000  # a pair has two
    for one in (plain, dify):
        assert set(one.hashes["messages"]) == set(DAYS)


def test_nocodbs_own_tables_with_other_names_give_the_same_hashes(
    plain: Reference, plain_nocodb: NocoDBTables, tmp_path: Path
) -> None:
    read_back = pipeline(**plain_nocodb.settings, **local_lake(tmp_path))
    read_back.refresh(DAYS)

    assert differing(read_back.hashes(), plain.hashes) == set()


def test_difys_tables_behind_nocodb_give_the_same_hashes(
    dify: Reference, dify_nocodb: NocoDBTables, tmp_path: Path
) -> None:
    read_back = pipeline(**dify_nocodb.settings, **local_lake(tmp_path))
    read_back.refresh(DAYS)

    assert differing(read_back.hashes(), dify.hashes) == set()


@pytest.mark.parametrize("server", ["moto_s3", "rclone_s3"])
def test_a_lake_in_s3_gives_the_same_hashes(
    server: str, plain: Reference, request: pytest.FixtureRequest
) -> None:
    s3: S3Server = request.getfixturevalue(server)
    in_s3 = pipeline(**files_source(plain.folder), **s3_lake(s3))
    in_s3.refresh(DAYS)

    assert differing(in_s3.hashes(), plain.hashes) == set()
    assert in_s3.rows() == plain.rows


@pytest.mark.parametrize("profile", ["plain", "dify"])
def test_mongodb_holds_the_rows_of_the_lake_and_a_second_time_writes_none(
    profile: str,
    tmp_path: Path,
    mongod: Mongod,
    mongo_database: str,
    request: pytest.FixtureRequest,
) -> None:
    expected: Reference = request.getfixturevalue(profile)
    tables: NocoDBTables = request.getfixturevalue(f"{profile}_nocodb")
    whole = pipeline(
        **tables.settings,
        **local_lake(tmp_path),
        mongodb_uri=mongod.uri,
        mongodb_database=mongo_database,
    )
    total = sum(len(rows) for rows in expected.rows.values())

    whole.refresh(DAYS)
    assert whole.publish(DAYS) == Converged(inserted=total)
    assert whole.documents() == expected.rows

    before = whole.hashes()
    whole.refresh(DAYS)
    assert whole.hashes() == before
    assert whole.publish(DAYS) == Converged(unchanged=total)
    assert whole.documents() == expected.rows


def test_one_changed_message_changes_its_day_only_in_lake_and_mongodb(
    plain: Reference, tmp_path: Path, mongod: Mongod, mongo_database: str
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("conversations.jsonl", "messages.jsonl"):
        (folder / name).write_bytes((plain.folder / name).read_bytes())
    made: Pipeline = pipeline(
        **files_source(folder),
        **local_lake(tmp_path / "lake"),
        mongodb_uri=mongod.uri,
        mongodb_database=mongo_database,
    )
    made.refresh(DAYS)
    made.publish(DAYS)
    changed_id = "m-0000000900"

    def edit(row: dict[str, object]) -> None:
        if row["message_id"] == changed_id:
            row["content"] = "แก้ไขแล้ว"

    change_rows(folder, "messages", edit)
    made.refresh(DAYS)
    converged = made.publish(DAYS)

    tables, days = zip(*differing(made.hashes(), plain.hashes), strict=True)
    assert set(tables) == {"messages", "categories"}
    assert len(set(days)) == 1
    documents = made.documents()
    assert documents["conversations"] == plain.rows["conversations"]
    changed = {
        unit: {
            one
            for one in documents[unit].keys() | rows.keys()
            if documents[unit].get(one) != rows.get(one)
        }
        for unit, rows in plain.rows.items()
    }
    assert changed["messages"] == {changed_id}
    (owner,) = {one.partition("|")[0] for one in changed["categories"]}
    assert any(one.startswith(f"{owner}|{changed_id}|") for one in changed["categories"])
    # The message, its labels, and what those come to in the document of the conversation.
    written = converged.replaced + converged.inserted + converged.deleted
    assert written <= len(changed["messages"]) + len(changed["categories"]) + 1

"""The ledger names every row that source, lake and MongoDB do not agree on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conversation_analytics.compute.runner import InProcessRunner
from conversation_analytics.errors import LakeMismatch, MassDeletion
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.collections import COLLECTIONS
from conversation_analytics.storage.encoding import digest
from conversation_analytics.storage.layout import MESSAGES_UNIT, UNITS
from conversation_analytics.storage.mongo import DayWriter, connect, recorded
from conversation_analytics.storage.mongo_client import MongoDatabase
from conversation_analytics.storage.publish import lake_days, publish_days
from conversation_analytics.sync.healing import mark_for_healing
from conversation_analytics.sync.ledger import LedgerDay, open_ledger
from conversation_analytics.sync.pending import pending_days
from conversation_analytics_tests.builders import Pipeline, Row, conversation, message
from conversation_analytics_tests.services.mongo_server import Mongod

FIRST, SECOND = date(2024, 1, 2), date(2024, 1, 3)
DAYS = (FIRST, SECOND)
Found = dict[tuple[str, str, str], dict[str, list[str]]]


def rows() -> tuple[list[Row], list[Row]]:
    """Two conversations on each of two days, with two messages each, and an orphan."""
    start = {f"{name}{day}": f"2024-01-0{day}T10:00:0" for day in (2, 3) for name in "ab"}
    conversations = [conversation(id_, f"{at}0+00:00") for id_, at in start.items()]
    messages = [
        message(f"{id_}-{turn}", id_, f"{at}{turn}+00:00")
        for id_, at in start.items()
        for turn in range(2)
    ]
    return conversations, [*messages, message("lost", "nobody", "2024-01-03T11:00:00+00:00")]


class Books:
    """A lake that was filled from its source."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.pipeline = Pipeline(folder, categories=True, **settings)
        self.lake = self.pipeline.lake
        self.settings = self.pipeline.settings
        self.conversations, self.messages = rows()
        self.export()
        self.pipeline.run(*DAYS)

    def export(self) -> None:
        self.pipeline.export(self.conversations, self.messages)

    def opened(self) -> OpenedSource:
        return OpenedSource(self.pipeline.source(), self.pipeline.mapping)

    def ledger(self) -> Any:
        return open_ledger(self.settings, self.lake, self.opened(), InProcessRunner())

    def days(self, *range_: date) -> list[LedgerDay]:
        with self.ledger() as ledger:
            return list(ledger.days(*range_))

    def differing(self) -> list[LedgerDay]:
        return [day for day in self.days() if not day.equal]

    def found(self) -> Found:
        """(day, store, table) → kind of difference → ids."""
        return {
            (str(day.day), one.store, one.table): {
                kind: sorted(getattr(one, kind)) for kind, count in one.reasons().items() if count
            }
            for day in self.days()
            for one in day.tables
            if not one.equal
        }

    def path(self, table: str, day: date) -> Path:
        return Path(self.lake.store.url) / self.lake.layout.file(table, day)

    def heal(self, request: str | None = None) -> list[date]:
        """Refresh the days that differ; tells which they are."""
        with self.ledger() as ledger:
            found = [day for day in ledger.days() if not day.equal]
            mark_for_healing(self.lake, ledger.published, found)
        days = [day.day for day in found if isinstance(day.day, date)]
        self.pipeline.run(*days, request=request)
        return days


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def rewrite(path: Path, change: Callable[[list[Row]], None], *, schema: Any = None) -> None:
    """Change the rows of a Parquet file as a person with a notebook would."""
    table = pq.read_table(path)
    found = table.to_pylist()
    change(found)
    pq.write_table(pa.Table.from_pylist(found, schema=schema or table.schema), path)


def test_a_lake_that_follows_its_source_agrees_with_it(books: Books) -> None:
    days = books.days()
    assert [str(day.day) for day in days] == ["2024-01-02", "2024-01-03", "unknown"]
    assert all(day.equal and day.reasons() == {} for day in days)
    (messages,) = (one for one in days[0].tables if one.table == "messages")
    assert messages.wanted == messages.found
    assert messages.found.rows == 4


def test_rows_that_differ_from_the_source_are_named(books: Books) -> None:
    books.messages[0]["content"] = "edited"
    del books.messages[1]
    books.messages.append(message("late", "a3", "2024-01-03T10:05:00+00:00"))
    books.export()
    found = books.found()
    assert found["2024-01-02", "lake", "raw_messages"] == {
        "changed": ["a2-0"],
        "vanished": ["a2-1"],
    }
    assert found["2024-01-02", "lake", "messages"] == {"changed": ["a2-0"], "vanished": ["a2-1"]}
    assert found["2024-01-02", "lake", "conversations"] == {"changed": ["a2"]}
    assert found["2024-01-03", "lake", "messages"] == {"new": ["late"]}
    assert ("2024-01-03", "lake", "quarantine") not in found


def test_a_range_is_compared_alone(books: Books) -> None:
    assert [day.day for day in books.days(SECOND, SECOND)] == [SECOND]


def test_a_value_edited_in_a_file_is_named(books: Books) -> None:
    def edit(found: list[Row]) -> None:
        found[1]["content"] = "never said"

    rewrite(books.path("messages", FIRST), edit)
    assert books.found() == {("2024-01-02", "lake", "messages"): {"damaged": ["a2-1"]}}
    (day,) = books.differing()
    assert day.damaged == ("messages",)


def test_a_payload_edited_in_a_file_is_named(books: Books) -> None:
    def edit(found: list[Row]) -> None:
        found[0]["payload"] = '{"content": "never said"}'

    rewrite(books.path("raw_messages", FIRST), edit)
    assert books.found() == {("2024-01-02", "lake", "raw_messages"): {"damaged": ["a2-0"]}}


def test_a_file_with_a_hash_made_to_fit_is_still_found_out(books: Books) -> None:
    def edit(found: list[Row]) -> None:
        found[0]["content"] = "never said"

    path, key = books.path("messages", FIRST), books.lake.layout.manifest(MESSAGES_UNIT, FIRST)
    before = books.lake.manifest(MESSAGES_UNIT, FIRST)
    assert before is not None
    rewrite(path, edit)
    note = before.model_dump_json().replace(
        before.tables["messages"].files[0].hash, digest(path.read_bytes())
    )
    books.lake.store.put(key, note.encode())
    assert books.found() == {("2024-01-02", "lake", "messages"): {"damaged": ["a2-0"]}}


@pytest.mark.parametrize("unit", ["raw", "messages", "conversations"])
@pytest.mark.parametrize("harm", ["junk", "gone", "manifest", "lost manifest"])
def test_whatever_is_damaged_is_found_and_healed(books: Books, unit: str, harm: str) -> None:
    before = books.pipeline.hashes(FIRST)
    path = books.path(UNITS[unit].tables[0].name, FIRST)
    manifest = Path(books.lake.store.url) / books.lake.layout.manifest(UNITS[unit], FIRST)
    if harm == "junk":
        path.write_bytes(b"junk")
    elif harm == "gone":
        path.unlink()
    elif harm == "manifest":
        manifest.write_bytes(b"junk")
    else:
        manifest.unlink()
    assert {day for day, _, _ in books.found()} == {"2024-01-02"}
    books.heal()
    assert books.found() == {}
    assert books.pipeline.hashes(FIRST) == before
    assert pending_days(books.lake, None) == []


def test_a_run_that_is_repeated_refreshes_days_that_differ_since(books: Books) -> None:
    books.pipeline.run(*DAYS, request="interrupted later")
    books.messages[0]["content"] = "edited"
    books.export()
    books.heal("interrupted later")
    assert books.found() == {}


def test_a_day_with_other_columns_is_damaged_as_a_whole(books: Books) -> None:
    table = pa.table({"message_id": ["a2-0"]})
    pq.write_table(table, books.path("messages", FIRST))
    found = books.found()["2024-01-02", "lake", "messages"]
    assert found == {"damaged": ["a2-0", "a2-1", "b2-0", "b2-1"]}


def test_the_source_losing_most_of_its_rows_is_not_healed_unasked(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.conversations += [conversation(f"c{n}", "2024-01-02T12:00:00+00:00") for n in range(100)]
    books.export()
    books.pipeline.run(*DAYS)
    books.conversations = books.conversations[:10]
    books.export()
    with books.ledger() as ledger:
        list(ledger.days())
        with pytest.raises(MassDeletion, match="MAX_DELETE_FRACTION"):
            ledger.refuse_deletions()


def test_a_conversation_that_moved_is_not_lost(tmp_path: Path) -> None:
    books = Books(tmp_path, max_delete_fraction=0.0)
    books.conversations += [conversation(f"c{n}", "2024-01-02T12:00:00+00:00") for n in range(60)]
    books.export()
    books.pipeline.run(*DAYS)
    for row in books.conversations:
        row["created_at"] = row["created_at"].replace("01-02", "01-03")
    books.export()
    with books.ledger() as ledger:
        assert [day.equal for day in ledger.days()] == [False, False, True]
        ledger.refuse_deletions()


def test_another_source_is_not_compared(books: Books) -> None:
    other = Pipeline(Path(books.lake.store.url).parent, profile="dify")
    opened = OpenedSource(other.source(), other.mapping)
    with (
        pytest.raises(LakeMismatch),
        open_ledger(books.settings, books.lake, opened, InProcessRunner()),
    ):
        pass


def test_a_day_written_while_it_was_compared_is_told_as_such(books: Books) -> None:
    books.messages[0]["content"] = "edited"
    books.export()
    with books.ledger() as ledger:
        books.messages[0]["content"] = "edited again"
        books.export()
        books.pipeline.run(FIRST)
        (first, second, _) = ledger.days()
    assert (first.equal, first.meanwhile) == (False, True)
    assert (second.equal, second.meanwhile) == (True, False)


# ---- MongoDB


@pytest.fixture
def database(mongod: Mongod, mongo_database: str) -> Iterator[MongoDatabase]:
    opened = connect(mongod.uri, database=mongo_database)
    yield opened
    opened.client.drop_database(mongo_database)
    opened.client.close()


class PublishedBooks(Books):
    """A lake that was published, too."""

    def __init__(self, folder: Path, mongod: Mongod, database: MongoDatabase) -> None:
        super().__init__(folder, mongodb_uri=mongod.uri, mongodb_database=database.name)
        self.database = database
        self.messages_documents = database[self.settings.mongodb_messages_collection]
        self.publish(DAYS)

    def publish(self, days: Sequence[date]) -> None:
        for collection in COLLECTIONS.values():
            name = collection.name(self.settings)
            writer = DayWriter(self.database, name, batch_size=100, io_threads=1)
            items = lake_days(self.lake, collection, days, recorded(self.database, name))
            for done in publish_days(writer, items):
                assert not done.error

    def heal(self, request: str | None = None) -> list[date]:
        days = super().heal(request)
        self.publish(days)
        return days


@pytest.fixture
def published(tmp_path: Path, mongod: Mongod, database: MongoDatabase) -> PublishedBooks:
    return PublishedBooks(tmp_path, mongod, database)


@pytest.mark.services
def test_documents_are_compared_field_by_field_and_healed(published: PublishedBooks) -> None:
    assert published.found() == {}
    documents = published.messages_documents
    documents.update_one({"_id": "a2-0"}, {"$set": {"content": "never said"}})
    documents.update_one({"_id": "a2-1"}, {"$set": {"content_hash": "other"}})
    documents.update_one({"_id": "b2-1"}, {"$set": {"epoch": 99}})
    documents.delete_one({"_id": "b2-0"})
    documents.insert_one({"_id": "stranger", "partition": "2024-01-02", "epoch": 99})
    documents.update_one({"_id": "a3-0"}, {"$set": {"partition": "2024-02-28"}})
    documents.update_one({"_id": "a3-1"}, {"$set": {"seen_by": "somebody"}})

    name = published.settings.mongodb_messages_collection
    assert published.found() == {
        ("2024-01-02", "mongodb", name): {
            "new": ["b2-0"],
            "changed": ["a2-1"],
            "vanished": ["stranger"],
            "damaged": ["a2-0", "b2-1"],
        },
        ("2024-01-03", "mongodb", name): {"new": ["a3-0"]},
        ("2024-02-28", "mongodb", name): {"vanished": ["a3-0"]},
    }

    published.heal()

    assert published.found() == {}
    assert documents.count_documents({}) == 8


@pytest.mark.services
def test_a_record_that_does_not_fit_is_told_and_healed(published: PublishedBooks) -> None:
    name = published.settings.mongodb_messages_collection
    published.database["_days"].delete_one({"_id": f"{name}|2024-01-02"})
    published.database["_days"].update_one({"_id": f"{name}|2024-01-03"}, {"$set": {"rows": 99}})
    problems = {
        str(day.day): [one.problem for one in day.tables if one.problem]
        for day in published.differing()
    }
    assert problems == {
        "2024-01-02": ["it is not recorded as complete"],
        "2024-01-03": ["it is recorded with other content"],
    }
    published.heal()
    assert published.found() == {}


@pytest.mark.services
def test_documents_are_compared_with_the_source_where_the_lake_is_damaged(
    published: PublishedBooks,
) -> None:
    published.path("messages", FIRST).write_bytes(b"junk")
    name = published.settings.mongodb_messages_collection
    published.messages_documents.delete_one({"_id": "a2-0"})
    assert published.found()["2024-01-02", "mongodb", name] == {"new": ["a2-0"]}
    published.heal()
    assert published.found() == {}

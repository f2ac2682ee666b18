"""Translations in MongoDB, and what `verify` says of them there and in the lake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.compute.runner import InProcessRunner
from conversation_analytics.dify.questions import Question, Reply
from conversation_analytics.sources.open import OpenedSource
from conversation_analytics.storage.collections import COLLECTIONS
from conversation_analytics.storage.freshness import lake_problems, mongo_problems, mongo_records
from conversation_analytics.storage.layout import TRANSLATIONS_UNIT, UNITS
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.storage.mongo import Converged, DayWriter, connect, recorded
from conversation_analytics.storage.mongo_client import MongoDatabase
from conversation_analytics.storage.publish import lake_days, publish_days
from conversation_analytics.sync.ledger import open_ledger
from conversation_analytics_tests.services.mongo_server import Mongod
from conversation_analytics_tests.translation.askers import marked
from conversation_analytics_tests.translation.translated_lake import (
    ANGRY,
    FIRST,
    SECOND,
    Translated,
    said,
)

NAME = "conversation_translations"


def differing(translated: Translated) -> dict[tuple[str, str, str], str]:
    """What does not agree: (day, store, table) → what is wrong."""
    opened = OpenedSource(translated.source(), translated.mapping)
    runner = InProcessRunner()
    with open_ledger(translated.settings, translated.lake, opened, runner) as ledger:
        return {
            (str(day.day), table.store, table.table): table.problem or str(table.reasons())
            for day in ledger.days()
            for table in day.tables
            if not table.equal
        }


def manifests(translated: Translated, day: date = FIRST) -> dict[str, Manifest]:
    found = {name: translated.lake.manifest(unit, day) for name, unit in UNITS.items()}
    return {name: manifest for name, manifest in found.items() if manifest}


def test_a_lake_with_translations_agrees_with_its_source(translated: Translated) -> None:
    assert translated.refresh() == []

    assert differing(translated) == {}
    assert lake_problems(manifests(translated)) == []


def test_translations_that_do_not_follow_are_told(translated: Translated) -> None:
    translated.refresh()
    translated.said.append(said("b2", "b", "สินค้ามาช้ามาก"))
    translated.categories = False
    translated.refresh(FIRST)

    assert "translations were made of other messages" in " ".join(
        lake_problems(manifests(translated))
    )
    wrong = differing(translated)["2024-01-02", "lake", "translations"]
    assert wrong == "they were made of other messages and conversations than there are now"


@pytest.mark.parametrize("harm", ["junk", "gone", "never made"])
def test_damaged_and_missing_translations_are_found(translated: Translated, harm: str) -> None:
    translated.refresh()
    root, layout = Path(translated.lake.store.url), translated.lake.layout
    file = root / layout.file("translations", FIRST)
    if harm == "junk":
        file.write_bytes(b"junk")
    elif harm == "gone":
        file.unlink()
    else:
        (root / layout.manifest(TRANSLATIONS_UNIT, FIRST)).unlink()

    assert differing(translated).keys() == {("2024-01-02", "lake", "translations")}


@pytest.fixture
def database(mongod: Mongod, mongo_database: str) -> Iterator[MongoDatabase]:
    opened = connect(mongod.uri, database=mongo_database)
    yield opened
    opened.client.drop_database(mongo_database)
    opened.client.close()


@pytest.fixture
def published(tmp_path: Path, mongod: Mongod, database: MongoDatabase) -> Translated:
    made = Translated(tmp_path, mongodb_uri=mongod.uri, mongodb_database=database.name)
    made.asker.reply = _but_angry
    assert made.refresh() == []
    publish(made, database)
    return made


def _but_angry(asked: Question) -> Reply:
    failed = Reply(status="failed", error="the model is overloaded")
    return failed if asked.content["text"] == ANGRY else marked(asked)


def publish(translated: Translated, database: MongoDatabase) -> dict[str, Converged]:
    """Publish both days; tells what became of the first, by collection."""
    done = {}
    for collection in COLLECTIONS.values():
        name = collection.name(translated.settings)
        writer = DayWriter(database, name, batch_size=100, io_threads=1)
        items = lake_days(translated.lake, collection, (FIRST, SECOND), recorded(database, name))
        first, _ = publish_days(writer, items)
        assert first.done is not None, first.error
        done[name] = first.done
    return done


@pytest.mark.services
def test_a_translation_is_a_document_by_conversation_message_and_target(
    published: Translated, database: MongoDatabase
) -> None:
    documents: dict[str, dict[str, Any]] = {one["_id"]: one for one in database[NAME].find()}

    assert documents.keys() == {"a|*|en", "a|a1|en", "b|b1|en", "c|c1|en"}
    title, failed = documents["a|*|en"], documents["a|a1|en"]
    assert (title["text"], title["message_id"]) == ("[en] คำถามเรื่องราคา", None)
    assert (title["partition"], title["status"], title["provider"]) == (
        "2024-01-02",
        "succeeded",
        "dify",
    )
    assert {"epoch", "content_hash", "workflow_run_id", "total_tokens"} <= title.keys()
    assert (failed["status"], failed["error"]) == ("failed", "the model is overloaded")
    assert differing(published) == {}


@pytest.mark.services
def test_only_what_was_asked_again_is_written_again(
    published: Translated, database: MongoDatabase
) -> None:
    published.asker.reply = marked
    published.refresh()
    records = mongo_records(published.settings)
    assert records is not None
    assert mongo_problems(FIRST, manifests(published), records) == (
        "behind",
        ["MongoDB has older translations of it: backfill the day"],
    )

    done = publish(published, database)

    assert done[NAME] == Converged(replaced=1, unchanged=2)
    assert differing(published) == {}


@pytest.mark.services
def test_another_run_or_error_of_the_same_content_is_shown_too(
    published: Translated, database: MongoDatabase
) -> None:
    before = published.manifest("translations", FIRST).content_hash
    published.asker.reply = lambda asked: replace(
        _but_angry(asked), run_id="run-2", error="the budget is spent"
    )
    published.refresh()
    assert published.manifest("translations", FIRST).content_hash == before

    done = publish(published, database)

    assert done[NAME] == Converged(replaced=1, unchanged=2)
    assert differing(published) == {}

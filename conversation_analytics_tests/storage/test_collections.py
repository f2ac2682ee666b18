"""What MongoDB is to show of a day: versions that grow, and summaries only where they belong."""

from __future__ import annotations

from datetime import date

import pyarrow.compute as pc
import pytest

from conversation_analytics.schemas import CATEGORY_SUMMARIES
from conversation_analytics.storage.collections import COLLECTIONS, CONVERSATION_DOCUMENTS
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics_tests.builders import Pipeline, conversation, message

DAY = date(2024, 1, 2)
SHOWN = COLLECTIONS["conversations"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    made = Pipeline(tmp_path_factory.mktemp("lake"), categories=True)
    made.export(
        [conversation("b"), conversation("a")],
        [message("m", "a", content="Where is my parcel? I am so angry")],
    )
    assert made.run(DAY).errors == []
    return made


def manifests(pipeline: Pipeline) -> dict[str, Manifest]:
    return {
        unit: pipeline.manifest(unit, DAY) for unit in ("messages", "conversations", "categories")
    }


def test_every_collection_is_named_by_a_setting(pipeline: Pipeline) -> None:
    names = {one.name(pipeline.settings) for one in COLLECTIONS.values()}
    assert names == {
        "conversation_messages",
        "conversation_analytics",
        "conversation_categories",
        "conversation_translations",
    }


def test_conversations_carry_their_summary_and_both_hashes(pipeline: Pipeline) -> None:
    found = SHOWN.read(pipeline.lake, DAY)
    assert found is not None
    shown, rows = found
    assert rows.schema == CONVERSATION_DOCUMENTS.arrow
    summaries = {
        row["conversation_id"]: row
        for row in pipeline.table("categories", CATEGORY_SUMMARIES.name, DAY).to_pylist()
    }
    for row in rows.to_pylist():
        summary = dict(summaries[row["conversation_id"]])
        assert summary.pop("conversation_id") == row["conversation_id"]
        assert summary.pop("content_hash") == row["categories_hash"]
        assert row["categories"] == summary
    own = {row["conversation_id"]: row["content_hash"] for row in pipeline.conversations(DAY)}
    assert {r["conversation_id"]: r["content_hash"] for r in rows.to_pylist()} == own
    assert (shown.rows, set(shown.tables)) == (2, {"conversations", "category_summaries"})


def test_without_categories_conversations_are_shown_as_they_are(pipeline: Pipeline) -> None:
    here = manifests(pipeline)
    own = here["conversations"]
    alone = SHOWN.shown({"conversations": own})
    assert alone is not None
    assert (alone.epoch, alone.content_hash) == (own.epoch, own.content_hash)
    rows = SHOWN.rows({"conversations": pipeline.table("conversations", "conversations", DAY)})
    assert rows.schema == CONVERSATION_DOCUMENTS.arrow
    assert {row["categories"] for row in rows.to_pylist()} == {None}


def test_categories_of_other_conversations_are_not_shown(pipeline: Pipeline) -> None:
    here = manifests(pipeline)
    edited = here["conversations"].model_copy(update={"content_hash": "another", "epoch": 9})
    shown = SHOWN.shown({**here, "conversations": edited})
    assert shown is not None
    assert (shown.epoch, shown.content_hash) == (9, "another")
    assert set(shown.tables) == {"conversations"}


@pytest.mark.parametrize("unit", ["conversations", "categories"])
def test_every_write_of_either_makes_a_newer_version(pipeline: Pipeline, unit: str) -> None:
    here = manifests(pipeline)
    before = SHOWN.shown(here)
    written = here[unit].model_copy(update={"epoch": here[unit].epoch + 1})
    after = SHOWN.shown({**here, unit: written})
    assert before is not None
    assert after is not None
    assert after.epoch == before.epoch + 1
    assert after.content_hash == before.content_hash


def test_other_labels_are_another_version(pipeline: Pipeline) -> None:
    here = manifests(pipeline)
    entry = here["categories"].tables[CATEGORY_SUMMARIES.name]
    tables = here["categories"].tables | {
        CATEGORY_SUMMARIES.name: entry.model_copy(update={"content_hash": "other labels"})
    }
    changed = here["categories"].model_copy(update={"tables": tables})
    before, after = SHOWN.shown(here), SHOWN.shown({**here, "categories": changed})
    assert before is not None
    assert after is not None
    assert after.content_hash != before.content_hash


def test_what_was_never_made_is_not_shown(pipeline: Pipeline) -> None:
    assert SHOWN.shown({}) is None
    assert SHOWN.read(pipeline.lake, date(2024, 3, 1)) is None


def test_a_conversation_without_a_summary_has_none(pipeline: Pipeline) -> None:
    conversations = pipeline.table("conversations", "conversations", DAY)
    summaries = pipeline.table("categories", CATEGORY_SUMMARIES.name, DAY)
    only_a = summaries.filter(pc.equal(summaries["conversation_id"], "a"))

    merged = SHOWN.rows({"conversations": conversations, CATEGORY_SUMMARIES.name: only_a})

    found = {row["conversation_id"]: row["categories"] for row in merged.to_pylist()}
    assert found["a"] is not None
    assert found["b"] is None
